"""What parts of the composer are worth: the same channels composed with a part changed or left out, one at a time.

    python benchmarks/ablations.py MODEL DATA [--pieces N] [--channels C ...] [--only VARIANT ...]
        [--beside MODEL ...] [-o FILE]

DATA is made by `radio corpus build`. Each variant composes N pieces (default 12) of every channel named (default: one
of each kind of music), and the evaluation kit sets them beside human works. Figures are means over the channels, with
the human works' where they have one. `--beside` adds other models: another size, another recipe.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from statistics import mean
from typing import Any

import torch
from measuring import show

from radio.composer import planner
from radio.composer.compose import compose
from radio.composer.corpus import Corpus
from radio.composer.kit import panel as kit
from radio.composer.kit.fidelity import Labelled
from radio.config import load
from radio.music.score import Bar, Piece
from radio.settings import ChannelConfig

CHANNELS = ("bach", "chopin", "quartets", "folk", "ragtime", "jazz", "hymns", "lofi")
SAMPLING = (("guidance", 1.0), ("guidance", 1.5), ("guidance", 2.5), ("temperature", 0.9), ("temperature", 0.95))
WHOLE = "as on the air"


def unchanged(channel: ChannelConfig) -> ChannelConfig:
    """The channel as it is."""
    return channel


@dataclass(frozen=True)
class Variant:
    """A way to compose."""

    name: str
    model: Path
    change: Callable[[ChannelConfig], ChannelConfig] = unchanged
    """Can be pickled, for the process that composes."""
    guarded: bool = True


def variants(model: Path, beside: Sequence[Path], folder: Path) -> Iterator[Variant]:
    """All of them; changed models are made in `folder`."""
    yield Variant(WHOLE, model)
    for name, value in SAMPLING:
        yield Variant(f"{name} {value:g}", model, Sampled(name, value))
    yield Variant("without repeat distances", without_repeats(model, folder / "without"))
    yield Variant("without the guard", model, guarded=False)
    for other in beside:
        yield Variant(f"model {other.name}", other)


@dataclass(frozen=True)
class Sampled:
    """Sets how every channel draws."""

    name: str
    """A field of SamplingConfig."""
    value: float

    def __call__(self, channel: ChannelConfig) -> ChannelConfig:
        return replace(channel, sampling=replace(channel.sampling, **{self.name: self.value}))


def without_repeats(model: Path, folder: Path) -> Path:
    """A model of the same weights whose plans say of no bar which one it resembles."""
    folder.mkdir()
    for file in model.iterdir():
        (folder / file.name).symlink_to(file.resolve())
    styles = json.loads((model / planner.PLANS).read_text(encoding="utf-8"))
    for style in styles.values():
        for plan in style["plans"]:
            plan["repeats"] = [0] * len(plan["repeats"])
    (folder / planner.PLANS).unlink()
    (folder / planner.PLANS).write_text(json.dumps(styles), encoding="utf-8")
    return folder


def composed(variant: Variant, channel: ChannelConfig, pieces: int) -> list[tuple[Bar, ...]]:
    """Pieces of one channel; one thread, so that several can be composed side by side."""
    torch.set_num_threads(1)
    music = compose(variant.model, variant.change(channel), pieces, 1, abreast=pieces, guarded=variant.guarded)
    return [item.bars for item in music if isinstance(item, Piece)]


def figures(panel: dict[str, Any]) -> dict[str, float | None]:
    """The means over the channels that have the figure."""
    groups = panel["groups"].values()

    def over(pick: Callable[[dict[str, Any]], float]) -> float | None:
        found = []
        for group in groups:
            try:
                found.append(pick(group))
            except TypeError:  # a figure that the group does not have is null
                continue
        return mean(found) if found else None

    told: dict[str, float | None] = {
        "fidelity": panel["fidelity"] and panel["fidelity"]["mean"]["fidelity"]["value"],
        "AUC": over(lambda group: group["against"]["generated"]["told"]["auc"]["value"]),
    }
    for name in ("recurrence", "loops", "adherence", "returns", "entropy of four bars"):
        for side, label in (("generated", name), ("human", f"{name}, human")):
            told[label] = over(lambda group, name=name, side=side: group["figures"][name][side]["value"])
    for side, label in (("generated", "longest run"), ("human", "longest run, human")):
        told[label] = over(lambda group, side=side: group["memory"]["longest"][side]["value"])
    return told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0] if __doc__ else "")
    parser.add_argument("model", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--pieces", type=int, default=12, metavar="N")
    parser.add_argument("--channels", nargs="+", default=CHANNELS, metavar="C")
    parser.add_argument("--only", nargs="+", default=[], metavar="VARIANT", help="leave out the other variants")
    parser.add_argument("--beside", nargs="+", type=Path, default=[], metavar="MODEL")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, metavar="N")
    parser.add_argument("-o", "--output", type=Path, help="for the figures, as JSON")
    arguments = parser.parse_args()
    config = load()
    channels = [config.channel(name) for name in arguments.channels]
    corpus = Corpus.load(arguments.data)
    styles = planner.load(arguments.model)
    held_out, train = kit.works_for(corpus, {own.name: planner.Planner(own, styles) for own in channels})
    runs = kit.all_runs(corpus)
    found: dict[str, dict[str, float | None]] = {}
    with (
        tempfile.TemporaryDirectory() as folder,
        ProcessPoolExecutor(arguments.workers, mp_context=get_context("spawn")) as pool,
    ):
        for variant in variants(arguments.model, arguments.beside, Path(folder)):
            if arguments.only and variant.name not in (WHOLE, *arguments.only):
                continue
            tasks = [pool.submit(composed, variant, channel, arguments.pieces) for channel in channels]
            music = [
                Labelled(channel.prefix.style, f"{channel.name} {number}", bars, channel.name)
                for channel, task in zip(channels, tasks, strict=True)
                for number, bars in enumerate(task.result())
            ]
            seen = kit.panel(music, held_out, train, runs, workers=arguments.workers)
            found[variant.name] = figures(seen.to_json())
            names = [name for name in found[variant.name] if not name.endswith(", human")]
            rows = [[name, *("–" if own[key] is None else own[key] for key in names)] for name, own in found.items()]
            human = found[WHOLE]
            show(
                f"{len(channels)} channels, {arguments.pieces} pieces of each",
                ("composed", *names),
                [*rows, ["human works", *(human.get(f"{name}, human") or "–" for name in names)]],
            )
            if arguments.output:
                fields = {"channels": list(arguments.channels), "pieces": arguments.pieces, "variants": found}
                arguments.output.write_text(json.dumps(fields, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
