"""The panel: all that the kit finds of the music of each channel, every figure beside that of human works.

The human works are those of its style that the channel might have planned: a chorale is not compared with a fugue.
Whole pieces are the unit of every mean and interval, and of human music whole works. What there are too few works for
is left out, with the reason.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, fields, is_dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from radio.composer.corpus import Corpus, Entry
from radio.composer.kit.bootstrap import Interval, interval
from radio.composer.kit.collapse import Limits, collapses, limits
from radio.composer.kit.course import gathering, rise
from radio.composer.kit.distribution import Against, against, measure
from radio.composer.kit.dynamics import dynamics
from radio.composer.kit.fidelity import Fidelity, Labelled, fidelity, fit, judged, tabulate
from radio.composer.kit.harmony import harmony
from radio.composer.kit.structure import structure
from radio.composer.memory import Runs, human, line
from radio.composer.originality import training
from radio.composer.planner import Planner
from radio.errors import MidiError, MissingError
from radio.music import smf, tokens
from radio.music.form import annotate
from radio.music.score import Bar

WORKS = 60
"""Human works that figures are taken from, at most."""
ENOUGH = 12
"""Training works that a channel might have planned, below which it is compared with all of its style."""
WINDOWS = 300
"""Windows that distributions are compared by, at most."""
PERCENTILE = 95
"""Of the pieces' longest shared runs, the one compared: what humans share by chance has a long tail."""
ENDINGS = (".mid", ".midi")


@dataclass(frozen=True, slots=True)
class Beside:
    """A figure of composed pieces and the same of human works; None where fewer than two of them have it."""

    generated: Interval | None
    human: Interval | None


@dataclass(frozen=True, slots=True)
class Memory:
    """Runs of notes shared with works of the corpus: composed pieces, and human works with the works of others."""

    longest: Beside
    """Notes, the PERCENTILE of the pieces' longest."""
    coverage: Beside
    """Mean share of a piece's notes that lie in long shared runs."""


@dataclass(frozen=True, slots=True)
class Group:
    """One channel, or the music of one style that is of no channel."""

    style: str
    pieces: int
    works: int
    """Human works that `figures` are taken from."""
    figures: dict[str, Beside]
    """Means over the pieces, by the names that `figures` gives."""
    memory: Memory
    collapses: tuple[float, float]
    """Collapse events an hour, of composed pieces and of human works."""
    against: Against | None
    missing: str
    """Why `against` is None."""


@dataclass(frozen=True, slots=True)
class Panel:
    """All that was composed."""

    groups: dict[str, Group]
    """By channel, or by style of music that is of no channel."""
    fidelity: Fidelity | None
    """None where fewer than two styles have works enough."""

    def to_json(self) -> dict[str, Any]:
        """As plain values, numbers to five digits; what is not a number is null."""
        found: dict[str, Any] = plain(self)
        return found


def figures(bars: Sequence[Bar]) -> dict[str, float]:
    """Every figure of one piece; nan for what cannot be said of it."""
    form, tonal, touch = structure(bars), harmony(bars), dynamics(bars)
    return {
        "recurrence": form.recurrence.same,
        "recurrence, transposed": form.recurrence.transposed,
        "recurrence of rhythm": form.recurrence.rhythm,
        "loops": form.loops.share,
        "longest loop": float(form.loops.longest),
        "adherence": form.adherence,
        "returns": form.returns,
        "compression": form.compression,
        "in scale": tonal.scale,
        "key clarity": tonal.clarity,
        "entropy of a bar": tonal.entropy1,
        "entropy of four bars": tonal.entropy4,
        "cadences": tonal.cadences,
        "closed": tonal.closed,
        "tonic at the end": tonal.tonic_end,
        "dissonance": tonal.dissonance,
        "velocity spread": touch.spread,
        "velocity levels": float(touch.levels),
        "velocity memory": touch.memory,
        "metric accent": touch.meter,
        "phrase swell": touch.swell,
        "rise": rise(bars),
        "gathering": gathering(bars),
    }


