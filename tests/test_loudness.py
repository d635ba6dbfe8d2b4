"""Loudness and limiter, against ffmpeg's ebur128."""

from __future__ import annotations

import json

import numpy as np
import pytest

from radio.formats import BLOCK, RATE
from radio.studio.limiter import GROUP, Limiter
from radio.studio.loudness import Histogram, Leveller, Sliding, Weighting, lufs
from sound import Pcm, measure, noise, tone

AHEAD = 25


def swelling(seconds: float, *levels: float, seed: int = 1) -> Pcm:
    """Noise with a slow swell, at one level after the other, each for `seconds`."""
    frames = round(seconds * RATE / BLOCK) * BLOCK
    swell = (0.75 + 0.5 * np.abs(np.sin(np.arange(frames) / RATE * 2.0))).astype(np.float32)[:, None]
    return np.concatenate([noise(frames, seed + n, 1.0) * swell * level for n, level in enumerate(levels)])


def blocks(sound: Pcm) -> list[Pcm]:
    return [sound[start : start + BLOCK] for start in range(0, len(sound) - BLOCK + 1, BLOCK)]


def levelled(
    sound: Pcm, leveller: Leveller, openings: frozenset[int] = frozenset({0}), ceiling: float = 60.0
) -> tuple[Pcm, list[float]]:
    """The sound with its gain, and the gain after each block; `openings` are numbers of blocks that open a piece."""
    weighting, limiter, made, gains = Weighting(), Limiter(ceiling), [], []
    waiting: list[tuple[int, Pcm]] = []
    parts = blocks(sound)
    for number in range(len(parts) + AHEAD):
        if number < len(parts):
            leveller.push(weighting.groups(parts[number]), opening=number in openings)
            waiting.append((number, parts[number]))
        if number >= AHEAD:
            first, part = waiting.pop(0)
            if first in openings:
                leveller.open()
            before, after = leveller.pop()
            gain = 10 ** (np.linspace(before, after, BLOCK, dtype=np.float32)[:, None] / 20)
            gains.append(after)
            ready = limiter.push(part * gain)
            if ready is not None:
                leveller.sent(limiter.gains)
                made.append(ready)
    return np.concatenate(made), gains


def limited(sound: Pcm) -> Pcm:
    limiter = Limiter(-2.2)
    silence = np.zeros((BLOCK, 2), dtype=np.float32)
    done = [limiter.push(part) for part in [*blocks(sound), silence]]
    assert done[0] is None
    return np.concatenate([part for part in done if part is not None])


@pytest.mark.parametrize("hertz", [60.0, 440.0, 997.0, 3000.0, 10000.0])
def test_tones_are_as_loud_as_the_standard_says(hertz: float) -> None:
    sound = tone(20 * BLOCK, hertz, 0.1)
    weighting, sliding = Weighting(), Sliding()
    windows = [sliding.windows(weighting.groups(part)) for part in blocks(sound)]
    assert lufs(float(windows[-1][-1])) == pytest.approx(measure(sound)["I"], abs=0.15)


def test_integrated_loudness_is_gated_as_the_standard_gates_it() -> None:
    """Loud and soft passages and silence: the soft ones and the silence do not count."""
    sound = swelling(10, 0.2, 0.1, 0.005, 0.0, 0.15)
    weighting, sliding, histogram = Weighting(), Sliding(), Histogram(half_life=1e9)
    for part in blocks(sound):
        histogram.add(sliding.windows(weighting.groups(part)))
    found, seconds = histogram.gated()
    assert lufs(found) == pytest.approx(measure(sound)["I"], abs=0.2)
    assert seconds == pytest.approx(30, abs=1.0)


@pytest.mark.parametrize("level", [0.003, 0.05, 0.8])
def test_a_piece_begins_at_the_target_whatever_its_level(level: float) -> None:
    made, gains = levelled(swelling(60, level), Leveller(-16.0))
    assert measure(made[: 5 * RATE])["I"] == pytest.approx(-16, abs=1)
    assert measure(made)["I"] == pytest.approx(-16, abs=0.5)
    assert max(gains) - min(gains) < 1.5


def test_pieces_of_different_levels_are_equally_loud() -> None:
    sound = swelling(48, 0.02, 0.3, 0.08)
    count = len(blocks(sound)) // 3
    made, _ = levelled(sound, Leveller(-16.0), frozenset({0, count, 2 * count}))
    thirds = [measure(made[n * count * BLOCK : (n + 1) * count * BLOCK])["I"] for n in range(3)]
    assert thirds == pytest.approx([-16, -16, -16], abs=1.5)
    assert measure(made)["I"] == pytest.approx(-16, abs=1)


def test_the_dynamics_of_a_piece_live() -> None:
    """A soft passage between loud ones stays softer by most of what it was."""
    made, _ = levelled(swelling(24, 0.2, 0.06, 0.2), Leveller(-16.0))
    part = len(made) // 3
    loud, soft = (measure(made[start : start + part])["I"] for start in (0, part))
    assert loud - soft > 0.6 * 20 * np.log10(0.2 / 0.06)


