"""Measures how people play, on the played files of a corpus: the figures that the performer's constants are taken from.

    python benchmarks/performance.py CORPUS [FILES]

Piano: files from piano-midi.de, whose tempo and dynamics were set by hand as played. Drums: the Groove MIDI Dataset,
drummers on electronic kits. CORPUS is a folder with index.csv and the files it names; FILES of each kind are measured
(default 160).
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import mido
import numpy as np
import numpy.typing as npt
from measuring import show

from radio.errors import MidiError
from radio.music import smf
from radio.music.form import annotate
from radio.music.score import BEAT, Bar, Note
from radio.studio.touch import beat_of

Values = npt.NDArray[np.float64]
FEATURES = ("bar line", "beat", "half beat", "top", "inner", "lowest", "octaves up", "octaves up, top", "all")
"""What a note's velocity, less the mean of the five bars around it, is explained by."""
NEW_TEMPO = 0.4
"""Octaves: a bar further from the tempo around it has another tempo, and is no deviation."""


@dataclass
class Piano:
    """Figures of each file."""

    final: list[float] = field(default_factory=list)
    """Tempo of the last bar over that of the bars before the ending."""
    slowing: list[float] = field(default_factory=list)
    """Seconds of it that are slower than 93 %."""
    deviation: list[float] = field(default_factory=list)
    """Octaves, robust SD of bars' tempo about the median of 13 bars."""
    deviation_memory: list[float] = field(default_factory=list)
    section_end: list[float] = field(default_factory=list)
    """Octaves by which the last bar of a section is slower than its others."""
    spread: list[float] = field(default_factory=list)
    """SD of velocities."""
    slow: list[float] = field(default_factory=list)
    """SD of the mean velocity of four bars."""
    residual_memory: list[float] = field(default_factory=list)
    rows: list[list[float]] = field(default_factory=list)
    velocities: list[float] = field(default_factory=list)


def files(corpus: Path, source: str, most: int) -> list[Path]:
    with (corpus / "index.csv").open(newline="", encoding="utf-8") as file:
        found = [corpus / row["path"] for row in csv.DictReader(file) if row["source"].startswith(source)]
    return [found[index] for index in np.random.default_rng(1).permutation(len(found))[:most]]


def pieces(paths: Sequence[Path]) -> Iterator[tuple[Bar, ...]]:
    """Pieces of 24 bars or more with dynamics of their own."""
    for path in paths:
        try:
            bars = list(smf.read(path).bars)
        except MidiError:
            continue
        while bars and not bars[-1].notes:
            bars.pop()
        if len(bars) >= 24 and len({note.velocity for bar in bars for note in bar.notes}) >= 8:
            yield annotate(bars)


def robust(values: Values) -> float:
    """Standard deviation of a normal distribution with the same median deviation."""
    return float(1.4826 * np.median(np.abs(values - np.median(values))))


def memory(values: Values) -> float:
    """Correlation of each value with the one before."""
    return float(np.corrcoef(values[:-1], values[1:])[0, 1]) if np.ptp(values) > 1e-9 else 0.0


def measure_tempo(bars: Sequence[Bar], into: Piano) -> None:
    octaves = np.log2([bar.tempo for bar in bars])
    around = np.array([np.median(octaves[max(0, i - 6) : i + 7]) for i in range(len(bars))])
    off = octaves - around
    inner = np.where(np.abs(off) < NEW_TEMPO, off, 0.0)[3:-4]
    if np.ptp(octaves) > 1e-3:  # played, not left at one tempo
        into.deviation.append(robust(inner))
        into.deviation_memory.append(memory(inner))
        ends = [bars[i].section != bars[i + 1].section for i in range(3, len(bars) - 4)]
        if any(ends) and not all(ends):
            into.section_end.append(float(inner[np.logical_not(ends)].mean() - inner[ends].mean()))
    before = float(np.median(octaves[-14:-3]))
    if np.abs(octaves[-14:-3] - before).max() < 2 * NEW_TEMPO:
        share = np.exp2(octaves - before)[::-1]
        first = int(np.argmax(share > 0.93)) if (share > 0.93).any() else len(share)
        into.final.append(float(share[0]))
        into.slowing.append(sum(bar.seconds for bar in bars[len(bars) - first :]))


