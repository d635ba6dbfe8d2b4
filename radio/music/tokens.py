"""Tokens: music as rows of five small integers, one row a *position*, one position a note or a bar line.

A position has five slots. Slot 0 says what it is; the meaning of the others follows from it:

| kind     | slot 0        | slot 1  | slot 2 | slot 3   | slot 4   |
|----------|---------------|---------|--------|----------|----------|
| note     | onset, ticks  | program | pitch  | duration | velocity |
| bar line | BAR and meter | tempo   | left   | section  | repeat   |
| end      | END           | –       | –      | –        | –        |
| prefix   | PREFIX        | value   | –      | –        | –        |

Every slot has a vocabulary of its own, made of consecutive ranges (`RANGES`); id 0 is "nothing". Run this
module to print the map. The bar line's tempo is relative to the piece's; `left` counts the bars still to come.
What may follow what is `radio.music.grammar`.
"""

from __future__ import annotations

import bisect
import math
import unicodedata
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from radio.music.keys import KEYS
from radio.music.meters import METERS
from radio.music.score import Bar, Meter, Note, Prefix

Positions = npt.NDArray[np.int32]
"""(positions, SLOTS)."""

SLOTS = 5
MAX_BAR = 192
"""Longest bar, in ticks."""
DURATIONS = (
    *range(1, 13), 14, 15, 16, 18, 20, 21, 22, 24, 27, 30, 32, 33, 36, 40, 42, 44, 45, 48, 54, 60, 64, 66, 72, 80,
    84, 90, 96, 108, 120, 132, 144, 168, 192, 240, 288, 384,
)  # fmt: skip
"""Durations a position can hold, in ticks; others go to the nearest in ratio."""
VELOCITY_STEP = 4
TEMPO_STEPS = 7
"""A bar's tempo is the piece's times 2^(k/8), -TEMPO_STEPS ≤ k ≤ TEMPO_STEPS."""
LEFT = (*range(1, 17), 18, 20, 22, 24, 28, 32, 36, 40, 48, 56, 64, 80, 96, 128, 160, 192, 256)
"""Lower edges of the buckets of bars left."""
SECTIONS = "ABCDEFGH"
MAX_REPEAT = 64
PREFIX_TEMPI = tuple(round(40 * 2 ** (k / 6)) for k in range(15))
"""Beats a minute: lower edges of the prefix's tempo buckets."""
PREFIX_BARS = (1, 6, 9, 13, 17, 21, 25, 29, 33, 41, 49, 57, 65, 81, 97, 129, 161, 225)
STYLES = (
    "bach", "mozart", "beethoven", "chopin", "romantic_piano", "classical_piano", "chamber", "lieder", "folk",
    "ragtime", "jazz", "songbook", "guitar", "organ", "baroque", "early_music", "salon_dances", "choral_hymns",
    "game", "drums", "lofi", "house", "ambient",
)  # fmt: skip
COMPOSERS = (
    "bach", "mozart", "beethoven", "chopin", "haydn", "schubert", "schumann", "brahms", "mendelssohn", "liszt",
    "handel", "vivaldi", "scarlatti", "clementi", "czerny", "grieg", "tchaikovsky", "debussy", "satie", "albeniz",
    "rachmaninoff", "mussorgsky", "scriabin", "faure", "joplin", "turpin", "giuliani", "sor", "carcassi", "aguado",
    "tarrega", "paderewski", "moniuszko", "zelenski", "noskowski", "stefani", "szymanowska", "oginski", "kurpinski",
    "gomolka", "zielenski", "marenzio", "palestrina", "pekiel", "jarzebski", "dvorak", "wolf", "franz", "holmes",
    "hensel", "lang", "chaminade", "boulanger", "viardot", "stanford", "walczynski", "gorczycki", "smietanski",
    "burgmuller", "freedoom", "simutrans", "openmsx", "oneills", "ryans", "nottingham",
)  # fmt: skip
"""Names a prefix may give; the last six are collections. Append only: a model's ids depend on the order."""
FORMS = (
    "prelude", "fugue", "chorale", "chorale prelude", "invention", "sinfonia", "fantasia", "sonata", "rondo",
    "variations", "concerto", "quartet", "serenade", "minuet", "waltz", "mazurka", "polonaise", "krakowiak", "polka",
    "country dance", "nocturne", "etude", "ballade", "romance", "lullaby", "dance", "march", "song", "aria", "air",
    "reel", "jig", "slip jig", "hornpipe", "strathspey", "motet", "psalm", "hymn", "mass", "carol", "madrigal",
    "groove",
)  # fmt: skip
"""Forms a prefix may give: those with a dozen works or more in the corpus. A form with fewer would be learned as
those works: told of rags, of which there are eight, a model guessed others 0.02 bits a note worse."""
MAX_PARTS = 6
TIMINGS = ("guessed", "score", "played")
"""Whose a piece's tempo is: of whoever made the file, for want of another; the score's; a player's."""


