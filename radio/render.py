"""`radio render`: a MIDI file, or a piece composed for a channel, as a sound file. Off the air and not in real time.

The performance is the studio's. The loudness is not levelled as it goes, as on the air: the piece is played twice, once
to measure it and once to write it with the one gain that brings it to the station's loudness.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, cast

import av
import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.progress import Progress

from radio.config import Config
from radio.errors import ConfigError, MissingError
from radio.formats import BLOCK, RATE
from radio.music import keys, smf
from radio.music.score import Bar, Piece, Prefix
from radio.settings import ChannelConfig, PerformerConfig
from radio.studio.limiter import Limiter
from radio.studio.loudness import Histogram, Sliding, Weighting, lufs
from radio.studio.performer import EARLY, Performer
from radio.studio.soundfont import find
from radio.studio.synth import Synth

Pcm = npt.NDArray[np.float32]
"""(frames, 2), −1 to 1."""

CODECS = {".mp3": "libmp3lame", ".opus": "libopus", ".flac": "flac", ".wav": "pcm_s16le"}
"""By the output's ending."""
TAIL = 8.0
"""Seconds that the last notes and the room are given to die away, at most."""
SILENCE = 1e-4
"""Peak below which they have: −80 dB."""


def render(config: Config, source: str, output: Path, seconds: float | None, manner: str | None) -> None:
    """Writes `source`, a MIDI file or a channel's name, to `output`: at most `seconds` of it.

    A MIDI file is played in the manner of a channel, if one is named.

    Raises:
        ConfigError: no such channel, or no such format.
        MidiError: the file cannot be used.
        MissingError: FluidSynth, the soundfont, the model or the output's folder is not there.
    """
    codec = CODECS.get(output.suffix.lower())
    if codec is None:
        raise ConfigError([f"{output}: not a sound file's ending, wanted one of: {', '.join(CODECS)}"])
    from_file = Path(source).suffix.lower() in (".mid", ".midi") or Path(source).is_file()
    channel, piece = read(config, source, manner) if from_file else composed(config, source)
    console = Console(stderr=True)
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task(piece.title, total=2 * min(piece.seconds, seconds or math.inf))
        loudness = Histogram(half_life=math.inf)
        weighting, sliding = Weighting(), Sliding()
        for pcm in sound(config, channel, piece, seconds):
            loudness.add(sliding.windows(weighting.groups(pcm)))
            progress.advance(task, BLOCK / RATE)
        measured, heard = loudness.gated()
        gain = 10 ** ((config.station.loudness - lufs(measured)) / 20) if heard else 1.0
        with SoundFile(output, codec, config, piece.title) as file:
            for pcm in limited(sound(config, channel, piece, seconds), gain, channel.true_peak):
                file.write(pcm)
                progress.advance(task, BLOCK / RATE)
    minutes, rest = divmod(round(file.seconds), 60)
    console.print(f"{output}  {piece.title}, {minutes}:{rest:02d}", highlight=False, soft_wrap=True)


def read(config: Config, path: str, manner: str | None) -> tuple[ChannelConfig, Piece]:
    """A MIDI file as a piece, and how to play it."""
    channel = config.channel(manner) if manner else ChannelConfig(name="file", title="")
    score = smf.read(Path(path), pedal="ignore" if channel.performer.pedal else "extend")
    if score.played:  # it has a player's timing and touch already
        played = PerformerConfig(dynamics=0, rubato=0, ritardando=0, humanize=0, pedal=channel.performer.pedal)
        channel = replace(channel, performer=played)
    prefix = Prefix(key=keys.estimate(score.bars)[0], bars=len(score.bars))
    return channel, Piece(prefix, Path(path).stem.replace("_", " "), score.bars, seed=config.station.seed or 0)


def composed(config: Config, name: str) -> tuple[ChannelConfig, Piece]:
    """A channel, and a new piece for it."""
    channel = config.channel(name)
    station = config.station
    if station.composer == "scale":
        from radio.studio.scale import plan, write

        piece = plan(name, 1, station.seed or 0)
        return channel, piece.with_bars(tuple(write(piece)))
    import secrets

    from radio.composer.compose import compose

    seed = secrets.randbits(31) if station.seed is None else station.seed
    device = "cuda" if station.device == "cuda" else "cpu"
    pieces = [item for item in compose(station.model, channel, 1, seed, device=device) if isinstance(item, Piece)]
    return channel, pieces[0]


def sound(config: Config, channel: ChannelConfig, piece: Piece, seconds: float | None) -> Iterator[Pcm]:
    """The piece as it sounds, in blocks, before any gain; the same at every call."""
    most = math.inf if seconds is None else seconds * RATE
    synth = Synth(find(config.station.soundfont), reverb=channel.reverb)
    try:
        at = 0
        for end in _performed(channel, piece, synth):
            while at + BLOCK <= end - EARLY and at < most:
                yield synth.render(at, BLOCK)
                at += BLOCK
        last = at + EARLY + TAIL * RATE
        while at < min(last, most):
            pcm = synth.render(at, BLOCK)
            yield pcm
            at += BLOCK
            if at > last - (TAIL - 1) * RATE and float(np.abs(pcm).max()) < SILENCE:
                break
    finally:
        synth.close()


def _performed(channel: ChannelConfig, piece: Piece, synth: Synth) -> Iterator[int]:
    """Hands the synth the piece bar by bar; where each bar ends, in frames."""
    performer = Performer(channel, piece, start=BLOCK)
    following: tuple[Bar | None, ...] = (*piece.bars[1:], None)
    for bar, after in zip(piece.bars, following, strict=True):
        performed = performer.play(bar, after)
        synth.play(performed.events)
        yield performed.end


def limited(blocks: Iterator[Pcm], gain: float, true_peak: float) -> Iterator[Pcm]:
    """Blocks with a gain, their true peaks held below `true_peak` dBTP."""
    limiter = Limiter(true_peak)
    for pcm in blocks:
        done = limiter.push((pcm * gain).astype(np.float32))
        if done is not None:
            yield done
    done = limiter.push(np.zeros((BLOCK, 2), dtype=np.float32))
    if done is not None:
        yield done


class SoundFile:
    """A sound file being written, through PyAV."""

    def __init__(self, path: Path, codec: str, config: Config, title: str) -> None:
        self.seconds = 0.0
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._container = cast(Any, av.open(str(path), "w"))
        except OSError as error:
            raise MissingError(f"{path}: {error.strerror}; wanted a folder that can be written to") from error
        self._container.metadata.update(title=title, artist=config.station.name)
        self._stream = cast(Any, self._container.add_stream(codec, rate=RATE))
        self._stream.layout = "stereo"
        if codec == "libmp3lame":
            self._stream.bit_rate = config.station.bitrate * 1000
        elif codec == "libopus":
            self._stream.bit_rate = config.station.opus_bitrate * 1000

    def write(self, pcm: Pcm) -> None:
        """Adds sound."""
        data: Any = np.rint(np.clip(pcm, -1, 1) * 32767).astype(np.int16).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(data, format="s16", layout="stereo")
        frame.sample_rate = RATE
        frame.pts = round(self.seconds * RATE)
        self._container.mux(self._stream.encode(frame))
        self.seconds += len(pcm) / RATE

    def __enter__(self) -> SoundFile:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None) -> None:
        self._container.mux(self._stream.encode(None))
        self._container.close()
