"""What `radio evaluate` does, with progress bars and tables."""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.table import Table

from radio.composer import card, corpus, endurance, planner, plots, weights
from radio.composer.apart import Apart, tell_apart
from radio.composer.attack import attack
from radio.composer.compose import compose as compose_pieces
from radio.composer.constancy import MINUTES, Ear
from radio.composer.endurance import Endurance
from radio.composer.evaluate import KINDS, Figures, bits_per_note
from radio.composer.kit import panel as kit
from radio.composer.kit.bootstrap import Interval
from radio.composer.kit.fidelity import Fidelity, Labelled, fit, tabulate
from radio.composer.kit.panel import Panel
from radio.composer.model import Transformer
from radio.composer.shown import bar, console
from radio.composer.swap import tag_swaps
from radio.composer.unfinished import Unfinished
from radio.music import smf
from radio.music.score import Piece
from radio.music.tokens import plain
from radio.settings import ChannelConfig


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

    One that was stopped goes on after the last part that was measured.

    `quick`: composes for the two channels of `apart` alone, and leaves out what is beside human works.
    """
    found = corpus.Corpus.load(data)
    if quick:
        channels = [channel for channel in channels if channel.name in apart]
    target = output or model / card.EVALUATION
    names = sorted(own.name for own in channels)
    of = {"model": weights.digest(model), "channels": names, "apart": apart, "pieces": pieces, "seed": seed}
    unfinished = Unfinished(target.with_suffix(".part"), of)
    if unfinished.parts:
        console.print(f"{unfinished.path}: goes on after {', '.join(unfinished.parts)}")
    styles = sorted({own.prefix.style for own in channels})

    @functools.cache
    def composed() -> dict[str, tuple[ChannelConfig, list[Piece]]]:
        return _composed(model, channels, pieces, seed, keep)

    parts: dict[str, Callable[[], Any]] = {
        "bits_per_note": lambda: _bits(weights.load(model), found, seed, unfinished),
        "apart": lambda: _apart(found, composed()[apart[0]], composed()[apart[1]], seed),
    }
    if not quick:
        parts |= {
            "panel": lambda: _beside(model, composed().values(), found, seed),
            "attack": lambda: _attacks(model, found, styles, seed),
            "tag_swap": lambda: kit.plain(_swaps(model, found, styles, seed)),
        }
    fields = {name: unfinished.part(name, measure) for name, measure in parts.items()}
    target.write_text(json.dumps(fields, indent=1) + "\n", encoding="utf-8")
    unfinished.close()
    if not quick:
        plots.page(fields["panel"], target.with_name(plots.PAGE))
    if output is None:
        card.write(model, found)
    console.print(f"figures in {target}")


def _bits(transformer: Transformer, found: corpus.Corpus, seed: int, unfinished: Unfinished) -> dict[str, Any]:
    with bar() as progress:
        task = progress.add_task("bits a note: styles", total=None)
        figures = bits_per_note(
            transformer,
            found,
            seed=seed,
            progress=lambda done, total: progress.update(task, completed=done, total=total),
            part=lambda style, measure: unfinished.part(f"bits of {style}", measure),
        )
    console.print(_bits_table(figures))
    return {style: asdict(own) for style, own in figures.items()}


def _apart(
    found: corpus.Corpus,
    first: tuple[ChannelConfig, Sequence[Piece]],
    second: tuple[ChannelConfig, Sequence[Piece]],
    seed: int,
) -> dict[str, Any]:
    told = tell_apart(found, first, second, seed)
    console.print(_apart_text(told))
    return asdict(told)


def _beside(
    model: Path, composed: Iterable[tuple[ChannelConfig, Sequence[Piece]]], found: corpus.Corpus, seed: int
) -> dict[str, Any]:
    """The panel of what was composed for each channel."""
    styles = planner.load(model)
    planners, generated = {}, []
    for channel, own in composed:
        planners[channel.name] = planner.Planner(channel, styles)
        generated += [
            Labelled(channel.prefix.style, f"{channel.name} {number}", piece.bars, channel.name)
            for number, piece in enumerate(own)
        ]
    seen = _panel(generated, planners, found, seed)
    console.print(_panel_table(seen))
    return seen.to_json()


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
    with bar(count=False) as progress:
        task = progress.add_task("music", total=3600 * hours * len(channels))
        found = endurance.run(
            model, channels, hours, seed, target, guarded=guarded, ear=ear, workers=os.cpu_count() or 1,
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
    model: Path, channels: Sequence[ChannelConfig], pieces: int, seed: int, keep: Path | None
) -> dict[str, tuple[ChannelConfig, list[Piece]]]:
    """Pieces of each channel, several channels side by side; `keep` is given them as MIDI files, in a folder for each
    style."""
    found: dict[str, tuple[ChannelConfig, list[Piece]]] = {}
    with bar() as progress, ProcessPoolExecutor(os.cpu_count() or 1, mp_context=get_context("spawn")) as pool:
        task = progress.add_task("composing: channels", total=len(channels))
        tasks = [(own, pool.submit(compose_for, model, own, pieces, seed, keep)) for own in channels]
        for channel, music in tasks:
            found[channel.name] = channel, music.result()
            progress.advance(task)
    return found


def compose_for(model: Path, channel: ChannelConfig, pieces: int, seed: int, keep: Path | None) -> list[Piece]:
    """Pieces of one channel, on one core."""
    torch.set_num_threads(1)
    music = compose_pieces(model, channel, pieces, seed, abreast=16)
    found = [item for item in music if isinstance(item, Piece)]
    if keep is not None:
        folder = keep / channel.prefix.style
        folder.mkdir(parents=True, exist_ok=True)
        for number, piece in enumerate(found, 1):
            smf.write(piece, folder / f"{channel.name}-{number:03d}-{plain(piece.title)[:60]}.mid")
    return found


def _attacks(model: Path, found: corpus.Corpus, styles: Sequence[str], seed: int) -> dict[str, Any]:
    """How much of training works follows their openings, with the guard and without, by style."""
    with bar() as progress:
        task = progress.add_task("attacks by prompt: styles", total=2 * len(styles))
        return {
            name: kit.plain(
                attack(model, found, styles, seed, guarded=guarded, progress=lambda _: progress.advance(task))
            )
            for name, guarded in (("guarded", True), ("unguarded", False))
        }


def _swaps(model: Path, found: corpus.Corpus, styles: Sequence[str], seed: int) -> Interval:
    """How much likelier the right tag makes its style than another."""
    with bar() as progress:
        task = progress.add_task("tags swapped: styles", total=len(styles))
        judge = fit(tabulate(kit.works(found, validation=False, seed=seed), seed=seed))
        return tag_swaps(model, found, judge, styles, seed, progress=lambda _: progress.advance(task))


def _panel(
    generated: Sequence[Labelled], planners: Mapping[str, planner.Planner], found: corpus.Corpus, seed: int
) -> Panel:
    with bar() as progress:
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
