"""Titles of generated pieces, and the forms of real ones."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radio.music.keys import KEYS
from radio.music.titles import FORMS, Titler, base, called, form_of, spoken
from radio.music.tokens import STYLES
from radio.music.words import PATTERNS, WORDS


def test_a_prefix_can_hold_every_form() -> None:
    assert FORMS[0] == ""
    assert len(set(FORMS)) == len(FORMS) <= 64


@pytest.mark.parametrize(
    ("title", "group", "form"),
    [
        ("BWV 373", "bach", "chorale"),
        ("BWV 197.7-a", "bach", "chorale"),
        ("Erschienen ist der herrliche Tag - BWV 629 - a 2 Clav.", "bach", "chorale prelude"),
        ("Ich dank dir, lieber Herre - BWV 347", "bach", "chorale"),
        ("Das Wohltemperierte Clavier I, Fuga XVII - BWV 862", "bach", "fugue"),
        ("Suite 4 for Cello Solo - BWV 1010 - Präludium", "bach", "prelude"),
        ("Invention 2 - BWV 773", "bach", "invention"),
        ("Bourrée in E Minor - BWV996", "bach", "bourree"),
        ("14 Canons - über die Fundamentalnoten der Aria", "bach", "canon"),
        ("String Quartet No.5, Op.18 No.5 - movement 2 II. Menuetto", "beethoven", "minuet"),
        ("String Quartet No.9, Op.59 No.3 - movement 2 Andante", "beethoven", "quartet"),
        ("Sonata No.8 C minor Opus 13 2", "beethoven", "sonata"),
        ("Sonatina Opus 36 5 2", "classical_piano", "sonatina"),
        ("Etudes Opus 10 12 Revolutionary", "chopin", "etude"),
        ("50 Melodische Übungsstücke, No. 7 - Op. 840", "classical_piano", "etude"),
        ("Mazurka in F-sharp minor op. 6, no 1", "chopin", "mazurka"),
        ("Mazur grany w Teatrze Rozmaitości", "salon_dances", "mazurka"),
        ("Polonez", "salon_dances", "polonaise"),
        ("Walc B-dur", "romantic_piano", "waltz"),
        ("Marsz żałobny", "salon_dances", "march"),
        ("Kołysanka", "romantic_piano", "lullaby"),
        ("[Keyboard piece]", "salon_dances", "dance"),
        ("Das Wandern", "lieder", "song"),
        ("In March", "lieder", "song"),
        ("1 Vor dem Fenster (8 Lieder and Romances, Op.14)", "lieder", "song"),
        ("Whitney's Fancy (Hornpipe)", "folk", "hornpipe"),
        ("SKIVER THE QUILT (jig)", "folk", "jig"),
        ("Johnny O'Shea. (slipjig)", "folk", "slip jig"),
        ("The Luck Penny (double jig)", "folk", "jig"),
        ("Nottingham jigs226", "folk", "jig"),
        ("Nottingham reelsd-g31", "folk", "reel"),
        ("Nottingham hpps60", "folk", "hornpipe"),
        ("One Sunday After Mass", "folk", ""),
        ("The Entertainer - A Ragtime Two Step", "ragtime", "two-step"),
        ("The Strenuous Life", "ragtime", "rag"),
        ("Limehouse Blues (1921)", "jazz", "blues"),
        ("My Ideal (1930)", "jazz", "song"),
        ("Kyrie", "early_music", "mass"),
        ("CXXXVIII. Ciebie ja chwalić będę", "early_music", "psalm"),
        ("Chi vuol vdir i miei sospiri", "early_music", "madrigal"),
        ("Beatus vir", "early_music", "motet"),
        ("The First Noel (hymntune)", "choral_hymns", "hymn"),
        ("rock 105 bpm beat (drummer3/session1/5)", "drums", "groove"),
        ("lofi study 125", "electronic_synthetic", ""),
        ("Last Dance", "game", ""),
        ("Andante", "organ", ""),
    ],
)
def test_a_form_is_recognised_in_its_language(title: str, group: str, form: str) -> None:
    assert form_of(title, group) == form


@given(st.text(), st.sampled_from([*STYLES, "electronic_synthetic", ""]))
def test_a_recognised_form_is_always_one_a_prefix_can_hold(title: str, group: str) -> None:
    assert form_of(title, group) in FORMS


@pytest.mark.parametrize("form", [form for form in FORMS if form not in ("", "groove")])
def test_a_form_is_recognised_in_the_titles_made_of_it(form: str) -> None:
    title = Titler("bach").title(form, "G minor", {}, 0)
    assert form_of(title, "romantic_piano") == form


@pytest.mark.parametrize(
    ("style", "form", "key", "had", "expected"),
    [
        ("bach", "prelude", "G minor", {"Prelude": 13}, "Prelude No. 14 in G minor"),
        ("chopin", "etude", "Ab major", {}, "Étude No. 1 in A-flat major"),
        ("chamber", "quartet", "F# minor", {"String Quartet": 2}, "String Quartet No. 3 in F-sharp minor"),
        ("organ", "", "D minor", {}, "Voluntary No. 1 in D minor"),
        ("beethoven", "sonata", "", {}, "Sonata No. 1"),
        ("drums", "groove", "", {"Groove": 8}, "Groove No. 9"),
    ],
)
def test_composed_pieces_are_numbered_by_form_and_tell_their_key(
    style: str, form: str, key: str, had: dict[str, int], expected: str
) -> None:
    assert Titler(style).title(form, key, had, seed=5) == expected


@pytest.mark.parametrize(
    ("style", "form", "looks"),
    [
        ("folk", "reel", r".* (\(reel\)|Reel)"),
        ("folk", "slip jig", r".* (\(slip jig\)|Slip Jig)"),
        ("ragtime", "rag", r".* Rag"),
        ("jazz", "blues", r".* Blues"),
        ("lofi", "", r"[A-Z]\S+ [A-Z]\S+"),
        ("house", "", r"[A-Z]\S+ [A-Z]\S+"),
        ("ambient", "", r"[A-Z]\S+ [A-Z]\S+"),
        ("game", "", r"[A-Z]\S+ [A-Z]\S+"),
    ],
)
def test_tunes_and_tracks_have_names(style: str, form: str, looks: str) -> None:
    titles = {Titler(style).title(form, "C major", {}, seed) for seed in range(60)}
    assert all(re.fullmatch(looks, title) for title in titles), titles
    assert len(titles) > 40


@pytest.mark.parametrize("style", [*STYLES, ""])
def test_a_channel_never_gives_a_title_twice(style: str) -> None:
    numbers: Counter[str] = Counter()
    titler = Titler(style)
    forms = ["", *PATTERNS.get(style, {}), "prelude", "waltz"]
    titles = []
    for seed in range(600):
        titles.append(titler.title(forms[seed % len(forms)], KEYS[seed % 24], numbers, seed // 3))
        numbers[base(titles[-1])] += 1
    assert len(set(titles)) == len(titles)


@given(st.sampled_from(STYLES), st.sampled_from(FORMS), st.sampled_from(KEYS), st.integers(0, 2**63))
def test_a_title_depends_on_nothing_but_what_it_is_given(style: str, form: str, key: str, seed: int) -> None:
    numbers = {"Prelude": 3}
    title = Titler(style).title(form, key, numbers, seed)
    assert Titler(style).title(form, key, numbers, seed) == title
    assert numbers == {"Prelude": 3}
    assert title
    assert "{" not in title
    assert "  " not in title
    assert len(title) < 80


def test_the_base_of_a_title_is_what_its_number_counts() -> None:
    assert base("Prelude No. 14 in G minor") == "Prelude"
    assert base("String Quartet No. 3 in B-flat major") == "String Quartet"
    assert base("The Merry Piper's Reel No. 2") == "The Merry Piper's Reel"
    assert base("Rainy Window") == "Rainy Window"


def test_forms_and_keys_are_written_out_in_titles() -> None:
    assert called("slip jig") == "Slip Jig"
    assert called("two-step") == "Two-Step"
    assert spoken("Eb minor") == "E-flat minor"
    assert spoken("B minor") == "B minor"


def test_every_pattern_uses_lists_that_exist_and_every_list_is_used() -> None:
    used = {
        name
        for forms in PATTERNS.values()
        for patterns in forms.values()
        for pattern in patterns
        for name in re.findall(r"\{(\w+)\}", pattern)
    }
    assert used == set(WORDS)
    assert all(len(set(words)) == len(words) for words in WORDS.values())
