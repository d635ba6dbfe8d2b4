"""A model's card: what it is, what it was trained on, under which licences, and its figures."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from radio.composer.corpus import Corpus
from radio.composer.evaluate import KINDS
from radio.composer.plots import CURVE, PAGE
from radio.composer.train import OPTIONS
from radio.composer.weights import CONFIG, WEIGHTS

CARD, EVALUATION = "README.md", "evaluation.json"


def write(folder: Path, corpus: Corpus) -> None:
    """Writes the card from the folder's config.json and evaluation.json."""
    config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    figures = json.loads((folder / EVALUATION).read_text(encoding="utf-8"))
    size = (folder / WEIGHTS).stat().st_size / 1e6
    text = "\n\n".join(
        (
            f"# Model `{folder.name}`",
            _about(config, size),
            "## Data and licences\n\n" + _data(corpus),
            "## Bits a note on works kept back\n\n" + _bits(figures["bits_per_note"]),
            "## Telling channels apart\n\n" + _apart(figures["apart"]),
            *(f"## {title}\n\n" + tell(figures[key]) for key, title, tell in _MEASURED if key in figures),
            f"## Training\n\n![Training loss by slot]({CURVE})\n\n" + _training(lineage(config)),
            "## How to reproduce it\n\n" + _reproduce(lineage(config), folder.name),
        )
    )
    (folder / CARD).write_text(text + "\n", encoding="utf-8")


def _about(config: dict[str, Any], size: float) -> str:
    shape = config["model"]
    return (
        f"A transformer of {shape['layers']} layers, width {shape['width']}, {shape['heads']} heads and a context of "
        f"{shape['context']} positions, one position a note or bar line; {size:.1f} MB in half precision. It composes "
        "in the style its prefix names, and is meant for the channels of this radio. It was trained on a corpus of "
        "MIDI files of free or public-domain music, mostly scores on a rigid grid, so it writes scores; the "
        "performer plays them."
    )


def _data(corpus: Corpus) -> str:
    counts: Counter[str] = Counter()
    pieces: Counter[str] = Counter()
    for entry in corpus.entries:
        counts[entry.style] += entry.count
        pieces[entry.style] += 1
    lines = ["| style | pieces | positions |", "|---|---:|---:|"]
    lines += [f"| {style} | {pieces[style]:,} | {counts[style]:,} |" for style in sorted(counts)]
    total = f"| **all** | {sum(pieces.values()):,} | {sum(counts.values()):,} |"
    return "\n".join((*lines, total, "", _ATTRIBUTION))


_ATTRIBUTION = """The works are in the public domain or openly licensed; what the encodings ask for travels with this
model: piano-midi.de (Bernd Krueger, CC BY-SA 3.0 DE); "First Editions of Fryderyk Chopin's Music" and "Polish Music
Heritage in Open Access" (Fryderyk Chopin Institute, CC BY 4.0); the Mutopia Project (public domain, CC BY, CC BY-SA
by piece); OpenScore Lieder and String Quartets (CC0); Groove MIDI Dataset (Google LLC, CC BY 4.0), also in the lo-fi
drum loops; OpenEWLD (F. Simonetta, MIT) for jazz and songbook lead sheets; Nottingham dataset (Jukedeck, GPL-3.0,
tunes traditional); the music21 corpus (Bach chorales, O'Neill's and Ryan's collections: old music, encodings
distributed
by permission without a formal licence); Freedoom (BSD-3-Clause), OpenMSX (GPL-2.0) and Simutrans (Artistic-1.0) game
music. House, ambient and most lo-fi pieces were made by rule for the corpus (CC0). Some jazz and songbook songs are
in the public domain in the United States but may be protected elsewhere."""