def works(
    corpus: Corpus,
    *,
    validation: bool,
    channel: str = "",
    wanted: Callable[[Entry], bool] = lambda entry: True,
    most: int = WORKS,
    seed: int = 0,
) -> list[Labelled]:
    """A piece of each of at most `most` works of each style, from one side of the split, for `channel` if one is named.

    `wanted`: which pieces may be taken.
    """
    rng = np.random.default_rng((seed, validation))
    chosen: dict[tuple[str, str], Entry] = {}
    entries = [entry for entry in corpus.split(validation=validation) if wanted(entry)]
    for index in rng.permutation(len(entries)).tolist():
        chosen.setdefault((entries[index].style, entries[index].work), entries[index])
    counted: dict[str, int] = {}
    found = []
    for (style, work), entry in chosen.items():
        counted[style] = counted.get(style, 0) + 1
        if counted[style] <= most:
            found.append(Labelled(style, work, tokens.decode(corpus.of(entry), entry.tempo), channel))
    return found


def works_for(
    corpus: Corpus, planners: Mapping[str, Planner], *, seed: int = 0
) -> tuple[list[Labelled], list[Labelled]]:
    """Works kept back and works trained on: of all styles, and those that each channel, by name, might have planned, if
    those trained on are ENOUGH."""
    held_out, train = (works(corpus, validation=side, seed=seed) for side in (True, False))
    for channel, planner in planners.items():
        known = works(corpus, validation=False, channel=channel, wanted=planner.might, seed=seed)
        if len(known) >= ENOUGH:
            train += known
            held_out += works(corpus, validation=True, channel=channel, wanted=planner.might, seed=seed)
    return held_out, train


def folder(path: Path) -> list[Labelled]:
    """MIDI files as composed pieces: `path` holds a folder for each style, named as the style.

    Raises:
        MissingError: there are none.
        MidiError: one cannot be used.
    """
    files = sorted(file for file in path.glob("*/*") if file.suffix.lower() in ENDINGS)
    if not files:
        raise MissingError(f"{path}: no MIDI files there; wanted a folder for each style, such as {path / 'bach'}")
    found = []
    for file in files:
        try:
            bars = list(annotate(smf.read(file).bars))
        except MidiError as error:
            raise MidiError(f"{file}: {error}") from error
        found.append(Labelled(file.parent.name, file.stem, bars))
    return found


def panel(
    generated: Sequence[Labelled],
    held_out: Sequence[Labelled],
    train: Sequence[Labelled],
    runs: Runs,
    *,
    seed: int = 0,
    workers: int = 1,
    progress: Callable[[str, int, int], None] = lambda doing, done, total: None,
) -> Panel:
    """Every figure of every group in `generated`, beside the human works of the same group, or of its style if there
    are none. `runs`: the lines of all training works; `works_for` gives the rest.

    Args:
        workers: processes that the figures of single pieces are shared out to.
        progress: told what is being done, how many steps are done, and of how many.

    Raises:
        ValueError: a style was composed of which `train` has nothing.
    """
    styles = {piece.group: piece.style for piece in generated}
    strange = set(styles.values()) - {piece.style for piece in train}
    if strange:
        raise ValueError(f"got music in the style {min(strange)!r}, of which there are no human works")
    sides = {
        group: (_of(group, style, generated), _of(group, style, held_out), _of(group, style, train))
        for group, style in sorted(styles.items())
    }
    pieces = list({id(piece): piece for own in sides.values() for side in own for piece in side}.values())
    steps = len(pieces) + len(sides) + 1
    of_piece: dict[int, dict[str, float]] = {}
    for done, (piece, own) in enumerate(zip(pieces, _each([piece.bars for piece in pieces], workers), strict=True)):
        progress(f"piece by piece: {piece.group}", done, steps)
        of_piece[id(piece)] = own
    found = {}
    for done, (group, (composed, kept, known)) in enumerate(sides.items(), len(pieces)):
        progress(group, done, steps)
        found[group] = _group(styles[group], composed, kept, known, of_piece, runs, seed)
    progress("style fidelity", steps - 1, steps)
    made = Panel(found, _fidelity(generated, _of("", None, held_out), _of("", None, train), seed))
    progress("done", steps, steps)
    return made


