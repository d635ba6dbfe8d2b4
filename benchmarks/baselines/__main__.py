"""Trains the baselines, measures them, and has them compose.

    python -m benchmarks.baselines train all --minutes 40
    python -m benchmarks.baselines train ours --minutes 40
    python -m benchmarks.baselines measure all --model data/baselines/ours -o data/baselines/figures.json
    python -m benchmarks.baselines compose all --model data/baselines/ours -o data/baselines/music --workers 2
    python -m benchmarks.baselines compare none --music data/baselines/music -o models/base/baselines.json

Minutes are of processor time. In place of `all` one may be named; `ours` is a model of our own, trained as they are.
`train --resume` goes on after a stop, `measure none` and `compose none` are for the model given alone, which may be the
radio's own, of another budget, and `--called` so. Figures join those that the file has; pieces that are there are not
composed again. `compare` measures what was composed with the evaluation kit; the model's card shows its file.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table

from benchmarks.baselines import ours
from benchmarks.baselines.concert import Concert, compared, give_all
from benchmarks.baselines.measure import Measured, as_json, measured, rolls, whole
from benchmarks.baselines.ours import OURS, Ours
from benchmarks.baselines.registry import BASELINES, trained
from radio.composer.corpus import Corpus
from radio.composer.train import Progress as Standing
from radio.errors import MissingError

console = Console(stderr=True)


def train(corpus: Corpus, names: Sequence[str], options: argparse.Namespace) -> None:
    """Trains some baselines one after the other, each for as long."""
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    for name in names:
        with Progress(*columns, console=console) as shown:
            task = shown.add_task(name, total=60 * options.minutes)

            def report(standing: Standing, task: TaskID = task, name: str = name, shown: Progress = shown) -> None:
                text = f"{name}: step {standing.step}, {standing.bits:.2f} bits, {standing.rate:,.0f} positions/s"
                shown.update(task, completed=standing.seconds, description=text)

            begin = ours.train if name == OURS else BASELINES[name]().train
            done = begin(
                corpus, options.minutes, options.seed, options.runs / name, resume=options.resume, report=report
            )
        console.print(f"{name}: {done.positions:,} positions in {done.seconds:,.0f} s, {done.bits:.3f} bits a position")


def measure(corpus: Corpus, names: Sequence[str], options: argparse.Namespace) -> None:
    """Measures some baselines, and our model if one is given; figures join those that the file has."""
    models: dict[str, Measured] = {name: trained(name, options.runs) for name in names}
    if options.model:
        models[options.called] = Ours(options.model)
    parts = {
        "whole": list(whole(corpus, options.budget, options.seed)),
        "roll": list(rolls(corpus, options.roll_budget, options.seed)),
    }
    figures = json.loads(options.output.read_text(encoding="utf-8")) if options.output.is_file() else {}
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    options.output.parent.mkdir(parents=True, exist_ok=True)
    with Progress(*columns, console=console) as shown:
        for name, model in models.items():
            for kind, own in parts.items():
                if kind == "roll" or model.complete:
                    task = shown.add_task(f"{name}, {kind}: styles", total=len(own))
                    found = measured(model, own, roll=kind == "roll", told=partial(shown.advance, task))
                    figures.setdefault(name, {})[kind] = as_json(found)
            options.output.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    Console().print(table(figures))


def table(figures: dict[str, dict[str, dict[str, dict[str, float]]]]) -> Table:
    """The means over styles of every model that has been measured."""
    made = Table(
        "model", "whole, right", "whole, none", "roll, right", "roll, none", title="bits a note on works kept back"
    )
    for name, own in figures.items():
        means = (
            own.get(part, {}).get("mean", {}).get(kind) for part in ("whole", "roll") for kind in ("right", "none")
        )
        made.add_row(name, *("-" if mean is None else f"{mean:.3f}" for mean in means))
    return made


def compose(corpus: Corpus, names: Sequence[str], options: argparse.Namespace) -> None:
    """Writes pieces of every style, or of one, as MIDI files."""
    for name in names:
        trained(name, options.runs)  # says what is missing before anything is composed
    styles = [options.style] if options.style else sorted({e.style for e in corpus.split(validation=False)})
    concerts = [
        Concert(
            name, style, options.pieces, options.bars, options.seed, options.data, options.runs, options.model,
            options.output,
        )
        for name in (*names, *([options.called] if options.model else []))
        for style in styles
    ]  # fmt: skip
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as shown:
        task = shown.add_task("concerts", total=len(concerts))
        give_all(concerts, options.workers, lambda done: shown.update(task, advance=1, description=done))


def compare(corpus: Corpus, names: Sequence[str], options: argparse.Namespace) -> None:
    """Measures all that was composed, and writes the table of the model's card."""
    with Progress(TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn(), console=console) as shown:
        task = shown.add_task("music", total=None)
        found = compared(
            corpus, options.music, options.figures, seed=options.seed,
            told=lambda doing, done, total: shown.update(task, description=doing, completed=done, total=total),
        )  # fmt: skip
    options.output.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    console.print(f"figures in {options.output}")


