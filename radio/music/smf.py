"""MIDI files in and out: a standard MIDI file as bars on the 24-tick grid, and bars as a file.

What is written is read back exactly, tempos to the microsecond a beat, if it is `canonical`: MIDI cannot say
that one program holds one pitch twice at once.
"""

from __future__ import annotations

import bisect
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from operator import itemgetter
from pathlib import Path
from typing import BinaryIO, Literal

import mido

from radio.errors import MidiError
from radio.music import keys, midi
from radio.music.meters import SHORTEST, nearest, of_length
from radio.music.score import BEAT, DRUMS, Bar, Meter, Note, Piece, notes_in_time

MOST_BARS = 20_000
"""Bars of the longest piece that is read."""
DIVISION = 20 * BEAT
"""Ticks a beat in a file that is written: 480, the commonest."""
_LONGEST_TEMPO = 0xFFFFFF
_DEFAULT_TEMPO = 500_000
_SLACK = 3
"""Grid ticks by which a bar line may be out of place without making a bar of its own."""
_MINUTE = 60_000_000

Placed = tuple[int, int, int, int, int]
"""Onset (ticks from the start), program, pitch, duration, velocity."""


@dataclass(frozen=True, slots=True)
class Score:
    """What a MIDI file holds. Its bars have `left`, but no sections and no repeats."""

    bars: tuple[Bar, ...]
    key_signatures: tuple[tuple[int, str], ...] = ()
    """Bar index and key, as the file says."""
    played: bool = False
    """Most notes lie off the grid: a performance rather than a score."""
    damage: str = ""
    """What is wrong with the file, if only its beginning could be read."""


@dataclass(frozen=True, slots=True)
class _Slot:
    """A bar's place in the file and in the piece, in grid ticks."""

    source: int
    start: int
    meter: Meter


def read(source: Path | str | bytes, *, pedal: Literal["ignore", "extend"] = "ignore") -> Score:
    """The bars of a MIDI file, from its path or its bytes.

    Time is rounded to the grid, half up. A meter change inside a bar ends the bar there; a meter the vocabulary does
    not have is written as `meters.nearest` says. A bar's tempo is its mean, so that it lasts as long as in the file.
    `pedal`: "extend" holds notes while the sustain pedal is down.

    Raises:
        MidiError: the file cannot be used.
    """
    tracks = midi.parse(_bytes(source))
    if not tracks.notes:
        why = f" ({tracks.damage})" if tracks.damage else ""
        raise MidiError(f"no notes{why}: wanted at least one")
    _settle_programs(tracks)
    if pedal == "extend":
        _extend(tracks)
    slots, rounded = _layout(tracks)
    placed = _placed(tracks, slots, rounded)
    bars = _bars(placed, slots, _bar_tempos(tracks, slots))
    starts = [slot.source for slot in slots]
    signatures = {
        max(bisect.bisect_right(starts, _grid(tick, tracks.ticks)) - 1, 0): keys.from_signature(sharps, minor)
        for tick, sharps, minor in sorted(tracks.keys)
    }
    return Score(bars, tuple(signatures.items()), _played(tracks), tracks.damage)


def _bytes(source: Path | str | bytes) -> bytes:
    if isinstance(source, bytes):
        return source
    try:
        return Path(source).read_bytes()
    except OSError as error:
        raise MidiError(f"{source}: {error.strerror}; wanted a MIDI file that can be read") from error


def _grid(tick: int, ticks: tuple[int, int]) -> int:
    return (2 * tick * ticks[0] + ticks[1]) // (2 * ticks[1])


def _played(tracks: midi.Tracks) -> bool:
    """Whether most onsets lie over an eighth of a tick off the grid; some programs write all one file tick late."""
    scale, division = tracks.ticks
    rests = (note[0] * scale % division for note in tracks.notes)
    return 2 * sum(8 * min(rest, division - rest) > division for rest in rests) > len(tracks.notes)


