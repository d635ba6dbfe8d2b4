"""Endurance: hours of a channel's music, composed off the air, and whether it collapses, drifts or loses its style.

A channel is composed in several streams at once, each as it would be on the air from its sign-on on; channels are
composed side by side, each on a core. A result is written as soon as it is there, so that a run that was stopped goes
on where it was.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from queue import Queue
from typing import Any

import torch

from radio.composer import guard, weights
from radio.composer.compose import streams
from radio.composer.constancy import Ear
from radio.composer.kit.collapse import Limits, Survival, collapses, survival
from radio.composer.kit.longrun import REFERENCE, WINDOW, drift
from radio.composer.kit.panel import plain
from radio.errors import ModelError
from radio.music.score import Bar, Piece
from radio.settings import ChannelConfig

SHORTEST = REFERENCE + WINDOW
"""Seconds below which nothing can be said of drift."""
MOST, STREAM = 16, 1.25
"""Streams that a channel is composed in, and the hours that each is to last at least."""
ENDLESS = 1_000_000
"""Pieces, more than any run has."""
LOOK = 1.0
"""Seconds from one look at how far the channels are to the next."""

Told = Callable[[str, float], None]
"""Is given a channel and the seconds of its music composed since the last call."""


@dataclass(frozen=True, slots=True)
class Endurance:
    """What became of one channel."""

    hours: float
    pieces: int
    collapses: dict[str, int]
    """Events by kind."""
    first: float | None
    """Hours until the first, its streams taken one after the other; None if there was none."""
    drifted: dict[str, float]
    """Features that moved away from the first half hour, with their change an hour."""
    taken: dict[str, list[str]] | None = None
    """What excerpts of its streams are taken for, by minute; None: nobody asked."""


def judge(made: Sequence[tuple[int, Sequence[Bar]]], limits: Limits) -> Endurance:
    """What became of a channel: each piece with the number of its stream, in the order in which they were finished.

    Collapses are looked for in each stream, drift in all of them abreast.
    """
    events: list[tuple[float, str]] = []
    seconds = 0.0
    for stream in _by_stream(made):
        bars = [bar for piece in stream for bar in piece]
        events += [(seconds + event.seconds, event.kind) for event in collapses(bars, limits)]
        seconds += sum(bar.seconds for bar in bars)
    moved = drift([piece for _, piece in made]) if seconds >= SHORTEST else ()
    return Endurance(
        round(seconds / 3600, 3),
        len(made),
        dict(Counter(kind for _, kind in events)),
        round(min(events)[0] / 3600, 3) if events else None,
        {own.feature: round(own.slope, 4) for own in moved if own.drifted},
    )


def _by_stream(made: Sequence[tuple[int, Sequence[Bar]]]) -> list[list[Sequence[Bar]]]:
    """The pieces of each stream."""
    return [[piece for row, piece in made if row == stream] for stream in sorted({row for row, _ in made})]


def lasting(found: Sequence[Endurance]) -> Survival:
    """The Kaplan-Meier estimate of the time to a channel's first collapse."""
    return survival([(own.hours if own.first is None else own.first, own.first is not None) for own in found])


def run(
    model: Path,
    channels: Sequence[ChannelConfig],
    hours: float,
    seed: int,
    out: Path,
    *,
    guarded: bool = True,
    ear: Ear | None = None,
    workers: int = 1,
    progress: Told = lambda channel, seconds: None,
) -> dict[str, Endurance]:
    """Composes so many hours for each channel and writes what became of it to `out`, a JSON file.

    A channel that `out` already tells of, of the same model, hours, seed and guard, is not composed again.

    Args:
        ear: says what excerpts are taken for.
        workers: how many channels are composed side by side.

    Raises:
        MissingError, ModelError: the model cannot be used, or there are no limits for a channel's style.
    """
    of = {"model": weights.digest(model), "hours": hours, "seed": seed, "guarded": guarded}
    known = _known(out, of)
    limits = guard.load(model).limits
    for style in {channel.prefix.style for channel in channels} - limits.keys():
        raise ModelError(f"{model}: no limits of the style {style!r}, wanted those of every channel's style")
    for name in {channel.name for channel in channels} & known.keys():
        progress(name, 3600 * hours)
    context = get_context("spawn")
    with context.Manager() as manager, ProcessPoolExecutor(workers, mp_context=context) as pool:
        told = manager.Queue()
        tasks = {
            pool.submit(_endured, model, own, hours, seed, guarded, limits[own.prefix.style], ear, told): own.name
            for own in channels
            if own.name not in known
        }
        while tasks:
            done, _ = wait(tasks, timeout=LOOK, return_when=FIRST_COMPLETED)
            while not told.empty():
                progress(*told.get())
            for task in done:
                known[tasks.pop(task)] = task.result()
                _write(out, of, known)
    return known


def _write(out: Path, of: dict[str, Any], known: dict[str, Endurance]) -> None:
    fields = plain({**of, "channels": dict(sorted(known.items())), "survival": lasting(list(known.values()))})
    partial = out.with_suffix(".part")
    partial.write_text(json.dumps(fields, indent=1) + "\n", encoding="utf-8")
    partial.replace(out)


def _known(out: Path, of: dict[str, Any]) -> dict[str, Endurance]:
    if not out.is_file():
        return {}
    fields = json.loads(out.read_text(encoding="utf-8"))
    if any(fields.get(name) != value for name, value in of.items()):
        return {}
    return {name: Endurance(**own) for name, own in fields["channels"].items()}


def _endured(
    model: Path,
    channel: ChannelConfig,
    hours: float,
    seed: int,
    guarded: bool,
    limits: Limits,
    ear: Ear | None,
    told: Queue[tuple[str, float]],
) -> Endurance:
    """What became of one channel; on one core."""
    torch.set_num_threads(1)
    made = _compose(model, channel, hours, seed, guarded, lambda *news: told.put(news))
    own = judge(made, limits)
    return own if ear is None else replace(own, taken=ear.taken(_by_stream(made)))


def _compose(
    model: Path, channel: ChannelConfig, hours: float, seed: int, guarded: bool, progress: Told
) -> list[tuple[int, tuple[Bar, ...]]]:
    """Whole pieces, each with its stream, as they are finished, until there are so many hours of them."""
    pieces: list[tuple[int, tuple[Bar, ...]]] = []
    left = 3600 * hours
    abreast = max(1, min(MOST, int(hours / STREAM)))
    for row, item in streams(model, channel, ENDLESS, seed, abreast=abreast, guarded=guarded):
        if not isinstance(item, Piece):
            continue
        pieces.append((row, item.bars))
        left -= item.seconds
        progress(channel.name, item.seconds)
        if left <= 0:
            break
    return pieces