def arguments(words: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--data", type=Path, default=Path("data"), help="training data")
    shared.add_argument("--runs", type=Path, default=Path("data/baselines"), help="where baselines are kept")
    shared.add_argument("--seed", type=int, default=1)
    shared.add_argument("--threads", type=int, default=0, help="threads of torch; 0: as many as it likes")
    parser = argparse.ArgumentParser(prog="python -m benchmarks.baselines", description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    training = commands.add_parser("train", parents=[shared])
    training.add_argument("name", choices=[*BASELINES, "all", OURS], help="a baseline, all, or our own model")
    training.add_argument("--minutes", type=float, required=True, help="of processor time, for each")
    training.add_argument("--resume", action="store_true", help="go on from the checkpoint")
    named = argparse.ArgumentParser(add_help=False)
    named.add_argument("name", choices=[*BASELINES, "all", "none"], help="a baseline, all, or none")
    own = argparse.ArgumentParser(add_help=False)
    own.add_argument("--model", type=Path, help="a folder of a model of ours, to be given too")
    own.add_argument("--called", default=OURS, help="what it is called in figures and folders (default: %(default)s)")
    measuring = commands.add_parser("measure", parents=[named, own, shared])
    measuring.add_argument("--budget", type=int, default=12000, help="positions a style")
    measuring.add_argument("--roll-budget", type=int, default=4000, help="positions a style, as piano rolls")
    measuring.add_argument("-o", "--output", type=Path, default=Path("data/baselines/figures.json"))
    composing = commands.add_parser("compose", parents=[named, own, shared])
    composing.add_argument("--style", help="one alone")
    composing.add_argument("--pieces", type=int, default=12, help="of each style")
    composing.add_argument("--bars", type=int, default=32, help="of each piece")
    composing.add_argument("--workers", type=int, default=1, help="processes")
    composing.add_argument("-o", "--output", type=Path, required=True, help="folder")
    comparing = commands.add_parser("compare", parents=[named, shared])
    comparing.add_argument("--music", type=Path, default=Path("data/baselines/music"), help="what `compose` wrote")
    comparing.add_argument("--figures", type=Path, default=Path("data/baselines/figures.json"), help="of `measure`")
    comparing.add_argument("-o", "--output", type=Path, required=True, help="file")
    return parser.parse_args(words)


def main(words: Sequence[str] | None = None) -> int:
    """Runs the command; 1 if something was missing."""
    options = arguments(sys.argv[1:] if words is None else words)
    if options.threads:
        torch.set_num_threads(options.threads)
    names = {"all": list(BASELINES), "none": []}.get(options.name, [options.name])
    try:
        corpus = Corpus.load(options.data)
        {"train": train, "measure": measure, "compose": compose, "compare": compare}[options.command](
            corpus, names, options
        )
    except MissingError as error:
        console.print(f"error: {error}", highlight=False)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