def _settle_programs(tracks: midi.Tracks) -> None:
    """Gives each note its program: the drum kit, its track's own, or else its lane's at that time."""
    changes: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for tick, lane, program in tracks.programs:
        changes[lane].append((tick, program))
    for lane_changes in changes.values():
        lane_changes.sort(key=itemgetter(0))
    for note in tracks.notes:
        if note[2] == midi.DRUM_LANE:
            note[5] = DRUMS
        elif note[5] == midi.OWN:
            lane_changes = changes.get(note[2], [])
            at = bisect.bisect_right(lane_changes, note[0], key=itemgetter(0))
            note[5] = lane_changes[at - 1][1] if at else 0


def _extend(tracks: midi.Tracks) -> None:
    """Holds each note that ends with the pedal down until it is lifted, or the lane plays the same pitch again."""
    moves: dict[int, list[tuple[int, bool]]] = defaultdict(list)
    lifts: dict[int, list[int]] = defaultdict(list)
    onsets: dict[tuple[int, int], list[int]] = defaultdict(list)
    last = max(note[1] for note in tracks.notes)
    for tick, lane, down in sorted(tracks.pedals):
        moves[lane].append((tick, down))
        if not down:
            lifts[lane].append(tick)
    for note in sorted(tracks.notes):
        onsets[note[2], note[3]].append(note[0])
    for note in tracks.notes:
        at = bisect.bisect_right(moves[note[2]], note[1], key=itemgetter(0))
        if at and moves[note[2]][at - 1][1]:
            lifted = _following(lifts[note[2]], note[1], last)
            note[1] = max(note[1], min(lifted, _following(onsets[note[2], note[3]], note[0], lifted)))


def _following(ticks: Sequence[int], tick: int, default: int) -> int:
    """The first of some rising ticks that is later than `tick`."""
    at = bisect.bisect_right(ticks, tick)
    return ticks[at] if at < len(ticks) else default


def _layout(tracks: midi.Tracks) -> tuple[list[_Slot], bool]:
    """The bars' places, and whether any bar is not as long in the piece as it is in the file."""
    onset = _grid(max(note[0] for note in tracks.notes), tracks.ticks)
    sounding_end = _grid(max(note[1] for note in tracks.notes), tracks.ticks)
    marked_end = _grid(tracks.end, tracks.ticks)
    end = marked_end if marked_end > onset else max(sounding_end, onset + 1)
    if end // BEAT > MOST_BARS * 4:
        raise MidiError(f"too long: got {end // BEAT} beats, wanted at most {MOST_BARS * 4}")
    changes = {0: Meter(4, 4)}
    for tick, beats, unit in sorted(tracks.meters, key=itemgetter(0)):
        if Meter(beats, unit).ticks >= SHORTEST:
            changes[_grid(tick, tracks.ticks)] = Meter(beats, unit)
    borders = sorted(tick for tick in changes if tick < end)
    slots: list[_Slot] = []
    start = 0
    for border, following in zip(borders, [*borders[1:], None], strict=True):
        for source, meter in _segment(border, following, end, changes[border]):
            slots.append(_Slot(source, start, meter))
            start += meter.ticks
    if len(slots) > MOST_BARS:
        raise MidiError(f"too long: got {len(slots)} bars, wanted at most {MOST_BARS}")
    return slots, any(slot.source != slot.start for slot in slots)


def _segment(border: int, following: int | None, end: int, meter: Meter) -> Iterable[tuple[int, Meter]]:
    """Bars of one meter from `border` to the next change, or to the bar that holds the end: file tick and meter."""
    count, source = 0, border
    stop = end if following is None else following
    while source < stop - (_SLACK if count else 0):
        count += 1
        line = border + count * meter.beats * 4 * BEAT // meter.unit
        cut = following is not None and line > following + _SLACK
        at = source
        for part in of_length(stop - source) if cut else nearest(meter):
            yield at, part
            at += part.ticks
        source = max(line, source + 1)