def measure_touch(bars: Sequence[Bar], into: Piano) -> None:
    into.spread.append(float(np.std([note.velocity for bar in bars for note in bar.notes])))
    fours = [[n.velocity for bar in bars[i : i + 4] for n in bar.notes] for i in range(0, len(bars), 4)]
    into.slow.append(float(np.std([np.mean(four) for four in fours if four])))
    left: list[float] = []
    for index, bar in enumerate(bars):
        near = [note for other in bars[max(0, index - 2) : index + 3] for note in other.notes]
        if not bar.notes:
            continue
        level, height = np.mean([n.velocity for n in near]), float(np.mean([n.pitch for n in near]))
        chords: dict[int, list[Note]] = {}
        for note in bar.notes:
            chords.setdefault(note.onset, []).append(note)
        for onset, chord in sorted(chords.items()):
            left.append(float(np.mean([note.velocity for note in chord]) - level))
            for note in chord:
                into.rows.append(explained(note, chord, onset, beat_of(bar.meter), height))
                into.velocities.append(float(note.velocity - level))
    into.residual_memory.append(memory(np.array(left)))


def explained(note: Note, chord: Sequence[Note], onset: int, beat: int, height: float) -> list[float]:
    """The FEATURES of a note."""
    pitches = [own.pitch for own in chord]
    top, lowest, alone = note.pitch == max(pitches), note.pitch == min(pitches), len(chord) == 1
    up = (note.pitch - height) / 12
    place = (onset == 0, onset and onset % beat == 0, onset % beat and onset % (BEAT // 2) == 0)
    voice = (top and not alone, not top and not lowest, lowest and not alone)
    return [*map(float, place), *map(float, voice), up, up * top, 1.0]


def drummer(path: Path) -> tuple[float, float, float] | None:
    """Seconds: robust SD of strokes about their usual place, and of strokes together; and the memory of the first.

    A stroke's usual place is the mean, in this file, of what was played on its sixteenth of the bar.
    """
    midi = mido.MidiFile(path)
    now, tempo, strokes = 0, 500_000, []
    for message in mido.merge_tracks(midi.tracks):
        now += message.time
        if message.type == "set_tempo":
            tempo = message.tempo
        elif message.type == "note_on" and message.velocity:
            strokes.append(now)
    if len(strokes) < 60:
        return None
    ticks = np.array(strokes, dtype=float)
    grid = midi.ticks_per_beat / 4
    slots = np.round(ticks / grid).astype(int)
    late = (ticks - slots * grid) * tempo / 1e6 / midi.ticks_per_beat
    if np.ptp(late) < 1e-6:
        return None
    used, index = np.unique(slots, return_inverse=True)
    mean = np.bincount(index, late) / np.bincount(index)
    place = np.array([np.mean(mean[used % 16 == slot]) if (used % 16 == slot).any() else 0.0 for slot in range(16)])
    off = mean - place[used % 16]
    together = (late - mean[index])[np.bincount(index)[index] > 1]
    return robust(off), robust(together) if len(together) > 10 else np.nan, memory(off)


def row(name: str, values: Sequence[float], unit: str = "") -> list[str]:
    quartiles = np.nanpercentile(values, [25, 50, 75])
    return [name, *(f"{value:.3g}" for value in quartiles), unit]


def main() -> None:
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    corpus, most = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 160
    piano = Piano()
    for bars in pieces(files(corpus, "piano-midi.de", most)):
        measure_tempo(bars, piano)
        measure_touch(bars, piano)
    drums = [found for path in files(corpus, "Groove", most) if (found := drummer(path))]
    strokes, together, carried = (list(values) for values in zip(*drums, strict=True))
    show(
        f"{len(piano.spread)} piano pieces and {len(drums)} drummers' takes",
        ["figure", "25 %", "median", "75 %", "unit"],
        [
            row("tempo of the last bar", piano.final, "share"),
            row("final slowing lasts", piano.slowing, "s"),
            row("tempo of a bar, SD", piano.deviation, "octaves"),
            row("its memory", piano.deviation_memory),
            row("last bar of a section slower by", piano.section_end, "octaves"),
            row("velocity, SD", piano.spread),
            row("mean of four bars, SD", piano.slow),
            row("an onset's memory", piano.residual_memory),
            row("drum strokes, SD", strokes, "s"),
            row("strokes together, SD", together, "s"),
            row("memory of strokes", carried),
        ],
    )
    table, velocities = np.array(piano.rows), np.array(piano.velocities)
    weights, *_ = np.linalg.lstsq(table, velocities, rcond=None)
    left = velocities - table @ weights
    show("a note's velocity", ["feature", "adds"], [[n, f"{w:.1f}"] for n, w in zip(FEATURES, weights, strict=True)])
    print(
        f"SD {velocities.std():.1f}, of which {1 - left.var() / velocities.var():.0%} explained; {left.std():.1f} left"
    )


if __name__ == "__main__":
    main()
