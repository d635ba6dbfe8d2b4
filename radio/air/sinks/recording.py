"""One recording under way: a sound file, its cue sheet and its MIDI file. Blocks; for one thread, not the event loop's.

It is written under a partial name, and has its own only when it is whole.
"""

from __future__ import annotations

import os
from contextlib import suppress
from copy import copy
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from pathlib import Path

from radio.air.sinks import cue, names
from radio.air.sinks.container import container
from radio.air.sinks.tags import Tags
from radio.formats import FORMATS, RATE
from radio.link import Packet
from radio.music.transcript import Transcript


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be recorded, and where to."""

    path: Path
    """Without its ending; numbered if there are files of that name."""
    form: str
    header: bytes
    """Of the mount."""
    title: str
    station: str
    channel: str
    """Its title."""
    genre: str
    begun: datetime
    cue: bool = True
    midi: bool = True


class Recording:
    """A recording that begins with the packet `first`, which is still to be written.

    Raises:
        OSError: from every method, as the disk has it.
    """

    def __init__(self, plan: Plan, first: Packet) -> None:
        self.plan = plan
        self.form = FORMATS[plan.form]
        self._origin = first.start - self.form.delay_at(first.start)
        """The source frame that the file's sound begins with."""
        tags = Tags(plan.title, plan.station, plan.channel, plan.genre, plan.begun.isoformat(timespec="seconds"))
        self._container = container(plan.form, plan.header, tags)
        self._titles: list[tuple[int, str]] = []
        self._transcript = Transcript(RATE, self._origin, plan.title) if plan.midi else None
        plan.path.parent.mkdir(parents=True, exist_ok=True)
        self.path, self._file = self._created(plan.path)
        self.size = 0
        """Bytes written."""
        try:
            self._write(self._container.begin())
        except BaseException:
            self.discard()
            raise

    def write(self, packet: Packet) -> None:
        """Adds a packet. One that does not fit on the disk is not there at all."""
        before = copy(self._container)
        try:
            self._write(self._container.packet(packet.data[self.plan.form]))
        except OSError:
            self._container = before
            raise
        if not self._titles or self._titles[-1][1] != packet.title:
            self._titles.append((packet.start - self._origin if self._titles else 0, packet.title))
        if self._transcript:
            self._transcript.add(packet.events, packet.start + packet.frames)

    def finish(self, following: Packet | None) -> Path | None:
        """Completes the files and gives them their names; the sound file, None if nothing was recorded.

        `following`: the packet that comes next, if there is one.
        """
        if not self._container.packets:
            self.discard()
            return None
        try:
            self._write(self._container.end(following.data[self.plan.form] if following else None))
            os.pwrite(self._file, self._container.beginning(), 0)
            os.fsync(self._file)
        finally:
            os.close(self._file)
            path = self._named()
        if self.plan.cue:
            _place(path.with_name(path.name + ".cue"), self._sheet(path.name).encode())
        if self._transcript:
            _place(path.with_name(path.name + ".mid"), self._transcript.file())
        return path.with_name(f"{path.name}.{self.form.extension}")

    def discard(self) -> None:
        """Ends it without a trace."""
        os.close(self._file)
        with suppress(OSError):
            self._partial(self.path).unlink()

    def _sheet(self, name: str) -> str:
        kind = "MP3" if (self.form.codec or self.form.name) == "mp3" else "WAVE"
        plan = self.plan
        title = f"{plan.channel}, {plan.begun:%Y-%m-%d %H:%M}"
        file = f"{name}.{self.form.extension}"
        return cue.sheet(file, kind, title, plan.station, self._titles, plan.begun.isoformat(timespec="seconds"))

    def _write(self, data: bytes) -> None:
        """Writes all of it or, if there is no room, none."""
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self._file, view) :]
        except OSError:
            os.ftruncate(self._file, self.size)
            os.lseek(self._file, self.size, os.SEEK_SET)
            raise
        self.size += len(data)

    def _partial(self, path: Path) -> Path:
        return path.with_name(f"{path.name}.{self.form.extension}{names.PARTIAL}")

    def _taken(self, path: Path) -> bool:
        return any(path.with_name(f"{path.name}.{ending}").exists() for ending in (self.form.extension, "cue", "mid"))

    def _created(self, wanted: Path) -> tuple[Path, int]:
        """The first of the numbered names that is free, and the partial file made under it."""
        for number in count(1):
            path = names.numbered(wanted, number)
            if not self._taken(path):
                with suppress(FileExistsError):
                    return path, os.open(
                        self._partial(path), os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644
                    )
        raise AssertionError("numbers do not end")

    def _named(self) -> Path:
        """Gives the sound file its name: another number if somebody has taken it meanwhile."""
        paths = (names.numbered(self.plan.path, number) for number in count(1))
        path = self.path if not self._taken(self.path) else next(path for path in paths if not self._taken(path))
        self._partial(self.path).rename(path.with_name(f"{path.name}.{self.form.extension}"))
        return path


def _place(path: Path, data: bytes) -> None:
    """Writes a small file, whole or not at all."""
    partial = path.with_name(path.name + names.PARTIAL)
    try:
        partial.write_bytes(data)
        partial.rename(path)
    except OSError:
        partial.unlink(missing_ok=True)
        raise
