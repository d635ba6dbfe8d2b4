"""What `radio compose`, `corpus build`, `train` and `evaluate` do, with progress bars and tables."""

from __future__ import annotations

import json
import os
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from radio.composer import card, corpus, endurance, guard, planner, plots, weights
from radio.composer.apart import Apart, tell_apart
from radio.composer.attack import attack
from radio.composer.compose import compose as compose_pieces
from radio.composer.compose import of_length
from radio.composer.constancy import MINUTES, Ear
from radio.composer.endurance import Endurance
from radio.composer.evaluate import KINDS, Figures, bits_per_note
from radio.composer.growth import deepened
from radio.composer.kit import panel as kit
from radio.composer.kit.bootstrap import Interval
from radio.composer.kit.fidelity import Fidelity, Labelled, fit, tabulate
from radio.composer.kit.panel import Panel
from radio.composer.model import ModelConfig, Transformer
from radio.composer.swap import tag_swaps
from radio.composer.train import SLOT_NAMES, TrainConfig, Trainer
from radio.composer.train import Progress as Standing
from radio.config import ChannelConfig, Config
from radio.errors import ConfigError
from radio.music import smf
from radio.music.score import Bar, Piece
from radio.music.tokens import plain

console = Console(stderr=True)


def _bar(*, count: bool = True) -> Progress:
    columns = [SpinnerColumn(), TextColumn("{task.description}"), BarColumn()]
    return Progress(*columns, *([MofNCompleteColumn()] if count else []), TimeRemainingColumn(), console=console)


def compose(config: Config, channel: ChannelConfig, pieces: int, bars: int | None, output: Path) -> None:
    """Writes pieces of a channel as MIDI files named by number and title."""
    seed = secrets.randbits(31) if config.station.seed is None else config.station.seed
    torch.set_num_threads(config.station.threads)
    if bars is not None:
        channel = of_length(channel, bars)
    output.mkdir(parents=True, exist_ok=True)
    done = 0
    with _bar() as progress:
        writing = progress.add_task(f"{channel.title}, seed {seed}: bars", total=None)
        task = progress.add_task("pieces", total=pieces)
        for item in compose_pieces(config.station.model, channel, pieces, seed, device=_device(config.station.device)):
            if isinstance(item, Bar):
                progress.advance(writing)
                continue
            done += 1
            path = output / f"{channel.name}-{done:03d}-{plain(item.title)[:60]}.mid"
            smf.write(item, path)
            progress.advance(task)
            progress.console.print(f"{path}  {item.title}, {len(item.bars)} bars, {_clock(item)}", highlight=False)


def _clock(piece: Piece) -> str:
    return f"{int(piece.seconds) // 60}:{int(piece.seconds) % 60:02d}"


def _device(asked: str) -> str:
    if asked == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if asked == "cuda" and not torch.cuda.is_available():
        raise ConfigError(["device: cuda asked for, but torch finds no CUDA device; use auto or cpu"])
    return asked


def corpus_build(folder: Path, output: Path, workers: int) -> None:
    """Turns a corpus folder into training data."""
    with _bar() as progress:
        task = progress.add_task("files", total=None)
        kept, skipped = corpus.build(
            folder,
            output,
            workers=workers,
            progress=lambda done, total: progress.update(task, completed=done, total=total),
        )
    console.print(f"{kept} pieces in {output}; {skipped} files skipped, see {output / 'skipped.json'}")


