"""Titles: what a generated piece is called, and which form a real piece's title names."""

from __future__ import annotations

import random
import re
import unicodedata
from collections.abc import Mapping
from functools import lru_cache

from radio.music.words import PATTERNS, WORDS

FORMS: tuple[str, ...] = (
    "", "prelude", "fugue", "chorale", "chorale prelude", "invention", "sinfonia", "toccata", "fantasia", "canon",
    "sonata", "sonatina", "rondo", "variations", "concerto", "quartet", "trio", "divertimento", "serenade", "overture",
    "minuet", "scherzo", "waltz", "mazurka", "polonaise", "krakowiak", "polka", "country dance", "gavotte",
    "sarabande", "gigue", "allemande", "courante", "bourree", "nocturne", "etude", "ballade", "impromptu", "bagatelle",
    "barcarolle", "romance", "intermezzo", "lullaby", "caprice", "dance", "march", "song", "aria", "air", "reel",
    "jig", "slip jig", "hornpipe", "strathspey", "rag", "two-step", "blues", "motet", "psalm", "hymn", "mass", "carol",
    "madrigal", "groove",
)  # fmt: skip
"""The kinds of piece that a title names, and a plan; index 0: not known. A model is told of those in tokens.FORMS."""

_WORDS: tuple[tuple[str, str], ...] = (
    # The narrower form first: a sonata's rondo is a rondo, a prelude on a chorale is a chorale prelude.
    ("chorale prelude", r"chora\w* prelud\w*|choralvorspiel\w*|fuga super"),
    ("slip jig", r"slip ?jigs?|hop jigs?|slipjigs?|slip \d+"),
    ("jig", r"(double |single )?jigs?"),
    ("reel", r"reels?[a-z]?"),
    ("hornpipe", r"hornpipes?|clogs?|hpps"),
    ("strathspey", r"strathspeys?"),
    ("two-step", r"two steps?"),
    ("rag", r"rags?|ragtime"),
    ("sonatina", r"sonatin\w*"),
    ("barcarolle", r"barcaroll?\w*|barkarol\w*|gondol\w*"),
    ("lullaby", r"berceuse|lullab\w*|wiegenlied\w*|kolysank\w*|schlummerlied\w*|cradle song"),
    ("hymn", r"hymn\w*"),
    ("chorale", r"chora(l|le|ls|les)"),
    ("carol", r"carols?|koled\w*|noel|xmas|weihnacht\w*|pastorell?a|pastoralka"),
    ("canon", r"canons?|kanon\w*|canone?"),
    ("aria", r"ari(a|as|e|en|ette|etta|ettes|oso|ja|je)|cavatin\w*|kawatyn\w*"),
    ("psalm", r"psalm\w*|psalter\w*"),
    ("mass", r"mass|missa|msza|kyrie|gloria|credo|patrem|sanctus|benedictus|agnus|et in terra|requiem"),
    (
        "motet",
        r"motet\w*|in festo|offertorium|graduale|communio|introitus|magnificat|ave|salve|regina|tantum ergo|alleluia|"
        r"vesper\w*|litani\w*|antiphon\w*|responsor\w*|dominica|domine|jesu|iesu|deus|sub tuum",
    ),
    ("madrigal", r"madrigal\w*"),
    ("mazurka", r"mazur\w*|mazour\w*|oberek|obertas|kujawiak\w*"),
    ("polonaise", r"pol+on[ae]\w*|polonois\w*|pol+acca|polonez\w*|polonoisse"),
    ("krakowiak", r"krakowiak\w*|cracovien\w*"),
    ("polka", r"polkas?"),
    ("waltz", r"waltz\w*|walzer\w*|valses?|walc\w*|walec\w*|valtz|valc\w*|vals|valzer|landler\w*"),
    (
        "country dance",
        r"contred\w*|contra ?dan\w*|country dances?|anglai\w*|anglez\w*|ecc?oss\w*|kontredans\w*|playford|morris|"
        r"ashover|quadrill\w*|kadryl\w*|kotylion\w*",
    ),
    ("gavotte", r"gavot\w*|gawot\w*"),
    ("sarabande", r"saraband\w*"),
    ("gigue", r"gigu?[ea]s?"),
    ("allemande", r"allemand[ae]s?"),
    ("courante", r"courantes?|correnti?e?"),
    ("bourree", r"bourr?ee?s?"),
    ("minuet", r"menuet\w*|minuet\w*"),
    ("scherzo", r"scherz(o|i)|scherzino"),
    ("march", r"march(e|es|ia)?|marsz\w*|marsch\w*"),
    ("nocturne", r"nocturn\w*|nokturn\w*|notturn\w*"),
    (
        "etude",
        r"etiud\w*|etude\w*|stud(y|ies)|exercis\w*|ubung\w*|\w*ubungsstuck\w*|lessons?|lecons?|metodo|methode|skole",
    ),
    ("ballade", r"ballad[aen]?|balady"),
    ("impromptu", r"impromptus?"),
    ("bagatelle", r"bagatel\w*"),
    ("caprice", r"capric\w*|kaprys\w*"),
    ("romance", r"roman[csz]\w*"),
    ("intermezzo", r"intermez\w*"),
    ("serenade", r"serenad\w*|serenat\w*|standchen|nachtmusik"),
    ("fugue", r"fug(a|ue|ues|e|en|hetta|ato)|doppelfuge|contrapunctus"),
    ("variations", r"variat\w*|variaz\w*|wariac\w*|waryac\w*|partite|doubles?"),
    ("rondo", r"rond(o|eau|eaux|os|ino|oletto)"),
    ("toccata", r"tocc?at\w*"),
    ("fantasia", r"fantas\w*|fantaz\w*|phantas\w*|ricercar\w*"),
    ("invention", r"inventi\w*"),
    ("sinfonia", r"sinfonias?"),
    ("prelude", r"pr(e|a|ae)lud\w*|preambul\w*|vorspiel\w*|well tempered clavier"),
    ("overture", r"ouvertur\w*|overtur\w*|uwertur\w*"),
    ("air", r"airs?|ayres?|planxty|lament"),
    ("blues", r"blues"),
    ("concerto", r"concert(o|i|os)|koncert"),
    ("divertimento", r"diverti\w*"),
    ("dance", r"dan(ce|ces|se|ses|za|zas)|tan(iec|ce|z|ze)|tango"),
    ("song", r"songs?|lied(er)?|chansons?|piesn\w*|melod(ie|ies|ja)|romances?|canc?ion|spiew|chants?|dumka|dumki"),
    ("trio", r"(piano |string )?trios?"),
    ("quartet", r"quart[e]t+\w*|kwartet\w*|quatuor\w*"),
    ("sonata", r"sonat[ae][ns]?"),
)
_PATTERNS = tuple((form, re.compile(rf"\b(?:{words})\b")) for form, words in _WORDS)
_BY_GROUP = {
    "lieder": "song", "songbook": "song", "jazz": "song", "drums": "groove", "ragtime": "rag",
    "early_music": "motet", "salon_dances": "dance",
}  # fmt: skip
"""The form of a piece whose title names none, where nearly all of a group's pieces have the same."""
_BELIEVED = {
    "song": frozenset(
        ("lullaby", "carol", "psalm", "hymn", "mass", "mazurka", "polonaise", "krakowiak", "polka", "waltz", "aria",
         "barcarolle", "romance", "serenade", "blues", "chorale", "ballade", "rag", "song")
    ),
    "folk": frozenset(
        ("reel", "jig", "slip jig", "hornpipe", "strathspey", "polka", "waltz", "march", "air", "country dance",
         "carol", "mazurka", "lullaby", "song", "fantasia", "two-step", "gavotte", "minuet")
    ),
}  # fmt: skip
"""Forms believed of songs and of tunes: in their titles "March" may be a month, and a mass what one comes home from."""
_EARLY = (
    ("psalm", re.compile(r"^[clxvi]+ ")),
    ("motet", re.compile(r"^in ")),
    ("madrigal", re.compile(
        r"\b(il|lo|gli|che|chi?|mia|mio|mai|pur|della|ahi|amor\w*|lasso|dolce|bella|vedi|la|un|una|come)\b"
    )),
    ("hymn", re.compile(r"\b(boze|pan[aeiu]?|panie|panu|chwal\w*|ktor\w*|moj[ae]?|nasz\w*|sie|ciebie|tobie|nie)\b")),
)  # fmt: skip
"""Vocal music before 1650 by the language of its opening words, where they name no form; the psalms are numbered."""
_BARE_NUMBER = re.compile(r"^bwv \d+( \d+[a-z]?)*( [a-z]+)?$")
_NUMBER = re.compile(r"\bbwv (\d+)")
_NUMBERED = (("chorale", range(250, 439)), ("chorale prelude", range(599, 766)))
"""Wolfgang Schmieder's catalogue is by kind."""
_CLOSING = re.compile(r"\(([^()]*)\)\W*$")


