"""Measures how the performer plays what the composer writes: velocities, endings and the pedal, as they are heard.

    python benchmarks/performed.py MODEL [--channels C ...] [--pieces N] [-o FILE]

Each channel's pieces (default 10) are composed and performed as on the air; the default are channels played on a
piano. A piece ends with a ritardando if its last bar is played slower than 93 % of the tempo of the bars before the
ending. The pedal goes with the harmony if what it holds together has no two pitch classes a semitone apart, and no more
than a seventh chord has.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from statistics import median

import numpy as np
import torch
from measuring import show

from radio.composer.compose import compose
from radio.config import load
from radio.music.events import BarEvent, ControlEvent, NoteEvent
from radio.music.score import Piece
from radio.studio.performer import EARLY, PEDAL, Performed, Performer
from radio.studio.touch import clash

CHANNELS = ("beethoven", "mozart", "chopin", "romantic", "dances", "ragtime", "ambient")
WITH = 2400
"""Frames: a note so shortly before the pedal is lifted is struck with what follows."""
SLOWER = 0.93
"""Share of the tempo before below which a last bar is a ritardando."""


@dataclass(frozen=True)
class Heard:
    """Figures of one piece."""

    spread: float
    """Standard deviation of the velocities."""
    levels: int
    last: float
    """Tempo of the last bar over that of the bars before the ending."""
    changes: float
    """Changes of the pedal a bar."""
    held: int
    """Times that the pedal was held, and how many of those blur."""
    blurred: int


def heard(bars: Sequence[Performed]) -> Heard:
    """Figures of a piece as it was played."""
    events = [event for bar in bars for event in bar.events]
    velocities = [event.velocity for event in events if isinstance(event, NoteEvent)]
    tempos = [line.tempo * nominal for line, nominal in zip((_line(bar) for bar in bars), _paces(bars), strict=True)]
    holds = list(_holds(bars))
    return Heard(
        float(np.std(velocities)),
        len(set(velocities)),
        tempos[-1] / median(tempos[-14:-4] or tempos),
        sum(isinstance(e, ControlEvent) and e.control == PEDAL and e.value > 0 for e in events) / len(bars),
        len(holds),
        sum(map(clash, holds)),
    )


def _line(bar: Performed) -> BarEvent:
    return next(event for event in bar.events if isinstance(event, BarEvent))


def _paces(bars: Sequence[Performed]) -> Iterator[float]:
    """How fast each bar goes, as a share of the tempo that its bar line tells."""
    for bar in bars:
        line = _line(bar)
        beats, unit = map(int, line.meter.split("/"))
        yield 60 / line.tempo * beats * 4 / unit / ((bar.end - bar.start) / 48000)


def _holds(bars: Sequence[Performed]) -> Iterator[set[int]]:
    """Pitch classes struck on a piano while each pressing of its pedal lasts."""
    events = sorted((event for bar in bars for event in bar.events), key=lambda event: event.at)
    presses = [event for event in events if isinstance(event, ControlEvent) and event.control == PEDAL]
    for lane in sorted({press.lane for press in presses}):
        struck = [(e.at, e.pitch) for e in events if isinstance(e, NoteEvent) and e.lane == lane]
        own = [press for press in presses if press.lane == lane]
        for lifted, pressed, after in zip(own, own[1:], own[2:], strict=False):
            if pressed.value:
                yield {pitch % 12 for at, pitch in struck if lifted.at - WITH <= at < after.at - WITH}


def performed(model: Path, name: str, pieces: int, seed: int) -> list[Heard]:
    """Composes and performs pieces of a channel; one thread, so that several can be heard side by side."""
    torch.set_num_threads(1)
    channel = load().channel(name)
    found = []
    for item in compose(model, channel, pieces, seed, abreast=pieces):
        if isinstance(item, Piece):
            performer = Performer(channel, item, EARLY)
            found.append(
                heard(
                    [performer.play(bar, after) for bar, after in zip(item.bars, (*item.bars[1:], None), strict=True)]
                )
            )
    return found


def row(name: str, own: Sequence[Heard]) -> list[str]:
    """A channel's line of the table."""
    held = sum(piece.held for piece in own)
    return [
        name,
        f"{median(piece.spread for piece in own):.1f}",
        f"{median(piece.levels for piece in own):.0f}",
        f"{sum(piece.last < SLOWER for piece in own) / len(own):.0%}",
        f"{median(piece.last for piece in own):.2f}",
        f"{np.mean([piece.changes for piece in own]):.2f}",
        f"{1 - sum(piece.blurred for piece in own) / held:.0%}" if held else "–",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0] if __doc__ else "")
    parser.add_argument("model", type=Path)
    parser.add_argument("--channels", nargs="+", default=CHANNELS, metavar="C")
    parser.add_argument("--pieces", type=int, default=10, metavar="N")
    parser.add_argument("--seed", type=int, default=1, metavar="N")
    parser.add_argument("--workers", type=int, default=1, metavar="N")
    parser.add_argument("-o", "--output", type=Path, help="for the figures, as JSON")
    given = parser.parse_args()
    with ProcessPoolExecutor(given.workers, mp_context=get_context("spawn")) as pool:
        tasks = {name: pool.submit(performed, given.model, name, given.pieces, given.seed) for name in given.channels}
        found = {name: task.result() for name, task in tasks.items()}
    show(
        f"{given.pieces} pieces a channel, as they are played",
        ["channel", "velocity SD", "levels", "ritardandi", "last bar", "pedals a bar", "with the harmony"],
        [row(name, own) for name, own in found.items()],
    )
    if given.output:
        fields = {name: [asdict(piece) for piece in own] for name, own in found.items()}
        given.output.write_text(json.dumps(fields, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