def _bits(figures: dict[str, Any]) -> str:
    lines = [
        "All that has to be said (notes, bar lines, the end), divided by the number of notes. *None*: no prefix. "
        "*Wrong*: style, composer and form of a piece of another style. The split is by work, never by file.",
        "",
        "| style | works | pieces | notes | right | none | wrong |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for style, own in figures.items():
        best = min(own["bits"].values())
        bits = (f"**{own['bits'][k]:.3f}**" if own["bits"][k] == best else f"{own['bits'][k]:.3f}" for k in KINDS)
        lines.append(f"| {style} | {own['works']} | {own['pieces']} | {own['notes']:,} | " + " | ".join(bits) + " |")
    return "\n".join(lines)


def _apart(told: dict[str, Any]) -> str:
    first, second = told["channels"]
    return (
        f"A logistic regression fitted on windows of the corpus, blind to timbre, names the channel of "
        f"{told['right']} of "
        f"{told['pieces']} composed pieces of `{first}` and `{second}` ({told['right'] / told['pieces']:.2f}); of real "
        f"works kept back it names {told['real']:.2f} of the windows. {told['ended']} of {told['pieces']} pieces "
        "end with their planned last bar; the guard brought the others to their end earlier."
    )


_COLUMNS = (
    "channel", "pieces", "fidelity", "AUC", "AUC, human", "Fréchet", "recurrence", "human", "loops", "human",
    "longest run", "human",
)  # fmt: skip


def _panel(panel: dict[str, Any]) -> str:
    """The evaluation kit's main figures, by channel."""
    told = panel["fidelity"]
    lines = [_PANEL, "", "| " + " | ".join(_COLUMNS) + " |", "|---" + "|---:" * (len(_COLUMNS) - 1) + "|"]
    for group, own in panel["groups"].items():
        compared = own["against"]
        cells = [
            group,
            str(own["pieces"]),
            _shown(told["groups"].get(group, {}).get("fidelity")) if told else "–",
            _shown(compared["generated"]["told"]["auc"]) if compared else "–",
            f"{compared['floor']['auc']['mean']:.2f} ± {compared['floor']['auc']['sd']:.2f}" if compared else "–",
            _shown(compared["ratio"]) if compared else "–",
        ]
        for name in ("recurrence", "loops"):
            cells += [_shown(own["figures"][name][side]) for side in ("generated", "human")]
        cells += [_shown(own["memory"]["longest"][side], 0) for side in ("generated", "human")]
        lines.append("| " + " | ".join(cells) + " |")
    lines += ["", _MORE_TEXT, "", "| " + " | ".join(("channel", *_MORE)) + " |", "|---" + "|---:" * len(_MORE) + "|"]
    for group, own in panel["groups"].items():
        pairs = (own["figures"][name] for name in _MORE)
        lines.append("| " + " | ".join((group, *(_pair(pair) for pair in pairs))) + " |")
    if told:
        lines += ["", f"Style fidelity, mean over channels: {_shown(told['mean']['fidelity'])}."]
    return "\n".join((*lines, "", f"![Composed music beside human works]({PAGE})"))


def _pair(beside: dict[str, Any]) -> str:
    """A figure of composed music, and in brackets that of human works."""
    composed, human = (f"{own['value']:.2f}" if own else "–" for own in (beside["generated"], beside["human"]))
    return f"{composed} ({human})"


_MORE = (
    "adherence", "returns", "cadences", "closed", "tonic at the end", "in scale", "dissonance", "velocity spread",
    "velocity levels",
)  # fmt: skip
_MORE_TEXT = """Of form, harmony and dynamics, in brackets the human works'. *Adherence*: bars that resemble the one
that their bar line names. *Returns*: planned returns of a section that resemble its first statement. *Cadences*:
section ends with one. *Closed*: pieces that end with one. All as composed, before the performer plays it."""
_PANEL = """*Fidelity*: how often a classifier fitted on human works names the style of composed pieces, over how
often it does of human works it was not fitted on. The other figures are beside human works of the style that the
channel might have planned. *AUC*: how well a classifier tells composed windows from those of
works kept back (0.5: not at all), and two sides of human works from each other. *Fréchet*: distance to works kept
back, over that of training works. *Recurrence*: bars that resemble one at least two bars earlier. *Loops*: bars that
copy the bar before. *Longest run*: notes in a row shared with a work of the corpus, transposed or not, 95th
percentile; of human works, with the works of others. Intervals of 95 %, over pieces and works. A dash: too few works
for the figure."""


def _attack(told: dict[str, Any]) -> str:
    """How much of training works followed their openings, by style."""
    lines = [
        _ATTACK,
        "",
        "| style | works | share | unguarded | chance | in a row | unguarded |",
        "|---" + "|---:" * 6 + "|",
    ]
    for style, own in told["guarded"].items():
        bare = told["unguarded"][style]
        cells = (
            style, str(own["works"]), _shown(own["share"]), _shown(bare["share"]), f"{own['chance']:.2f}",
            str(own["in_a_row"]), str(bare["in_a_row"]),
        )  # fmt: skip
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


_ATTACK = """The composer was given the first bars of works that it was trained on, 16 notes of the highest voice or a
little more, with the work's own prefix. *Share*: how many of the next 64 notes of that voice are the work's, each in
its place, by interval and time. *Chance*: the same for other works of the style. *In a row*: the most that followed
at once."""


_MEASURED = (
    ("panel", "Composed music beside human works", _panel),
    ("attack", "Openings of training works as prompts", _attack),
)
"""What is told only of a full evaluation: its key, its heading, and how."""


def _shown(interval: dict[str, float] | None, digits: int = 2) -> str:
    if interval is None:
        return "–"
    value, low, high = (f"{interval[name]:.{digits}f}" for name in ("value", "low", "high"))
    return f"{value} [{low}, {high}]"


def lineage(config: dict[str, Any]) -> list[tuple[int, dict[str, Any]]]:
    """The runs that made a model, the first one first: how many layers it had, and what is told of the run."""
    facts, layers = config["training"], config["model"]["layers"]
    found = [(layers, facts)]
    while "origin" in facts:
        layers, facts = facts["origin"]["layers"], facts["origin"]["training"]
        found.insert(0, (layers, facts))
    return found


def _training(runs: list[tuple[int, dict[str, Any]]]) -> str:
    lines: list[str] = []
    for layers, facts in runs:
        minutes, positions = facts["seconds"] / 60, facts["positions"] / 1e6
        lines.append(
            f"{'With' if not lines else 'Then with'} {layers} layers {positions:.1f} million positions in "
            f"{facts['step']:,} steps and {minutes:.0f} minutes on {facts['machine']}; the training loss ended at "
            f"{facts['bits']:.3f} bits a position."
        )
    return " ".join((*lines, "Matrices were trained by Muon, the rest by AdamW."))


def _reproduce(runs: list[tuple[int, dict[str, Any]]], name: str) -> str:
    stages, before = [], ""
    for index, (layers, facts) in enumerate(runs):
        out = f"models/{name}" + f"-{index + 1}" * (index < len(runs) - 1)
        for number, stage in enumerate(facts["stages"]):
            begun = " --resume" if number else f" --start {before} --layers {layers}" if before else ""
            options = "".join(f" --{option} {stage[option]:g}" for option in OPTIONS if option in stage)
            stages.append(f"radio train --data data/corpus --out {out}{begun} --fuse{options}")
        before = out
    commands = (
        "radio corpus build CORPUS -o data/corpus",
        *stages,
        f"radio evaluate models/{name} --data data/corpus",
    )
    return "\n".join(("```sh", *commands, "```", "", _CLOCK))


_CLOCK = "The schedule follows the clock, so another machine sees more or less music in the same time."
