"""A model's card: what it is, what it was trained on, under which licences, and its figures; and its learning curve."""

from __future__ import annotations

import csv
import json
from collections import Counter
from pathlib import Path
from typing import Any

from radio.composer.corpus import Corpus
from radio.composer.evaluate import KINDS
from radio.composer.train import OPTIONS
from radio.composer.weights import CONFIG, WEIGHTS
from radio.errors import MissingError

CARD, CURVE, EVALUATION = "README.md", "curve.png", "evaluation.json"


def curve(folder: Path) -> None:
    """Draws `curve.csv` as a picture.

    Raises:
        MissingError: matplotlib is not installed.
    """
    try:
        import matplotlib

        matplotlib.use("agg")
        from matplotlib import pyplot
    except ImportError as error:
        raise MissingError("matplotlib is not installed; run `pip install matplotlib`") from error
    with (folder / "curve.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    positions = [int(row["positions"]) / 1e6 for row in rows]
    figure, axes = pyplot.subplots(figsize=(8, 4.5), layout="constrained")
    names = [name for name in rows[0] if name not in ("step", "seconds", "positions", "bits")]
    bottom = [0.0] * len(rows)
    for name in names:
        top = [b + float(row[name]) for b, row in zip(bottom, rows, strict=True)]
        axes.fill_between(positions, bottom, top, label=name, alpha=0.75, linewidth=0)
        bottom = top
    axes.set(xlabel="million positions", ylabel="bits a position", xlim=(0, positions[-1]), ylim=(0, 20))
    axes.set_title("Training loss by slot")
    handles, labels = axes.get_legend_handles_labels()
    axes.legend(handles[::-1], labels[::-1], frameon=False)
    figure.savefig(folder / CURVE, dpi=110)
    pyplot.close(figure)


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
            f"## Training\n\n![Training loss by slot]({CURVE})\n\n" + _training(config["training"]),
            "## How to reproduce it\n\n" + _reproduce(config["training"], folder.name),
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


def _training(facts: dict[str, Any]) -> str:
    minutes, positions = facts["seconds"] / 60, facts["positions"] / 1e6
    return (
        f"{positions:.1f} million positions in {facts['step']:,} steps and {minutes:.0f} minutes on "
        f"{facts['machine']}; matrices by Muon, the rest by AdamW. The training loss ended at "
        f"{facts['bits']:.3f} bits a position."
    )


def _reproduce(facts: dict[str, Any], name: str) -> str:
    stages = [
        f"radio train --data data/corpus --out models/{name} --fuse"
        + "".join(f" --{option} {stage[option]:g}" for option in OPTIONS if option in stage)
        + (" --resume" if number else "")
        for number, stage in enumerate(facts["stages"])
    ]
    commands = (
        "radio corpus build CORPUS -o data/corpus",
        *stages,
        f"radio evaluate models/{name} --data data/corpus",
    )
    return "\n".join(("```sh", *commands, "```", "", _CLOCK))


_CLOCK = "The schedule follows the clock, so another machine sees more or less music in the same time."