def _each(pieces: Sequence[Sequence[Bar]], workers: int) -> Iterator[dict[str, float]]:
    if workers == 1:
        yield from map(figures, pieces)
        return
    # Spawned, not forked: whoever calls this may have threads of torch.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        yield from pool.map(figures, pieces, chunksize=8)


def _group(
    style: str,
    generated: Sequence[Labelled],
    held_out: Sequence[Labelled],
    train: Sequence[Labelled],
    of_piece: Mapping[int, dict[str, float]],
    runs: Runs,
    seed: int,
) -> Group:
    people = [*held_out, *train]
    band = limits([piece.bars for piece in train])
    try:
        compared, missing = against(*(_windows(side, seed) for side in (generated, held_out, train)), seed=seed), ""
    except ValueError as error:
        compared, missing = None, str(error)
    return Group(
        style,
        len(generated),
        len(people),
        _beside([of_piece[id(piece)] for piece in generated], [of_piece[id(piece)] for piece in people], seed),
        _memory(generated, people, runs, seed),
        (_rate(generated, band), _rate(people, band)),
        compared,
        missing,
    )


def _windows(side: Sequence[Labelled], seed: int) -> Any:
    return measure([piece.bars for piece in side], [piece.work for piece in side], limit=WINDOWS, seed=seed)


def _beside(one: Sequence[Mapping[str, float]], other: Sequence[Mapping[str, float]], seed: int) -> dict[str, Beside]:
    return {name: Beside(*(_mean([own[name] for own in side], seed) for side in (one, other))) for name in one[0]}


def _mean(values: Sequence[float], seed: int) -> Interval | None:
    return _over(values, lambda drawn: float(np.mean(drawn)), seed)


def _over(values: Sequence[float], statistic: Callable[[Sequence[float]], float], seed: int) -> Interval | None:
    known = [value for value in values if math.isfinite(value)]
    return interval(statistic, known, seed=seed) if len(known) > 1 else None


def _memory(generated: Sequence[Labelled], people: Sequence[Labelled], runs: Runs, seed: int) -> Memory:
    composed = [runs.search(line(piece.bars)) for piece in generated]
    others = human(runs, [(piece.work, line(piece.bars)) for piece in people])
    sides = (composed, others)

    def high(drawn: Sequence[float]) -> float:
        return float(np.percentile(drawn, PERCENTILE))

    return Memory(
        Beside(*(_over([float(found.longest.length) for found in side], high, seed) for side in sides)),
        Beside(*(_mean([found.coverage for found in side], seed) for side in sides)),
    )


def _rate(pieces: Sequence[Labelled], band: Limits) -> float:
    hours = sum(bar.seconds for piece in pieces for bar in piece.bars) / 3600
    return sum(len(collapses(piece.bars, band)) for piece in pieces) / hours


def _fidelity(
    generated: Sequence[Labelled], held_out: Sequence[Labelled], train: Sequence[Labelled], seed: int
) -> Fidelity | None:
    known = judged(train)
    counts = Counter(piece.group for piece in generated if piece.style in known)
    composed = [piece for piece in generated if counts[piece.group] > 1]
    if len(known) < 2 or not composed:
        return None
    table, kept = (tabulate([piece for piece in side if piece.style in known], seed=seed) for side in (train, held_out))
    return fidelity(fit(table), table, kept, tabulate(composed, seed=seed), seed=seed)


def _of(group: str, style: str | None, pieces: Sequence[Labelled]) -> list[Labelled]:
    """Those of a group, or if there are none, those of the style, None: of any, that are of no channel."""
    own = [piece for piece in pieces if piece.group == group]
    return own or [piece for piece in pieces if not piece.channel and style in (None, piece.style)]


def _named(pieces: Iterable[Labelled]) -> set[str]:
    return {piece.style for piece in pieces}


def all_runs(corpus: Corpus) -> Runs:
    """The lines of all training works, to be searched."""
    return Runs((source.work, source.line) for source in training(corpus))


def plain(value: Any) -> Any:
    """A dataclass, and all that it holds, as JSON takes it: numbers to five digits, what is not a number as None."""
    if is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(own) for key, own in value.items()}
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, list | tuple):
        return [plain(own) for own in value]
    if isinstance(value, float):
        return float(f"{value:.5g}") if math.isfinite(value) else None
    return value