def _folded(title: str) -> str:
    """Lower-case ASCII words and numbers, single blanks between."""
    flat = unicodedata.normalize("NFKD", title.replace("ł", "l").replace("Ł", "L").replace("ß", "ss"))
    kept = "".join(c if c.isascii() and c.isalnum() else " " for c in flat if not unicodedata.combining(c))
    return " ".join(re.sub(r"(?<=[a-z])(?=\d)", " ", kept.lower()).split())


@lru_cache(maxsize=4096)
def form_of(title: str, group: str) -> str:
    """The form a real piece's title names, in any of the corpus's languages; "" if it names none of FORMS.

    `group` is the corpus's: it gives the form where titles do not, and decides how far a word is believed.
    """
    if group in ("electronic_synthetic", "game", "drums"):
        return _BY_GROUP.get(group, "")
    if group == "folk" and (closing := _CLOSING.search(title)) and (form := _named(_folded(closing[1]), "folk")):
        return form
    # The brackets of a song name the set it is from.
    words = _folded(re.sub(r"\([^)]*\)", "", title) if group == "lieder" else title)
    if group == "bach" and (form := _of_bach(words)):
        return form
    default = _BY_GROUP.get(group, "")
    form = _named(words, default if default in _BELIEVED else group)
    if group == "early_music" and form in ("", "motet", "song"):
        form = next((named for named, pattern in _EARLY if pattern.search(words)), form)
    return form or default


