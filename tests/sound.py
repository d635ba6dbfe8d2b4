"""Sound for tests: made from seeds, decoded and measured by ffmpeg and mpg123, which know nothing of our code."""

from __future__ import annotations

import re
import subprocess
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.signal import butter, sosfilt

from radio.formats import RATE

Pcm = npt.NDArray[np.float32]
"""(frames, 2)"""

NOTES = ("Estimating duration", "Ignoring maximum wav data size", "Guessed Channel Layout")
"""What ffmpeg says of any stream without an end, and of any WAV."""
CUT = ("Packet corrupt (stream = 0, dts = NOPTS)", "corrupt input packet in stream 0")
"""What it says of the last few samples of a WAV that promised more."""


def noise(frames: int, seed: int = 1, level: float = 0.1) -> Pcm:
    """Noise below 5 kHz, which codecs keep; the same for the same seed."""
    rng = np.random.default_rng(seed)
    low: Pcm = sosfilt(butter(6, 5000, fs=RATE, output="sos"), rng.standard_normal((frames, 2)), axis=0)
    return (low * (level / 0.45)).astype(np.float32)


def tone(frames: int, hertz: float = 1000.0, level: float = 0.5) -> Pcm:
    """A sine on both sides."""
    wave = level * np.sin(2 * np.pi * hertz * np.arange(frames) / RATE)
    return np.stack([wave, wave], axis=1).astype(np.float32)


def samples(pcm: Pcm) -> npt.NDArray[np.int16]:
    """As an encoder wants it."""
    return np.rint(np.clip(pcm, -1, 1) * 32767).astype(np.int16)


def _run(command: list[str], data: bytes) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(command, input=data, capture_output=True, timeout=100, check=True)


def decode(data: bytes) -> Pcm:
    """Decoded by ffmpeg, which must have nothing to complain of."""
    done = _run(
        f"ffmpeg -v warning -i - -f f32le -ac 2 -ar {RATE} -".split(),
        data,
    )
    known = (*NOTES, *CUT) if data.startswith(b"RIFF") else NOTES
    complaints = [line for line in done.stderr.decode().splitlines() if not any(note in line for note in known)]
    assert not complaints, complaints
    return np.frombuffer(done.stdout, dtype="<f4").reshape(-1, 2)


def decode_mpg123(data: bytes) -> Pcm:
    """MP3 decoded by mpg123, as it comes."""
    done = _run(["mpg123", "-q", "--no-gapless", "-e", "f32", "-s", "-"], data)
    assert not done.stderr, done.stderr
    return np.frombuffer(done.stdout, dtype="<f4").reshape(-1, 2)


def lag(late: Pcm, early: Pcm) -> int:
    """Frames by which the one lags the other, by cross-correlation."""
    size = 1 << (len(late) + len(early)).bit_length()
    spectrum = np.fft.rfft(late[:, 0], size) * np.conj(np.fft.rfft(early[:, 0], size))
    best = int(np.fft.irfft(spectrum).argmax())
    return best if best < size // 2 else best - size


def measure(pcm: Pcm) -> dict[str, float]:
    """Integrated loudness (LUFS), loudness range (LU) and true peak (dBTP), by ffmpeg's ebur128."""
    done: Any = _run(
        f"ffmpeg -nostats -f f32le -ar {RATE} -ac 2 -i - -af ebur128=peak=true:framelog=verbose -f null -".split(),
        np.ascontiguousarray(pcm, dtype="<f4").tobytes(),
    )
    text = done.stderr.decode().partition("Summary:")[2]
    found = {name: re.search(rf"\b{name}:\s+(-?[\d.]+|-inf)", text) for name in ("I", "LRA", "Peak")}
    return {name: float(match[1]) for name, match in found.items() if match}