def _placed(tracks: midi.Tracks, slots: Sequence[_Slot], rounded: bool) -> list[Placed]:
    """The notes in ticks from the start of the piece, canonical."""
    scale, division = tracks.ticks
    double, twice = 2 * scale, 2 * division
    notes = [
        (begin, program, pitch, max((stop * double + division) // twice - begin, 1), velocity)
        for start, stop, _, pitch, velocity, program in tracks.notes
        for begin in ((start * double + division) // twice,)
    ]
    if rounded:
        sources = [slot.source for slot in slots]
        moved = []
        for onset, program, pitch, duration, velocity in notes:
            slot = slots[bisect.bisect_right(sources, onset) - 1]
            inside = min(onset - slot.source, slot.meter.ticks - 1)
            moved.append((slot.start + inside, program, pitch, duration, velocity))
        notes = moved
    return _canonical(notes)


def _canonical(notes: list[Placed]) -> list[Placed]:
    notes.sort()
    following: dict[int, int] = {}
    kept: list[Placed] = []
    for note in reversed(notes):  # of notes with one onset, program and pitch, the longest comes first and stays
        onset, program, pitch, duration, velocity = note
        name = program << 7 | pitch
        ends = following.get(name)
        if ends is None or onset + duration <= ends:
            following[name] = onset
            kept.append(note)
        elif onset < ends:
            following[name] = onset
            kept.append((onset, program, pitch, ends - onset, velocity))
    kept.reverse()
    return kept


def canonical(bars: Iterable[Bar]) -> tuple[Bar, ...]:
    """The bars with their notes in order, and no program holding a pitch twice at once.

    A new onset ends the earlier note of its program and pitch, also across bar lines; of two with one onset the
    longer stays.
    """
    bars = tuple(bars)
    placed = [(onset, note.program, note.pitch, note.duration, note.velocity) for onset, note in notes_in_time(bars)]
    slots, start = [], 0
    for bar in bars:
        slots.append(_Slot(start, start, bar.meter))
        start += bar.meter.ticks
    return tuple(replace(bar, notes=notes) for bar, notes in zip(bars, _by_bar(_canonical(placed), slots), strict=True))


def _by_bar(placed: Sequence[Placed], slots: Sequence[_Slot]) -> Iterable[tuple[Note, ...]]:
    at, count = 0, len(placed)
    for slot in slots:
        stop = slot.start + slot.meter.ticks
        notes = []
        while at < count and (note := placed[at])[0] < stop:
            notes.append(Note(note[0] - slot.start, note[1], note[2], note[3], note[4]))
            at += 1
        yield tuple(notes)


def _bars(placed: Sequence[Placed], slots: Sequence[_Slot], tempos: Sequence[float]) -> tuple[Bar, ...]:
    count = len(slots)
    return tuple(
        Bar(slot.meter, tempo, notes, left=count - index)
        for index, (slot, tempo, notes) in enumerate(zip(slots, tempos, _by_bar(placed, slots), strict=True))
    )


def _bar_tempos(tracks: midi.Tracks, slots: Sequence[_Slot]) -> list[float]:
    """Mean beats a minute of each bar."""
    changes = {0: _DEFAULT_TEMPO}
    if not tracks.frames:
        for tick, tempo in sorted(tracks.tempos, key=itemgetter(0)):
            changes[_grid(tick, tracks.ticks)] = tempo
    ticks = sorted(changes)
    tempos, at = [], 0
    for slot in slots:
        begin, stop = slot.source, slot.source + slot.meter.ticks
        while at + 1 < len(ticks) and ticks[at + 1] <= begin:
            at += 1
        inside = at
        parts: list[tuple[int, int]] = []  # ticks, microseconds a beat
        while begin < stop:
            until = min(ticks[inside + 1], stop) if inside + 1 < len(ticks) else stop
            parts.append((until - begin, changes[ticks[inside]]))
            begin, inside = until, inside + 1
        length = sum(part * tempo for part, tempo in parts)
        tempos.append(_MINUTE * slot.meter.ticks / length if len(parts) > 1 else _MINUTE / parts[0][1])
    return tempos


def write(
    music: Piece | Iterable[Bar],
    target: Path | str | BinaryIO,
    *,
    title: str = "",
    key: str = "",
    division: int = DIVISION,
) -> None:
    """Writes bars as a MIDI file of format 1: a track with the tempos, meters and section letters, then one a program.

    A piece brings its title, its key and its certificate as a text. `division`: ticks a beat, a multiple of 24. Each
    program has a lane of its own as long as there are enough: more than 15 share them, changing the lane's program note
    by note.

    Raises:
        ValueError: a division that is not a multiple of 24, or not the name of a key.
    """
    if division % BEAT or not 0 < division < 0x8000:
        raise ValueError(f"division: got {division}, wanted a multiple of {BEAT} below 32768")
    text = ""
    if isinstance(music, Piece):
        title, key, text, music = title or music.title, key or music.prefix.key, music.certificate, music.bars
    bars = canonical(music)
    file = mido.MidiFile(type=1, ticks_per_beat=division, charset="utf-8")
    file.tracks.append(_conductor(bars, title, key, text, division // BEAT))
    file.tracks.extend(_program_tracks(bars, division // BEAT))
    if isinstance(target, (str, Path)):
        file.save(target)
    else:
        file.save(file=target)


def _track(events: Iterable[tuple[int, mido.Message | mido.MetaMessage]]) -> mido.MidiTrack:
    """Messages with their tick, in order, as a track."""
    track, before = mido.MidiTrack(), 0
    for tick, message in events:
        track.append(message.copy(time=tick - before))
        before = tick
    return track


def _conductor(bars: Sequence[Bar], title: str, key: str, text: str, scale: int) -> mido.MidiTrack:
    events = [(0, mido.MetaMessage("track_name", name=title))] if title else []
    if text:
        events.append((0, mido.MetaMessage("text", text=text)))
    if key:
        events.append((0, mido.MetaMessage("key_signature", key=signature(key))))
    tick, before = 0, set[str]()
    for bar in bars:
        beats, unit = bar.meter
        tempo = min(max(round(_MINUTE / bar.tempo), 1), _LONGEST_TEMPO)
        messages = (
            mido.MetaMessage("time_signature", numerator=beats, denominator=unit),
            mido.MetaMessage("set_tempo", tempo=tempo),
            mido.MetaMessage("marker", text=bar.section),
        )
        events += [(tick, message) for message in messages if str(message) not in before]
        before = {str(message) for message in messages}
        tick += bar.meter.ticks * scale
    return _track([*events, (tick, mido.MetaMessage("marker", text=midi.END))])


def signature(key: str) -> str:
    """A key as mido spells its signature: "Bb", "F#m"."""
    return keys.transpose(key, 0).replace(" major", "").replace(" minor", "m")


def _lanes(programs: Sequence[int]) -> dict[int, int]:
    """The lane of each program."""
    pitched = [program for program in programs if program != DRUMS]
    free = [lane for lane in range(16) if lane != midi.DRUM_LANE]
    return {DRUMS: midi.DRUM_LANE} | {program: free[index % len(free)] for index, program in enumerate(pitched)}


def _program_tracks(bars: tuple[Bar, ...], scale: int) -> Iterable[mido.MidiTrack]:
    programs = sorted({note.program for bar in bars for note in bar.notes})
    lanes = _lanes(programs)
    # Endings come before onsets at the same tick, and the change of program before the note it is for.
    events: dict[int, list[tuple[int, int, mido.Message]]] = {program: [] for program in programs}
    now = dict.fromkeys(range(16), DRUMS)
    for onset, note in sorted(notes_in_time(bars), key=itemgetter(0)):
        lane, mine = lanes[note.program], events[note.program]
        if note.program not in (DRUMS, now[lane]):
            now[lane] = note.program
            mine.append((onset * scale, 1, mido.Message("program_change", channel=lane, program=note.program)))
        on = mido.Message("note_on", channel=lane, note=note.pitch, velocity=note.velocity)
        mine.append((onset * scale, 2, on))
        off = mido.Message("note_off", channel=lane, note=note.pitch, velocity=64)
        mine.append(((onset + note.duration) * scale, 0, off))
    for program in programs:
        name = "drums" if program == DRUMS else f"program {program}"
        ordered = [(tick, message) for tick, _, message in sorted(events[program], key=itemgetter(0, 1))]
        yield _track([(0, mido.MetaMessage("track_name", name=name)), *ordered])