def _named(words: str, group: str) -> str:
    believed = _BELIEVED.get(group)
    for form, pattern in _PATTERNS:
        if (believed is None or form in believed) and pattern.search(words):
            return form
    return ""


def _of_bach(words: str) -> str:
    """Bach's chorales are titled by catalogue number alone, his chorale preludes by the hymn."""
    if _BARE_NUMBER.match(words):
        return "chorale"
    number = _NUMBER.search(words)
    return next((form for form, numbers in _NUMBERED if number and int(number[1]) in numbers), "")


_KINDS = {
    "early_music": "Motet", "choral_hymns": "Anthem", "lieder": "Song", "chamber": "Movement for Strings",
    "romantic_piano": "Album Leaf", "salon_dances": "Salon Dance", "organ": "Voluntary", "guitar": "Guitar Piece",
    "drums": "Groove", "baroque": "Harpsichord Piece", "classical_piano": "Piano Piece", "mozart": "Piano Piece",
    "beethoven": "Piano Piece", "chopin": "Album Leaf",
}  # fmt: skip
"""What a piece is called whose form is not known."""
_NAMES = {"etude": "Étude", "bourree": "Bourrée", "quartet": "String Quartet", "two-step": "Two-Step"}
"""Forms not called by their own name with capitals."""
_DRAWS = 24
_LIST = re.compile(r"\{(\w+)\}")
_NUMBERED_TITLE = re.compile(r"^(.*?) No\. \d+(?: in [A-G](?:-flat|-sharp)? (?:major|minor))?$")


class Titler:
    """Names the pieces of one style."""

    def __init__(self, style: str) -> None:
        self.style = style

    def title(self, form: str, key: str, numbers: Mapping[str, int], seed: int) -> str:
        """A title: "Prelude No. 14 in G minor", "The Merry Piper's Reel", "Rainy Window".

        `numbers`: how many pieces of each `base` the channel has had; a title is new as long as it is kept up.
        """
        patterns = PATTERNS.get(self.style, {}).get(form, ())
        if not patterns:
            name = called(form) or _KINDS.get(self.style, "Piece")
            tonality = f" in {spoken(key)}" if key and self.style != "drums" else ""
            return f"{name} No. {numbers.get(name, 0) + 1}{tonality}"
        name = ""
        for attempt in range(_DRAWS):
            name = _draw(patterns, form, random.Random(f"{self.style} {form} {seed} {attempt}"))
            if not numbers.get(name):
                return name
        return f"{name} No. {numbers[name] + 1}"


def _draw(patterns: tuple[str, ...], form: str, chance: random.Random) -> str:
    pattern = chance.choice(patterns).replace("FORM", called(form)).replace("(form)", f"({form})")
    used: list[str] = []
    for name in _LIST.findall(pattern):
        used.append(chance.choice([word for word in WORDS[name] if word not in used]))
    words = iter(used)
    return _LIST.sub(lambda _: next(words), pattern)


def called(form: str) -> str:
    """A form as a title names it: "Slip Jig"; "" for ""."""
    return _NAMES.get(form, " ".join(word.capitalize() for word in form.split()))


def spoken(key: str) -> str:
    """A key as a title names it: "Bb major" is "B-flat major"."""
    tonic, _, mode = key.partition(" ")
    return f"{tonic[:1]}{tonic[1:].replace('b', '-flat').replace('#', '-sharp')} {mode}"


def base(title: str) -> str:
    """What a title's number counts: "Prelude" for "Prelude No. 14 in G minor"; a title without a number is its own."""
    numbered = _NUMBERED_TITLE.match(title)
    return numbered[1] if numbered else title
