"""Music made for tests: Hypothesis strategies for bars, and a small corpus of MIDI files."""

from __future__ import annotations

import csv
import random
from pathlib import Path

from hypothesis import strategies as st

from radio.composer.window import Held, Window, held
from radio.music import smf, tokens
from radio.music.meters import METERS
from radio.music.score import BEAT, DRUMS, Bar, Meter, Note

COMMON = Meter(4, 4)


def whole(piece: tokens.Positions) -> Held:
    """A piece as a window that holds all of it."""
    return held(piece, Window(), len(piece))


@st.composite
def bars(draw: st.DrawFn, *, programs: tuple[int, ...] = (0, 40, 73, DRUMS)) -> Bar:
    """A bar that a position can hold exactly: durations and velocities as `tokens.snap` leaves them."""
    meter = draw(st.sampled_from(METERS))
    note = st.builds(
        Note,
        st.integers(0, meter.ticks - 1),
        st.sampled_from(programs),
        st.integers(0, 127),
        st.sampled_from(tokens.DURATIONS),
        st.integers(1, 127),
    )
    notes = draw(st.lists(note, max_size=12, unique_by=lambda n: (n.onset, n.program, n.pitch)))
    return Bar(
        meter,
        120.0,
        tuple(sorted(tokens.snap(n) for n in notes)),
        draw(st.sampled_from(tokens.SECTIONS)),
        draw(st.sampled_from(tokens.LEFT)),
        draw(st.integers(0, tokens.MAX_REPEAT)),
    )


def tune(seed: int, count: int = 16, *, program: int = 0, meter: Meter = COMMON, low: int = 48) -> list[Bar]:
    """A tune with a bass, in which the first half comes back: enough to learn something from."""
    rng = random.Random(seed)
    scale = (0, 2, 4, 5, 7, 9, 11)
    made: list[Bar] = []
    for index in range(count):
        if index >= count // 2:
            made.append(made[index - count // 2])
            continue
        notes = [Note(0, program, low + rng.choice((0, 5, 7)), meter.ticks, 60)]
        notes += [
            Note(onset, program, low + 24 + rng.choice(scale), 12, rng.randrange(50, 100))
            for onset in range(0, meter.ticks, 12)
        ]
        made.append(Bar(meter, 100.0, tuple(sorted(notes))))
    return made


Tune = list[tuple[int, int]]
"""(sixteenths since the note before, pitch)."""


def melody(seed: int, count: int = 100) -> Tune:
    """A melody that shares no gram with those of other seeds, and whose grams are all varied."""
    rng = random.Random(seed)
    return [(rng.randrange(1, 9), rng.randrange(48, 84)) for _ in range(count)]


def laid_out(own: Tune, *, up: int = 0, late: int = 0, tempo: float = 100.0, meter: Meter = COMMON) -> list[Bar]:
    """A melody in bars, moved up by semitones and back by sixteenths, over a bass."""
    notes: dict[int, list[Note]] = {}
    tick = late * BEAT // 4
    for gap, pitch in own:
        tick += gap * BEAT // 4
        for part in (Note(tick % meter.ticks, 0, pitch + up, 6, 80), Note(tick % meter.ticks, 32, 40, 6, 60)):
            notes.setdefault(tick // meter.ticks, []).append(part)
    return [Bar(meter, tempo, tuple(sorted(notes.get(bar, [])))) for bar in range(max(notes) + 1)]


def corpus(folder: Path) -> Path:
    """A corpus of two styles in the layout of a real one: index.csv and MIDI files, one of them broken."""
    rows = []
    plan = (("bach", "Johann Sebastian Bach", "Prelude", 6, COMMON), ("ragtime", "Scott Joplin", "Rag", 0, Meter(2, 4)))
    for group, composer, kind, program, meter in plan:
        for number in range(1, 11):
            path = Path("midi") / group / "all" / f"{number}.mid"
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            smf.write(tune(number, program=program, meter=meter, low=36 if group == "bach" else 50), folder / path)
            rows.append((str(path), group, composer, f"{kind} op. {number}", "yes" if group == "ragtime" else "no"))
    broken = Path("midi/bach/all/broken.mid")
    (folder / broken).write_bytes(b"MThd not really")
    rows.append((str(broken), "bach", "J. S. Bach", "Broken", "no"))
    with (folder / "index.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("path", "group", "composer", "title", "has_dynamics"))
        writer.writerows(rows)
    return folder