def test_a_passage_too_soft_for_a_room_is_lifted() -> None:
    made, _ = levelled(swelling(24, 0.2, 0.01, 0.2), Leveller(-16.0))
    part = len(made) // 3
    loud, soft = (measure(made[start + 10 * RATE : start + part])["I"] for start in (0, part))
    assert 12 < loud - soft < 24


def test_the_gain_is_slow_within_a_piece() -> None:
    _, gains = levelled(swelling(20, 0.02, 0.2), Leveller(-16.0))
    steps = np.abs(np.diff(gains)) / 0.24
    assert steps.max() < 6
    assert np.median(steps) < 0.6


def test_nan_and_silence_do_not_move_the_gain_beyond_its_bounds() -> None:
    made, gains = levelled(np.zeros((60 * BLOCK, 2), dtype=np.float32), Leveller(-16.0))
    assert np.abs(made).max() == 0
    assert np.ptp(gains) == 0


def test_a_leveller_goes_on_from_its_state() -> None:
    sound = swelling(30, 0.1, 0.05)
    whole = Leveller(-16.0)
    weighting = Weighting()
    parts = [weighting.groups(part) for part in blocks(sound)]
    unlimited = np.ones(BLOCK // GROUP, dtype=np.float32)
    for part in parts:
        whole.push(part)
    for _ in range(100):
        whole.pop()
        whole.sent(unlimited)
    state = json.loads(json.dumps(whole.state()))
    again = Leveller(-16.0, state)
    for part in parts[100:]:
        again.push(part, known=True)
    for _ in range(len(parts) - 100):
        assert again.pop() == pytest.approx(whole.pop(), abs=0.15)
        again.sent(unlimited)
        whole.sent(unlimited)
    assert again.gain == pytest.approx(whole.gain, abs=0.1)


def test_what_the_limiter_takes_is_given_beforehand() -> None:
    """Beats over a soft carpet: their peaks are limited, and the whole is as loud as it should be all the same."""
    beat = np.exp(-np.arange(RATE // 2) / 4500).astype(np.float32)[:, None]
    beats = np.tile(beat, (120, 1))[: 60 * RATE // BLOCK * BLOCK]
    sound = noise(len(beats), 1, 0.3) * beats * 0.3 + noise(len(beats), 2, 0.002)
    made, _ = levelled(sound, Leveller(-16.0), ceiling=-2.2)
    unlimited, _ = levelled(sound, Leveller(-16.0))
    assert measure(unlimited)["Peak"] > 0
    assert measure(made)["Peak"] < -2.1
    assert measure(made[10 * RATE :])["I"] == pytest.approx(-16, abs=0.4)


@pytest.mark.parametrize("seed", range(3))
def test_no_true_peak_is_above_the_ceiling(seed: int) -> None:
    rng = np.random.default_rng(seed)
    sound = noise(20 * BLOCK, seed, 0.3) * np.repeat(rng.uniform(0.1, 3, (20 * 24, 1)), 480, axis=0).astype(np.float32)
    made = limited(sound)
    assert measure(sound)["Peak"] > 0
    assert -3.0 < measure(made)["Peak"] <= -2.1


def test_peaks_between_frames_are_found() -> None:
    """A quarter of the sampling rate, in the worst phase: no frame comes near the wave's height."""
    wave = np.sin(np.pi / 2 * np.arange(20 * BLOCK) + np.pi / 4)
    sound = np.stack([wave, wave], axis=1).astype(np.float32)
    assert np.abs(sound).max() < 0.71
    made = limited(sound * 1.2)
    fade = np.minimum(1, np.minimum(np.arange(len(made)), np.arange(len(made))[::-1]) / 4800)
    assert measure(made * fade[:, None])["Peak"] == pytest.approx(-2.2, abs=0.15)


def test_sound_below_the_ceiling_is_left_alone() -> None:
    sound = noise(6 * BLOCK, level=0.1)
    assert np.array_equal(limited(sound), sound)


def test_the_limiter_moves_nothing_in_time_and_lets_go_again() -> None:
    sound = tone(8 * BLOCK, 440, 0.3)
    sound[4 * BLOCK - 200 : 4 * BLOCK + 200] *= 5
    made = limited(sound)
    gain = made[:, 0] / np.where(np.abs(sound[:, 0]) < 0.05, np.nan, sound[:, 0])
    assert np.nanmin(gain[: 4 * BLOCK - 1000]) == pytest.approx(1)
    assert np.nanmin(gain[4 * BLOCK - 200 : 4 * BLOCK + 200]) < 0.6
    assert np.nanmin(gain[5 * BLOCK + 4000 :]) == pytest.approx(1)
    assert np.nanmax(np.abs(np.diff(gain))) < 0.01