def train(
    data: Path,
    output: Path,
    config: TrainConfig,
    *,
    start: Path | None,
    layers: int | None,
    resume: bool,
    device: str,
    threads: int | None,
    fuse: bool,
) -> None:
    """Trains a model on the data, with a line and a picture of how far it is."""
    if threads:
        torch.set_num_threads(threads)
    found = corpus.Corpus.load(data)
    torch.manual_seed(config.seed)
    source = output if resume and (output / weights.CONFIG).is_file() else start
    model, origin = _beginning(source, None if source == output else layers)
    trainer = Trainer(found, model.to(_device(device)), config, output, origin=origin)
    if fuse:
        trainer.fuse()
    if resume and not trainer.resume():
        console.print(f"{trainer.checkpoint}: no such file; a new run begins")
    with _bar(count=False) as progress:
        task = progress.add_task("training", total=60 * config.minutes, completed=int(trainer.progress.seconds))

        def report(standing: Standing, by_slot: dict[str, float]) -> None:
            progress.update(task, completed=standing.seconds, description=f"{standing.bits:.2f} bits a position")
            progress.console.print(_line(standing, by_slot), highlight=False)

        trainer.run(report)
    with console.status("plans, limits and the index of the training works"):
        planner.save(output, found)
        guard.save(output, found)
    plots.curve(output)
    console.print(f"{output}: trained for {trainer.progress.positions:,} positions")


def _beginning(source: Path | None, layers: int | None) -> tuple[Transformer, dict[str, Any] | None]:
    """What training begins with, and what is to be told of where it is from: a new model, or one that was trained."""
    if source is None:
        shape = ModelConfig()
        return Transformer(replace(shape, layers=layers or shape.layers)), None
    model = weights.load(source).requires_grad_(True).train()
    origin = {"model": weights.digest(source), "layers": model.config.layers, "training": weights.facts(source)}
    try:
        return (deepened(model, layers) if layers else model), origin
    except ValueError as error:
        raise ConfigError([f"train: --{error}"]) from error


def _line(standing: Standing, by_slot: dict[str, float]) -> str:
    slots = " ".join(f"{name} {by_slot[name]:.2f}" for name in SLOT_NAMES)
    return f"step {standing.step:6d}  {standing.bits:6.3f} bits a position ({slots})  {standing.rate:,.0f} positions/s"


def evaluate(
    model: Path,
    data: Path,
    channels: Sequence[ChannelConfig],
    apart: tuple[str, str],
    pieces: int,
    seed: int,
    keep: Path | None,
    output: Path | None,
    *,
    quick: bool = False,
) -> None:
    """Measures a model on the works that were kept back, and the music it composes beside them; writes its card.

    `quick`: composes for the two channels of `apart` alone, and leaves out what is beside human works.
    """
    found = corpus.Corpus.load(data)
    transformer = weights.load(model)
    began = time.monotonic()
    if quick:
        channels = [channel for channel in channels if channel.name in apart]
    with _bar() as progress:
        task = progress.add_task("bits a note: styles", total=None)
        figures = bits_per_note(
            transformer, found, seed=seed, progress=lambda d, n: progress.update(task, completed=d, total=n)
        )
        composed = _composed(model, channels, pieces, seed, keep, progress)
    by_name = {channel.name: (channel, own) for channel, own in zip(channels, composed, strict=True)}
    told = tell_apart(found, by_name[apart[0]], by_name[apart[1]], seed)
    generated = [
        Labelled(channel.prefix.style, f"{channel.name} {number}", piece.bars, channel.name)
        for channel, own in by_name.values()
        for number, piece in enumerate(own)
    ]
    console.print(_bits_table(figures), _apart_text(told), sep="\n")
    fields: dict[str, Any] = {
        "bits_per_note": {style: asdict(own) for style, own in figures.items()},
        "apart": asdict(told),
    }
    target = output or model / card.EVALUATION
    if not quick:
        styles = planner.load(model)
        seen = _panel(generated, {own.name: planner.Planner(own, styles) for own in channels}, found, seed)
        console.print(_panel_table(seen))
        fields["panel"] = seen.to_json()
        told_styles = sorted({own.prefix.style for own in channels})
        fields["attack"] = _attacks(model, found, told_styles, seed)
        fields["tag_swap"] = kit.plain(_swaps(model, found, told_styles, seed))
        plots.page(fields["panel"], target.with_name(plots.PAGE))
    fields["seconds"] = round(time.monotonic() - began)
    target.write_text(json.dumps(fields, indent=1) + "\n", encoding="utf-8")
    if output is None:
        card.write(model, found)
    console.print(f"figures in {target}")