class Span(NamedTuple):
    """Ids `start` … `start + size - 1` of one slot's vocabulary."""

    slot: int
    start: int
    size: int

    @property
    def stop(self) -> int:
        return self.start + self.size


def _layout(slots: Sequence[Sequence[tuple[str, int]]]) -> tuple[dict[str, Span], tuple[int, ...]]:
    spans: dict[str, Span] = {}
    sizes = []
    for slot, fields in enumerate(slots):
        start = 1
        for name, size in fields:
            spans[name] = Span(slot, start, size)
            start += size
        sizes.append(start)
    return spans, tuple(sizes)


PREFIX_FIELDS: tuple[tuple[str, int], ...] = (
    ("style", len(STYLES)),
    ("composer", len(COMPOSERS)),
    ("form", len(FORMS)),
    ("key", len(KEYS)),
    ("meter", len(METERS)),
    ("tempo", len(PREFIX_TEMPI)),
    ("bars", len(PREFIX_BARS)),
    ("dynamics", 2),
    ("parts", MAX_PARTS),
    ("timing", len(TIMINGS)),
)
"""The prefix's fields, one position each, in this order; every field also has the value "any"."""
PREFIX_LENGTH = len(PREFIX_FIELDS)

RANGES, SIZES = _layout(
    (
        (("onset", MAX_BAR), ("bar", len(METERS)), ("end", 1), ("prefix", 1)),
        (("program", 129), ("tempo", 2 * TEMPO_STEPS + 1), *((f"prefix_{n}", s + 1) for n, s in PREFIX_FIELDS)),
        (("pitch", 128), ("left", len(LEFT))),
        (("duration", len(DURATIONS)), ("section", len(SECTIONS))),
        (("velocity", 128 // VELOCITY_STEP), ("repeat", MAX_REPEAT + 1)),
    )
)
BAR, END, PREFIX = RANGES["bar"].start, RANGES["end"].start, RANGES["prefix"].start
_METER_ID = {meter: index for index, meter in enumerate(METERS)}


def bucket(value: float, edges: Sequence[float]) -> int:
    """Index of the last edge that is ≤ value; values below the first edge fall into bucket 0."""
    return max(0, bisect.bisect_right(edges, value) - 1)


def nearest_duration(ticks: int) -> int:
    """Index in DURATIONS of the value nearest in ratio."""
    right = min(bisect.bisect_left(DURATIONS, ticks), len(DURATIONS) - 1)
    left = max(right - 1, 0)
    return left if ticks * ticks < DURATIONS[left] * DURATIONS[right] else right


def snap(note: Note) -> Note:
    """The note as a position can hold it: duration from DURATIONS, velocity at the middle of its bin."""
    velocity = note.velocity // VELOCITY_STEP * VELOCITY_STEP + VELOCITY_STEP // 2
    return Note(note.onset, note.program, note.pitch, DURATIONS[nearest_duration(note.duration)], velocity)


def tempo_step(tempo: float, reference: float) -> int:
    """A bar's tempo relative to the piece's, in eighths of an octave, limited to ±TEMPO_STEPS."""
    return max(-TEMPO_STEPS, min(TEMPO_STEPS, round(8 * math.log2(tempo / reference))))


def bar_line(bar: Bar, tempo: float) -> tuple[int, int, int, int, int]:
    """The position that opens `bar` in a piece whose tempo is `tempo`.

    Raises:
        KeyError: the meter is not one of METERS.
    """
    return (
        BAR + _METER_ID[bar.meter],
        RANGES["tempo"].start + TEMPO_STEPS + tempo_step(bar.tempo, tempo),
        RANGES["left"].start + bucket(bar.left, LEFT) if bar.left else 0,
        RANGES["section"].start + min(max(ord(bar.section[:1] or "A") - ord("A"), 0), len(SECTIONS) - 1),
        RANGES["repeat"].start + (bar.repeat if bar.repeat <= MAX_REPEAT else 0),
    )


def note_position(note: Note) -> tuple[int, int, int, int, int]:
    """The position of one note."""
    return (
        RANGES["onset"].start + note.onset,
        RANGES["program"].start + note.program,
        RANGES["pitch"].start + note.pitch,
        RANGES["duration"].start + nearest_duration(note.duration),
        RANGES["velocity"].start + note.velocity // VELOCITY_STEP,
    )


def encode_bar(bar: Bar, tempo: float) -> list[tuple[int, int, int, int, int]]:
    """A bar line and the bar's notes, in order; of two notes at one onset, program and pitch the last stays."""
    notes = {(note.onset, note.program, note.pitch): note for note in sorted(bar.notes) if note.onset < bar.meter.ticks}
    return [bar_line(bar, tempo), *(note_position(note) for note in notes.values())]


def encode(bars: Iterable[Bar], tempo: float, *, ended: bool = True) -> Positions:
    """Bars as positions; `ended` adds END."""
    rows = [row for bar in bars for row in encode_bar(bar, tempo)]
    if ended:
        rows.append((END, 0, 0, 0, 0))
    return np.array(rows, dtype=np.int32).reshape(-1, SLOTS)


def decode(positions: Positions, tempo: float) -> list[Bar]:
    """Bars of a sequence of positions; a prefix and END are passed over.

    Raises:
        ValueError: a note before the first bar line, or an id outside its range.
    """
    bars: list[Bar] = []
    notes: list[Note] = []
    head: Bar | None = None
    for row in positions.tolist():
        if row[0] >= BAR:
            if head is not None:
                bars.append(_closed(head, notes))
                head, notes = None, []
            if row[0] < END:
                head = decode_bar_line(row, tempo)
        elif head is None:
            raise ValueError(f"a note needs a bar line before it, got position {row}")
        else:
            notes.append(decode_note(row))
    if head is not None:
        bars.append(_closed(head, notes))
    return bars


def _closed(head: Bar, notes: list[Note]) -> Bar:
    return Bar(head.meter, head.tempo, tuple(notes), head.section, head.left, head.repeat)


def decode_bar_line(row: Sequence[int], tempo: float) -> Bar:
    """The bar, without notes, that a bar-line position opens."""
    step, left, section, repeat = (_value(row, name) for name in ("tempo", "left", "section", "repeat"))
    return Bar(
        METERS[_value(row, "bar")],
        tempo * 2 ** ((step - TEMPO_STEPS) / 8),
        (),
        SECTIONS[section],
        LEFT[left] if row[2] else 0,
        repeat,
    )


def decode_note(row: Sequence[int]) -> Note:
    """The note of a note position, velocity at the middle of its bin."""
    onset, program, pitch, duration, velocity = (
        _value(row, name) for name in ("onset", "program", "pitch", "duration", "velocity")
    )
    return Note(onset, program, pitch, DURATIONS[duration], velocity * VELOCITY_STEP + VELOCITY_STEP // 2)


def _value(row: Sequence[int], name: str) -> int:
    span = RANGES[name]
    value = row[span.slot] - span.start
    if not 0 <= value < span.size:
        if name == "left" and row[span.slot] == 0:
            return 0
        raise ValueError(f"{name}: wanted an id from {span.start} to {span.stop - 1}, got {row[span.slot]}")
    return value


def encode_prefix(prefix: Prefix) -> Positions:
    """The prefix as PREFIX_LENGTH positions; a field not given, or a name not known, is "any"."""
    values = {
        "style": _index(STYLES, prefix.style),
        "composer": _index(COMPOSERS, prefix.composer),
        "form": _index(FORMS, prefix.form),
        "key": _index(KEYS, prefix.key),
        "meter": _METER_ID.get(prefix.meter, -1) if prefix.meter else -1,
        "tempo": bucket(prefix.tempo, PREFIX_TEMPI) if prefix.tempo else -1,
        "bars": bucket(prefix.bars, PREFIX_BARS) if prefix.bars else -1,
        "dynamics": -1 if prefix.dynamics is None else int(prefix.dynamics),
        "parts": min(prefix.parts, MAX_PARTS) - 1 if prefix.parts else -1,
        "timing": _index(TIMINGS, prefix.timing),
    }
    rows = [(PREFIX, RANGES[f"prefix_{name}"].start + 1 + values[name], 0, 0, 0) for name, _ in PREFIX_FIELDS]
    return np.array(rows, dtype=np.int32)


def any_prefix() -> Positions:
    """The prefix that says nothing."""
    return encode_prefix(Prefix())


def _index(names: Sequence[str], name: str) -> int:
    return names.index(name) if name in names else -1


def times(positions: Positions) -> npt.NDArray[np.int32]:
    """When each position happens, in ticks from the first bar line: (positions,). A prefix is at 0."""
    length = np.array([meter.ticks for meter in METERS], dtype=np.int32)
    kind = positions[:, 0]
    is_bar = (kind >= BAR) & (kind < END)
    own = np.where(is_bar, length[np.where(is_bar, kind - BAR, 0)], 0)
    passed = np.cumsum(own) - own
    start = np.maximum.accumulate(np.where(is_bar, passed, 0))
    is_note = (kind >= RANGES["onset"].start) & (kind < BAR)
    at_end = np.where(kind == END, np.cumsum(own), start)
    return np.where(is_note, start + kind - RANGES["onset"].start, at_end).astype(np.int32)


def plain(name: str) -> str:
    """A name in lower-case ASCII letters, digits and underscores: "Żeleński, W." → "zelenski_w"."""
    flat = unicodedata.normalize("NFKD", name.replace("ł", "l").replace("Ł", "L"))
    kept = "".join(c if c.isalnum() and c.isascii() else " " for c in flat if not unicodedata.combining(c))
    return "_".join(kept.lower().split())


def vocabulary() -> dict[str, object]:
    """All that a model's ids depend on, to be kept beside its weights and compared when they are loaded."""
    return {
        "sizes": list(SIZES),
        "ranges": {name: list(span) for name, span in RANGES.items()},
        "durations": list(DURATIONS),
        "meters": [str(meter) for meter in METERS],
        "left": list(LEFT),
        "styles": list(STYLES),
        "composers": list(COMPOSERS),
        "forms": list(FORMS),
        "keys": list(KEYS),
        "prefix_tempi": list(PREFIX_TEMPI),
        "prefix_bars": list(PREFIX_BARS),
        "timings": list(TIMINGS),
    }


def meter_of(row: Sequence[int]) -> Meter:
    """The meter of a bar-line position."""
    return METERS[row[0] - BAR]


if __name__ == "__main__":
    for name, span in RANGES.items():
        print(f"slot {span.slot}  {span.start:4d} – {span.stop - 1:4d}  {name}")
