from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models import channel, model
from radio.composer import guard, planner, weights
from radio.composer.engine import Engine
from radio.composer.writer import Numbers, Writer, advance
from radio.config import load
from radio.dayparts import ALWAYS, DAY, at, minutes
from radio.errors import ConfigError
from radio.link import Position
from radio.music.score import Piece
from radio.settings import ChannelConfig, DaypartConfig, StationConfig
from radio.studio import soundfont
from radio.studio.programme import Programme
from radio.studio.scale import ScaleComposer
from sound import measure

MORNING, NIGHT = DaypartConfig("06:00-11:30"), DaypartConfig("22:00-06:00", loudness=-6.0)


@pytest.fixture(autouse=True)
def _in_utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def wall(hour: int, minute: int = 0) -> float:
    """A time of the day."""
    return 20_000 * 86_400.0 + 3600 * hour + 60 * minute


@pytest.mark.parametrize(
    ("hour", "minute", "wanted"),
    [
        (5, 59, NIGHT),
        (6, 0, MORNING),
        (11, 29, MORNING),
        (11, 30, ALWAYS),
        (21, 59, ALWAYS),
        (22, 0, NIGHT),
        (0, 0, NIGHT),
    ],
)
def test_a_daypart_holds_from_its_first_minute_to_before_its_last(
    hour: int, minute: int, wanted: DaypartConfig
) -> None:
    assert at((MORNING, NIGHT), wall(hour, minute)) is wanted


def test_the_first_of_several_counts() -> None:
    assert at((DaypartConfig("07:00-09:00"), MORNING), wall(8)).hours == "07:00-09:00"
    assert at((DaypartConfig("07:00-09:00"), MORNING), wall(10)) is MORNING


@given(st.integers(0, DAY - 1), st.integers(0, DAY))
def test_hours_are_read_as_they_are_written(first: int, last: int) -> None:
    hours = f"{first // 60:02}:{first % 60:02}-{last // 60:02}:{last % 60:02}"
    if first == last:
        with pytest.raises(ValueError, match="later"):
            minutes(hours)
    else:
        assert minutes(hours) == (first, last)


@pytest.mark.parametrize("hours", ["", "morning", "6-11", "06:00", "25:00-26:00", "06:60-07:00", "24:00-01:00"])
def test_what_is_no_time_of_the_day_is_refused(hours: str) -> None:
    with pytest.raises(ValueError, match="wanted"):
        minutes(hours)


def test_problems_of_dayparts_are_told_with_their_keys(tmp_path: Path) -> None:
    folder = tmp_path / "channels"
    folder.mkdir()
    text = 'title = "Lobby"\n[prefix]\nstyle = "bach"\n[[dayparts]]\nhours = "6-11"\n[[dayparts]]\n'
    (folder / "lobby.toml").write_text(text + 'hours = "11:00-12:00"\nmix = {jaz = 1}\n', encoding="utf-8")
    (tmp_path / "station.toml").write_text('channels = "channels"\n', encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load(tmp_path / "station.toml")
    for said in ("dayparts.hours: got '6-11'", "dayparts.mix.style: jaz", "did you mean jazz?"):
        assert said in str(caught.value)


def styles(own: ChannelConfig, hour: int, count: int) -> Counter[str]:
    """Styles of the pieces that a channel begins at an hour."""
    engine, guards = Engine(weights.load(model()), 1), guard.load(model())
    writer = Writer(
        own,
        planner.load(model()),
        engine,
        0,
        seed=(5, 0),
        numbers=Numbers(None, own.name),
        guard=guards.of(own.prefix.style),
        guards=guards.of,
        wall=lambda: wall(hour),
    )
    while sum(isinstance(item, Piece) for item in writer.queue) < count:
        advance(engine, [writer])
        if writer.draft and len(writer.draft.piece.bars) > 1:
            writer.draft = None
    return Counter(item.prefix.style for item in writer.queue if isinstance(item, Piece))


def test_pieces_are_of_the_styles_that_the_hour_mixes_and_else_of_the_channels_own() -> None:
    known = sorted(planner.load(model()))
    assert len(known) > 1
    other = next(style for style in known if style != "bach")
    own = replace(
        channel(),
        dayparts=(DaypartConfig("06:00-11:30", {"bach": 1, other: 3}), DaypartConfig("12:00-13:00", {other: 1})),
    )
    assert styles(own, 20, 4) == {"bach": 4}
    assert styles(own, 12, 4) == {other: 4}
    assert set(styles(own, 8, 12)) == {"bach", other}


def heard(folder: Path, hour: int) -> float:
    """Integrated loudness of a channel at an hour, LUFS."""
    own = ChannelConfig("scales", "Scales", breath=0.5, dayparts=(MORNING, NIGHT))
    made = Programme(
        StationConfig(state=folder),
        own,
        ScaleComposer(3),
        Position(0, 0, True),
        soundfont.find(None),
        wall=lambda: wall(hour),
    )
    try:
        sounds = [made.next_sound(1.0) for _ in range(120)]
    finally:
        made.close()
    return measure(np.concatenate([s.pcm for s in sounds if s]).astype(np.float32) / 32768)["I"]


def test_a_channel_is_as_loud_as_the_hour_has_it(tmp_path: Path) -> None:
    day, night = heard(tmp_path / "day", 9), heard(tmp_path / "night", 23)
    assert day == pytest.approx(-16.0, abs=1.0)
    assert night == pytest.approx(day - 6.0, abs=1.0)
