"""A model's card: what it is, what it was trained on, under which licences, and its figures."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from radio import licences
from radio.composer import sections
from radio.composer.corpus import Corpus
from radio.composer.guard import INDEX
from radio.composer.originality import Index
from radio.composer.plots import CURVE
from radio.composer.train import OPTIONS
from radio.composer.weights import CONFIG, WEIGHTS
from radio.licences import Origin

CARD, EVALUATION, NOTES = "README.md", "evaluation.json", "notes.md"
BESIDE = {
    "baselines": "baselines.json",
    "ablations": "ablations.json",
    "endurance": "endurance.json",
    "unguarded": "endurance-unguarded.json",
}
"""Files of figures that other commands make, by what they are called among the figures."""


def write(folder: Path, corpus: Corpus) -> None:
    """Writes the card from the folder's config.json, evaluation.json, what else was measured, and notes.md."""
    config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    figures = json.loads((folder / EVALUATION).read_text(encoding="utf-8"))
    for name, file in BESIDE.items():
        if (folder / file).is_file():
            figures[name] = json.loads((folder / file).read_text(encoding="utf-8"))
    notes = [(folder / NOTES).read_text(encoding="utf-8").strip()] if (folder / NOTES).is_file() else []
    origins = _origins(folder, corpus)
    licences.write(folder, origins)
    size = (folder / WEIGHTS).stat().st_size / 1e6
    text = "\n\n".join(
        (
            f"# Model `{folder.name}`",
            _about(config, size),
            "## Data and licences\n\n" + _data(corpus, origins),
            "## Bits a note on works kept back\n\n" + sections.bits(figures["bits_per_note"]),
            "## Telling channels apart\n\n" + sections.apart(figures["apart"]),
            *(f"## {title}\n\n" + tell(figures[key]) for key, title, tell in sections.MEASURED if key in figures),
            f"## Training\n\n![Training loss by slot]({CURVE})\n\n" + _training(lineage(config)),
            "## How to reproduce it\n\n" + _reproduce(lineage(config), folder.name),
            *notes,
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


def _origins(folder: Path, corpus: Corpus) -> dict[str, Origin]:
    """What the model knows of each style, and from whom."""
    entries = corpus.split(validation=False)
    index = Index.load(folder / INDEX) if (folder / INDEX).is_file() else None
    longest = {style: index.limit(style) for style in {entry.style for entry in entries}} if index else {}
    return licences.counted(((entry.style, entry.source, entry.licence) for entry in entries), longest)


def _data(corpus: Corpus, origins: Mapping[str, Origin]) -> str:
    counts: Counter[str] = Counter()
    pieces: Counter[str] = Counter()
    for entry in corpus.entries:
        counts[entry.style] += entry.count
        pieces[entry.style] += 1
    lines = ["| style | pieces | positions |", "|---|---:|---:|"]
    lines += [f"| {style} | {pieces[style]:,} | {counts[style]:,} |" for style in sorted(counts)]
    total = f"| **all** | {sum(pieces.values()):,} | {sum(counts.values()):,} |"
    kept = ["", "| style | trained on | source | licence |", "|---|---:|---|---|"]
    for style, origin in origins.items():
        kept += [f"| {style} | {own.pieces:,} | {own.source} | {own.licence} |" for own in origin.sources]
    return "\n".join((*lines, total, *kept, "", _ATTRIBUTION))


_ATTRIBUTION = """The works are in the public domain or openly licensed; what the encodings ask for travels with this
model: piano-midi.de (Bernd Krueger, CC BY-SA 3.0 DE); "First Editions of Fryderyk Chopin's Music" and "Polish Music
Heritage in Open Access" (Fryderyk Chopin Institute, CC BY 4.0); the Mutopia Project (public domain, CC BY, CC BY-SA by
piece); OpenScore Lieder and String Quartets (CC0); Groove MIDI Dataset (Google LLC, CC BY 4.0), also in the lo-fi drum
loops; OpenEWLD (F. Simonetta, MIT) for jazz and songbook lead sheets; Nottingham dataset (Jukedeck, GPL-3.0, tunes
traditional); the music21 corpus (Bach chorales, O'Neill's and Ryan's collections: old music, encodings distributed by
permission without a formal licence); Freedoom (BSD-3-Clause), OpenMSX (GPL-2.0) and Simutrans (Artistic-1.0) game
music. House, ambient and most lo-fi pieces were made by rule for the corpus (CC0). Some jazz and songbook songs are in
the public domain in the United States but may be protected elsewhere."""


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
        if blend := facts.get("blend", ()):
            minutes_of = ", ".join(f"{part['minutes']:g}" for part in blend)
            lines.append(f"The weights are the mean of those at the ends of cycles, after minutes {minutes_of}.")
    return " ".join((*lines, "Matrices were trained by Muon, the rest by AdamW."))


def _reproduce(runs: list[tuple[int, dict[str, Any]]], name: str) -> str:
    stages, before = [], ""
    for index, (layers, facts) in enumerate(runs):
        out = f"models/{name}" + f"-{index + 1}" * (index < len(runs) - 1)
        blend = [f"{part['minutes']:g}" for part in facts.get("blend", ())]
        for number, stage in enumerate(facts["stages"]):
            begun = " --resume" if number else f" --start {before} --layers {layers}" if before else ""
            options = "".join(f" --{option} {stage[option]:g}" for option in OPTIONS if option in stage)
            stages.append(f"radio train --data data/corpus --out {out}{begun} --fuse{options}")
            if f"{stage['minutes']:g}" in blend:
                stages.append(f"cp -r {out} {out}.{stage['minutes']:g}")
        if blend:
            stages.append("radio blend " + " ".join(f"{out}.{own}" for own in blend) + f" -o {out}")
        before = out
    commands = (
        "radio corpus build CORPUS -o data/corpus",
        *stages,
        f"radio evaluate models/{name} --data data/corpus",
    )
    return "\n".join(("```sh", *commands, "```", "", _CLOCK))


_CLOCK = "The schedule follows the clock, so another machine sees more or less music in the same time."