def evaluate_music(music: Path, data: Path, seed: int, output: Path | None) -> None:
    """Measures a folder of MIDI files, whoever composed them, beside human works."""
    generated = kit.folder(music)
    seen = _panel(generated, {}, corpus.Corpus.load(data), seed)
    console.print(_panel_table(seen))
    target = output or music / card.EVALUATION
    target.write_text(json.dumps({"panel": seen.to_json()}, indent=1) + "\n", encoding="utf-8")
    plots.page(seen.to_json(), target.with_name(plots.PAGE))
    console.print(f"figures in {target}, plots in {target.with_name(plots.PAGE)}")


def evaluate_hours(
    model: Path,
    channels: Sequence[ChannelConfig],
    hours: float,
    seed: int,
    output: Path | None,
    *,
    guarded: bool,
    data: Path | None,
) -> None:
    """Composes hours of every channel and says whether any collapses or drifts; with data, whether its style lasts."""
    target = output or model / ("endurance.json" if guarded else "endurance-unguarded.json")
    ear = Ear(corpus.Corpus.load(data), seed) if data else None
    with _bar(count=False) as progress:
        task = progress.add_task("music", total=3600 * hours * len(channels))
        found = endurance.run(
            model, channels, hours, seed, target, guarded=guarded, ear=ear,
            progress=lambda name, seconds: progress.update(task, advance=seconds, description=name),
        )  # fmt: skip
    table = Table(title=f"{hours:g} hours of each channel, {'guarded' if guarded else 'unguarded'}")
    for column in ("channel", "pieces", "collapses", "first after", "drifted"):
        table.add_column(column, justify="left" if column in ("channel", "drifted") else "right")
    for name, own in found.items():
        first = "–" if own.first is None else f"{own.first:.2f} h"
        events = ", ".join(f"{count} {kind}" for kind, count in own.collapses.items()) or "none"
        table.add_row(name, str(own.pieces), events, first, ", ".join(own.drifted) or "nothing")
    console.print(table)
    if ear:
        _tell_constancy(ear, {own.name: own.prefix.style for own in channels}, found, target, seed)
    console.print(f"figures in {target}")


def _tell_constancy(
    ear: Ear, style_of: Mapping[str, str], found: Mapping[str, Endurance], target: Path, seed: int
) -> None:
    """Prints style fidelity by minute, and adds it to the figures in `target`."""
    table = Table(title="style fidelity of excerpts")
    table.add_column("channel")
    told: dict[str, Fidelity] = {}
    for minute in map(str, MINUTES):
        taken = {name: own.taken[minute] for name, own in found.items() if own.taken and len(own.taken[minute]) > 1}
        if taken:
            told[minute] = ear.fidelity({name: style_of[name] for name in taken}, taken, seed)
            table.add_column(f"minute {minute}", justify="right")
    for name in found:
        own = [fidelity.groups.get(name) for fidelity in told.values()]
        table.add_row(name, *(str(figures.fidelity) if figures else "–" for figures in own))
    table.add_row("mean", *(str(fidelity.mean.fidelity) for fidelity in told.values()))
    console.print(table)
    fields = json.loads(target.read_text(encoding="utf-8"))
    fields["fidelity"] = {minute: kit.plain(fidelity) for minute, fidelity in told.items()}
    target.write_text(json.dumps(fields, indent=1) + "\n", encoding="utf-8")


def _composed(
    model: Path, channels: Sequence[ChannelConfig], pieces: int, seed: int, keep: Path | None, progress: Progress
) -> list[list[Piece]]:
    """Pieces of each channel; `keep` is given them as MIDI files, in a folder for each style."""
    task = progress.add_task("composing: pieces", total=pieces * len(channels))
    found: list[list[Piece]] = []
    for channel in channels:
        found.append([])
        for item in compose_pieces(model, channel, pieces, seed, abreast=16):
            if isinstance(item, Bar):
                continue
            found[-1].append(item)
            progress.advance(task)
            if keep is not None:
                folder = keep / channel.prefix.style
                folder.mkdir(parents=True, exist_ok=True)
                smf.write(item, folder / f"{channel.name}-{len(found[-1]):03d}-{plain(item.title)[:60]}.mid")
    return found


