"""The synth: FluidSynth without an audio driver. Events go in, with their frames; blocks of sound come out.

One thread uses a synth. Calls into FluidSynth release the interpreter, so the channels' threads render side by side.
FluidSynth looks at events every 64 frames: a note sounds within 32 frames (0.7 ms) of where it should.
"""

from __future__ import annotations

import ctypes
import heapq
import logging
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from radio.errors import MissingError
from radio.formats import RATE
from radio.music.events import ControlEvent, Event, NoteEvent
from radio.music.score import DRUMS
from radio.studio.soundfont import REMEDY

log = logging.getLogger(__name__)

Pcm = npt.NDArray[np.float32]
"""(frames, 2)"""

GRID = 64
"""Frames between two looks at the events; all that is rendered is a multiple of it."""
LANES = 16
DRUM_LANE = 9
DRUM_BANK = 128
GAIN = 0.4
"""Leaves a busy piece near −20 LUFS; the sound is in floating point, so nothing clips here."""
POLYPHONY = 160
"""Voices; a dense piece under the pedal wants about 100, a full one steals the quietest."""
ROOM = {"roomsize": 0.62, "damping": 0.35, "width": 0.8, "level": 0.8}
REVERB_SEND = 91
_making = threading.Lock()
"""Held while a synth is made: FluidSynth fills tables the first time, and the soundfont is read once."""
_OFF, _CONTROL, _ON = range(3)
"""Kinds of command, in the order in which they happen within one frame."""


class Synth:
    """Plays events on 16 lanes, drums on lane 9.

    Raises:
        MissingError: FluidSynth's library is not there, or the soundfont cannot be read.
    """

    def __init__(self, soundfont: Path, *, reverb: float = 0.4) -> None:
        fluidsynth = _library()
        self._send = round(127 * min(max(reverb, 0.0), 1.0))
        settings = {
            "synth.chorus.active": 0,
            "synth.reverb.active": int(self._send > 0),
            "synth.polyphony": POLYPHONY,
            "synth.threadsafe-api": 0,
            "synth.lock-memory": 0,
        }
        with _making:
            self._fluid = fluidsynth.Synth(gain=GAIN, samplerate=float(RATE), channels=LANES, **settings)
            self._font = self._fluid.sfload(str(soundfont))
            if self._font == -1:
                self._fluid.delete()
                raise MissingError(f"{soundfont}: FluidSynth cannot read this soundfont; {REMEDY}")
        self._fluid.set_reverb(**ROOM)
        self._write = fluidsynth._fl.fluid_synth_write_float
        self._commands: list[tuple[int, int, int, Event]] = []
        """A heap: frame, kind, serial number of the event, event."""
        self._serial = 0
        self._programs: dict[int, int] = {}
        self._sounding: dict[tuple[int, int], int] = {}
        """The serial number of the note that holds a lane's key down."""

    def close(self) -> None:
        """Frees the synth, which cannot be used any more."""
        if self._fluid is not None:
            self._fluid.delete()
            self._fluid = None

    @property
    def voices(self) -> int:
        """Voices that sound."""
        return int(self._fluid.get_active_voice_count())

    def play(self, events: Iterable[Event]) -> None:
        """Takes note and control events that are to happen from now on; others are passed over."""
        for event in events:
            self._serial += 1
            if isinstance(event, NoteEvent):
                heapq.heappush(self._commands, (event.at, _ON, self._serial, event))
                heapq.heappush(self._commands, (event.at + max(event.frames, GRID), _OFF, self._serial, event))
            elif isinstance(event, ControlEvent):
                heapq.heappush(self._commands, (event.at, _CONTROL, self._serial, event))

    def render(self, start: int, frames: int) -> Pcm:
        """The sound from frame `start` on: (frames, 2). What should have happened before `start` happens at once."""
        if frames % GRID:
            raise ValueError(f"got {frames} frames, wanted a multiple of {GRID}")
        pcm = np.empty((frames, 2), dtype=np.float32)
        done = 0
        while done < frames:
            self._apply(start + done + GRID // 2)
            until = frames
            if self._commands:
                ahead = self._commands[0][0] - start + GRID // 2
                until = min(frames, ahead // GRID * GRID)
            self._render(pcm[done:until])
            done = until
        return pcm

    def reset(self) -> None:
        """Silence at once: no note, no reverberation, no event to come; every lane as new."""
        self._commands.clear()
        self._programs.clear()
        self._sounding.clear()
        for lane in range(LANES):
            self._fluid.all_sounds_off(lane)
        # Voices end as the next frames are rendered; only then does a reset find the reverberation without input.
        self._render(np.empty((GRID, 2), dtype=np.float32))
        self._fluid.system_reset()

    def _render(self, pcm: Pcm) -> None:
        address = pcm.ctypes.data
        pointer = ctypes.c_void_p(address)
        self._write(ctypes.c_void_p(self._fluid.synth), len(pcm), pointer, 0, 2, pointer, 1, 2)

    def _apply(self, before: int) -> None:
        """Does what is to happen before this frame."""
        while self._commands and self._commands[0][0] < before:
            _, kind, serial, event = heapq.heappop(self._commands)
            if isinstance(event, ControlEvent):
                self._prepare(event.lane)
                self._fluid.cc(event.lane, event.control, event.value)
            elif isinstance(event, NoteEvent):
                key = (event.lane, event.pitch)
                if kind == _ON:
                    self._prepare(event.lane)
                    self._select(event.lane, event.program)
                    self._sounding[key] = serial
                    self._fluid.noteon(event.lane, event.pitch, event.velocity)
                elif self._sounding.get(key) == serial:
                    # A note that was struck again is ended by the later of its two notes alone.
                    del self._sounding[key]
                    self._fluid.noteoff(event.lane, event.pitch)

    def _prepare(self, lane: int) -> None:
        if lane not in self._programs:
            self._programs[lane] = -1
            self._fluid.cc(lane, REVERB_SEND, self._send)

    def _select(self, lane: int, program: int) -> None:
        if self._programs[lane] == program:
            return
        self._programs[lane] = program
        bank, preset = (DRUM_BANK, 0) if program == DRUMS else (0, program)
        if self._fluid.program_select(lane, self._font, bank, preset) == -1:
            log.warning("the soundfont has no program %d; a piano plays it", program)
            self._fluid.program_select(lane, self._font, 0, 0)


def _library() -> Any:
    """pyfluidsynth, which loads FluidSynth's library as it is imported."""
    try:
        import fluidsynth
    except (ImportError, OSError) as error:
        raise MissingError(
            f"FluidSynth's library is not there ({error}); apt-get install libfluidsynth3 "
            "(Fedora: fluidsynth-libs, Arch: fluidsynth, macOS: brew install fluid-synth)"
        ) from error
    return fluidsynth
