"""Breaks: a station's idents and announcements, audio files spoken over the beginning of a piece.

At most one in each stretch of `every` seconds, as the first piece in it opens, so that none cuts into a piece. The
music is lowered beforehand and comes back afterwards; a file is as loud as the music, whatever it was recorded at.
Which file is next follows from the stretch's number: all take their turn, and a restarted studio goes on with the
same.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt

from radio.formats import BLOCK, RATE
from radio.settings import BreaksConfig
from radio.studio.loudness import LOWEST, Histogram, Sliding, Weighting, lufs

log = logging.getLogger(__name__)

Pcm = npt.NDArray[np.float32]
"""(frames, 2)"""

LONGEST = 300.0
"""Seconds of a file; what is longer is cut."""


class Breaks:
    """The breaks of one channel. Blocks of music go through `mix`, in order."""

    def __init__(
        self, config: BreaksConfig, channel: str, loudness: float, start: int, known: Mapping[str, Any] | None = None
    ) -> None:
        """`loudness`: LUFS of the music; `start`: the frame of the first block, in whose stretch there is no break;
        `known`: the `state` that another left off with."""
        on = config.folder is not None and (not config.channels or channel in config.channels)
        self._folder = config.folder if on else None
        self._every = round(config.every * RATE)
        self._low = 10 ** (-config.duck / 20)
        self._loudness = loudness
        self._stretch = start // self._every
        """In which the last break was."""
        self._spoken: Spoken | None = None
        if known and self._folder is not None:
            self._recall(known)

    def state(self) -> dict[str, Any]:
        """What another goes on from, as JSON; empty without breaks."""
        if self._folder is None:
            return {}
        spoken = {"file": self._spoken.name, "from": self._spoken.start} if self._spoken else {}
        return {"stretch": self._stretch, **spoken}

    def mix(self, pcm: Pcm, start: int, *, opening: bool) -> Pcm:
        """A block of music as it is heard; `opening`: a piece begins with it."""
        if self._folder is None:
            return pcm
        if opening and start // self._every > self._stretch and self._spoken is None:
            self._stretch = start // self._every
            self._spoken = self._next(start)
        if self._spoken is None:
            return pcm
        mixed = self._spoken.over(pcm, start, self._low)
        if self._spoken.over_at(start + BLOCK):
            self._spoken = None
        return mixed

    def _next(self, start: int) -> Spoken | None:
        """The file whose turn it is, or, of those that can be used, the next."""
        assert self._folder is not None
        names = files(self._folder)
        for turn in range(len(names)):
            name = names[(self._stretch + turn) % len(names)]
            if (pcm := self._load(name)) is not None:
                return Spoken(name, start, pcm)
        return None

    def _load(self, name: str) -> Pcm | None:
        assert self._folder is not None
        try:
            return recording(self._folder / name, self._loudness)
        except (OSError, ValueError) as error:
            log.warning("%s: not played: %s", self._folder / name, error)
            return None

    def _recall(self, known: Mapping[str, Any]) -> None:
        self._stretch = int(known["stretch"])
        if "file" in known and (pcm := self._load(Path(str(known["file"])).name)) is not None:
            self._spoken = Spoken(str(known["file"]), int(known["from"]), pcm)


@dataclass(frozen=True, slots=True, eq=False)
class Spoken:
    """A break that is on: in its first block the music goes down, in the last it comes up again."""

    name: str
    start: int
    pcm: Pcm
    """Whole blocks."""

    def over(self, music: Pcm, at: int, low: float) -> Pcm:
        """The block of music that starts at a frame, with what is spoken over it; the music lowered to `low`."""
        place = at - self.start - BLOCK
        if place < 0:
            return music * np.linspace(1, low, BLOCK, dtype=np.float32)[:, None]
        if place >= len(self.pcm):
            return music * np.linspace(low, 1, BLOCK, dtype=np.float32)[:, None]
        mixed: Pcm = music * np.float32(low) + self.pcm[place : place + BLOCK]
        return mixed

    def over_at(self, at: int) -> bool:
        """Whether nothing of it is left for the block that starts at a frame."""
        return at - self.start >= len(self.pcm) + 2 * BLOCK


def files(folder: Path) -> Sequence[str]:
    """Names of a folder's files in the alphabet's order; hidden ones do not count."""
    try:
        return sorted(path.name for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    except OSError as error:
        log.warning("%s: no breaks: %s", folder, error)
        return []


def recording(path: Path, loudness: float) -> Pcm:
    """An audio file of any format that FFmpeg reads, brought to a loudness in LUFS; whole blocks.

    Raises:
        OSError: the file cannot be read.
        ValueError: it holds no sound.
    """
    pcm = _decoded(path)
    blocks = np.pad(pcm, ((0, -len(pcm) % BLOCK), (0, 0))).reshape(-1, BLOCK, 2)
    weighting, sliding, heard = Weighting(), Sliding(), Histogram(math.inf)
    for block in blocks:
        heard.add(sliding.windows(weighting.groups(block)))
    measured = lufs(heard.gated()[0])
    if measured <= LOWEST:
        raise ValueError("it is silent")
    louder = np.float32(10 ** ((loudness - measured) / 20))
    brought: Pcm = (blocks * louder).reshape(-1, 2)
    return brought


def _decoded(path: Path) -> Pcm:
    """Its sound at RATE, both sides: (frames, 2)."""
    parts: list[npt.NDArray[Any]] = []
    try:
        with av.open(str(path)) as container:
            if not container.streams.audio:
                raise ValueError("there is no sound in it")
            resampler = av.AudioResampler(format="fltp", layout="stereo", rate=RATE)
            for frame in container.decode(container.streams.audio[0]):
                parts += [part.to_ndarray() for part in resampler.resample(frame)]
                if frame.time is not None and frame.time > LONGEST:
                    break
            parts += [part.to_ndarray() for part in resampler.resample(None)]
    except av.FFmpegError as error:
        raise ValueError(f"FFmpeg cannot read it: {error}") from error
    if not parts:
        raise ValueError("there is no sound in it")
    pcm: Pcm = np.ascontiguousarray(np.concatenate(parts, axis=1)[:, : round(LONGEST * RATE)].T, dtype=np.float32)
    return pcm