def _attacks(model: Path, found: corpus.Corpus, styles: Sequence[str], seed: int) -> dict[str, Any]:
    """How much of training works follows their openings, with the guard and without, by style."""
    with _bar() as progress:
        task = progress.add_task("attacks by prompt: styles", total=2 * len(styles))
        return {
            name: kit.plain(
                attack(model, found, styles, seed, guarded=guarded, progress=lambda _: progress.advance(task))
            )
            for name, guarded in (("guarded", True), ("unguarded", False))
        }


def _swaps(model: Path, found: corpus.Corpus, styles: Sequence[str], seed: int) -> Interval:
    """How much likelier the right tag makes its style than another."""
    with _bar() as progress:
        task = progress.add_task("tags swapped: styles", total=len(styles))
        judge = fit(tabulate(kit.works(found, validation=False, seed=seed), seed=seed))
        return tag_swaps(model, found, judge, styles, seed, progress=lambda _: progress.advance(task))


def _panel(
    generated: Sequence[Labelled], planners: Mapping[str, planner.Planner], found: corpus.Corpus, seed: int
) -> Panel:
    with _bar() as progress:
        task = progress.add_task("beside human works", total=None)
        held_out, train = kit.works_for(found, planners, seed=seed)
        return kit.panel(
            generated, held_out, train, kit.all_runs(found), seed=seed, workers=os.cpu_count() or 1,
            progress=lambda doing, done, total: progress.update(
                task, completed=done, total=total, description=f"beside human works, {doing}"
            ),
        )  # fmt: skip


def _panel_table(seen: Panel) -> Table:
    table = Table(title="composed music beside human works")
    columns = ("channel", "fidelity", "AUC (human)", "Fréchet ratio", "recurrence (human)", "longest run (human)")
    for column in columns:
        table.add_column(column, justify="left" if column == "channel" else "right")
    for group, own in seen.groups.items():
        told = seen.fidelity.groups.get(group) if seen.fidelity else None
        near, again, runs = own.against, own.figures["recurrence"], own.memory.longest
        table.add_row(
            group,
            str(told.fidelity) if told else "–",
            f"{near.generated.told.auc.value:.2f} ({near.floor.auc})" if near else "–",
            str(near.ratio) if near else "–",
            *(
                f"{beside.generated.value:.{digits}f} ({beside.human.value:.{digits}f})"
                if beside.generated and beside.human
                else "–"
                for beside, digits in ((again, 2), (runs, 0))
            ),
        )
    return table


def _apart_text(told: Apart) -> str:
    return (
        f"{told.channels[0]} and {told.channels[1]}: a classifier fitted on the corpus tells {told.right} of "
        f"{told.pieces} pieces right ({told.right / told.pieces:.2f}; real works kept back: {told.real:.2f})"
    )


def _bits_table(figures: dict[str, Figures]) -> Table:
    table = Table(title="bits a note on works kept back, by prefix")
    for column in ("style", "pieces", "notes", *KINDS, "best"):
        table.add_column(column, justify="left" if column == "style" else "right")
    for style, own in figures.items():
        best = min(own.bits, key=lambda kind: own.bits[kind])
        bits = (f"{own.bits[kind]:.3f}" if kind in own.bits else "–" for kind in KINDS)
        table.add_row(style, str(own.pieces), str(own.notes), *bits, best)
    mean = [[own.bits[kind] for own in figures.values() if kind in own.bits] for kind in KINDS]
    table.add_row("mean", "", "", *(f"{np.mean(values):.3f}" if values else "–" for values in mean), "")
    return table
