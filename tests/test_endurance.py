"""Endurance: hours of music judged, and a run that goes on where it was stopped."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from models import channel, model
from music import tune
from radio.composer import endurance
from radio.composer.endurance import Endurance
from radio.composer.kit.collapse import Limits
from radio.errors import ModelError
from radio.music.score import Bar
from radio.settings import ChannelConfig

HOURS = 0.001
LIMITS = Limits(density=(0.5, 12.0), entropy=(0.2, 3.6), loop=6)


def short(name: str) -> ChannelConfig:
    """A channel of short pieces: a model that is not trained fills bars with as many notes as there is room for."""
    return channel(name, bars=(4, 4))


def hours(count: int, *, low: int = 48) -> list[tuple[int, list[Bar]]]:
    """Pieces of 38 s, of one stream."""
    return [(0, tune(seed, low=low)) for seed in range(count)]


def test_music_that_goes_on_as_it_began_neither_collapses_nor_drifts() -> None:
    found = endurance.judge(hours(80), LIMITS)
    assert (found.collapses, found.first, found.drifted) == ({}, None, {})
    assert found.hours == pytest.approx(80 * 38.4 / 3600, abs=0.01)


def test_a_loop_is_a_collapse_and_is_timed() -> None:
    stuck = [tune(90)[0]] * 40
    found = endurance.judge([*hours(10), (0, stuck)], LIMITS)
    assert found.collapses["loop"] == 1
    assert found.first == pytest.approx(10 * 38.4 / 3600, abs=0.02)


def test_bars_of_two_streams_make_no_loop_together() -> None:
    half = [tune(90)[0]] * 4
    assert endurance.judge([(0, half), (0, half)], LIMITS).collapses["loop"] == 1
    assert "loop" not in endurance.judge([(0, half), (1, half)], LIMITS).collapses


def test_music_that_climbs_has_drifted() -> None:
    found = endurance.judge([*hours(50), *hours(40, low=60)], LIMITS)
    assert found.drifted["pitch"] > 0


def test_half_an_hour_says_nothing_of_drift() -> None:
    assert endurance.judge([*hours(20), *hours(20, low=60)], LIMITS).drifted == {}


def test_a_run_writes_each_channel_and_goes_on_where_it_was(tmp_path: Path) -> None:
    out = tmp_path / "endurance.json"
    both = (short("bach"), short("ragtime"))
    told: list[str] = []
    first = endurance.run(model(), both[:1], HOURS, 1, out)
    found = endurance.run(model(), both, HOURS, 1, out, progress=lambda name, seconds: told.append(name))
    assert found["bach"] == first["bach"]
    assert told.count("bach") == 1
    assert set(json.loads(out.read_text())["channels"]) == {"bach", "ragtime"}
    assert all(isinstance(own, Endurance) and own.hours >= HOURS for own in found.values())


def test_another_run_begins_anew(tmp_path: Path) -> None:
    out = tmp_path / "endurance.json"
    endurance.run(model(), (short("bach"),), HOURS, 1, out)
    endurance.run(model(), (short("ragtime"),), HOURS, 2, out, guarded=False)
    assert set(json.loads(out.read_text())["channels"]) == {"ragtime"}


def test_a_style_without_limits_is_named(tmp_path: Path) -> None:
    own = short("bach")
    strange = replace(own, prefix=replace(own.prefix, style="polka"))
    with pytest.raises(ModelError, match="no limits of the style 'polka'"):
        endurance.run(model(), (strange,), HOURS, 1, tmp_path / "endurance.json")
