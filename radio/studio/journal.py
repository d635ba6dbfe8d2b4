"""The journal: what a restarted studio plays on from. One file a channel, written anew with each piece.

Lines of JSON: the piece and where it began; then, as they come, its bars, and now and then the state of its loudness.
A line is written before the sound it stands for is sent. A file that cannot be read means a new piece, never an error.
"""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from radio.music.score import Bar, Meter, Note, Piece, Prefix

log = logging.getLogger(__name__)

VERSION = 3


@dataclass(frozen=True, slots=True)
class Level:
    """The state of the loudness before the block at frame `at`; the piece was measured up to frame `seen`."""

    at: int
    seen: int
    state: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Saved:
    """What a journal held: a piece with its bars, the frame it began at, and levels in order of time.

    `attacca`: the frame of its first bar line, if it went on from the piece before without a pause.
    """

    piece: Piece
    start: int
    levels: tuple[Level, ...]
    attacca: int | None


class Journal:
    """A channel's journal. Trouble with the disk is logged and costs no sound."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[str] | None = None

    def load(self) -> Saved | None:
        """What was saved last; None if there is nothing of use."""
        try:
            lines = self._path.read_text(encoding="utf-8").splitlines()
            return _read(lines)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
            log.warning("%s is of no use, a new piece begins: %r", self._path, error)
            return None

    def begin(
        self, piece: Piece, start: int, bars: Iterable[Bar], levels: Iterable[Level] = (), attacca: int | None = None
    ) -> None:
        """Writes the journal anew, for a piece that has these bars so far."""
        self.close()
        head = {"version": VERSION, "start": start, "attacca": attacca, "piece": _piece_json(piece)}
        lines = [head, *map(_bar_json, bars), *map(_level_json, levels)]
        partial = self._path.with_suffix(".part")
        with self._careful():
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = partial.open("w", encoding="utf-8")
            self._write(lines)
            partial.replace(self._path)

    def bar(self, bar: Bar) -> None:
        """Adds a bar."""
        with self._careful():
            self._write([_bar_json(bar)])

    def level(self, level: Level) -> None:
        """Adds a level."""
        with self._careful():
            self._write([_level_json(level)])

    def forget(self) -> None:
        """Removes the journal: the piece is not to be gone on with."""
        self.close()
        with self._careful():
            self._path.unlink(missing_ok=True)

    def close(self) -> None:
        """Closes the file."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()
            self._file = None

    def _write(self, lines: Iterable[dict[str, Any]]) -> None:
        if self._file is not None:
            self._file.writelines(json.dumps(line, separators=(",", ":")) + "\n" for line in lines)
            self._file.flush()

    @contextlib.contextmanager
    def _careful(self) -> Any:
        try:
            yield
        except OSError as error:
            log.warning("%s: %s; until the next piece a restart would begin a new one", self._path, error)
            self.close()


def _piece_json(piece: Piece) -> dict[str, Any]:
    return {"title": piece.title, "number": piece.number, "seed": piece.seed, "prefix": asdict(piece.prefix)}


def _bar_json(bar: Bar) -> dict[str, Any]:
    notes = [[note.onset, note.program, note.pitch, note.duration, note.velocity] for note in bar.notes]
    return {"bar": [*bar.meter, bar.tempo, bar.section, bar.left, bar.repeat], "notes": notes}


def _level_json(level: Level) -> dict[str, Any]:
    return {"level": level.state, "at": level.at, "seen": level.seen}


def _read(lines: list[str]) -> Saved:
    """Raises KeyError, TypeError, ValueError or IndexError where the lines are not a journal."""
    head = json.loads(lines[0])
    if head["version"] != VERSION:
        raise ValueError(f"version {head['version']}, wanted {VERSION}")
    fields = dict(head["piece"]["prefix"])
    fields["meter"] = Meter(*fields["meter"]) if fields["meter"] else None
    bars: list[Bar] = []
    levels: list[Level] = []
    for text in lines[1:]:
        try:
            line = json.loads(text)
        except ValueError:
            break  # the studio was killed as it wrote this line
        if "bar" in line:
            beats, unit, tempo, section, left, repeat = line["bar"]
            notes = tuple(Note(*map(int, note)) for note in line["notes"])
            bars.append(Bar(Meter(beats, unit), float(tempo), notes, section, left, repeat))
        else:
            levels.append(Level(int(line["at"]), int(line["seen"]), line["level"]))
    own = head["piece"]
    piece = Piece(Prefix(**fields), own["title"], tuple(bars), int(own["number"]), int(own["seed"]))
    attacca = head["attacca"]
    return Saved(piece, int(head["start"]), tuple(levels), None if attacca is None else int(attacca))
