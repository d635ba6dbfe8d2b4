"""Names of recordings, and which of them are deleted."""

from __future__ import annotations

import os
import re
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radio.air.sinks import cue, names
from radio.air.sinks.keeping import DAY, GIGABYTE, Kept, found, prune, superfluous
from radio.formats import RATE
from radio.sinks import RecordConfig

NOW = datetime(2026, 11, 22, 4, 5, 6)
hostile = st.text(max_size=80) | st.sampled_from(
    ["..", "a/b", "\0", "CON", ". .", "é" * 200, "🎹" * 90, "x (2)", "a.mp3"]
)
patterns = st.sampled_from(
    [
        "{channel}/{date} {time} {title}",
        "{channel}",
        "{date}/{channel}[{title}]",
        "({channel}) {time}*",
        "{channel}.{title}",
    ]
)


@given(hostile)
def test_a_title_is_part_of_a_name_on_any_system(title: str) -> None:
    safe = names.safe(title)
    assert safe
    assert not set(safe) & set('/\\:*?"<>|\0\r\n')
    assert safe == safe.strip(" .")
    assert len(safe.encode()) <= names.LONGEST


@given(patterns, hostile, st.integers(1, 12), st.sampled_from(["mp3", "192.mp3"]))
def test_every_file_of_a_recording_is_known_by_its_name(pattern: str, title: str, number: int, extension: str) -> None:
    path = names.numbered(Path(names.stem(pattern, "bach", title, NOW)), number)
    known = names.recordings(pattern, "bach", extension)
    for ending in (extension, "cue", "mid", extension + names.PARTIAL, "cue" + names.PARTIAL):
        match = known.fullmatch(f"{path.as_posix()}.{ending}")
        assert match
        assert match["stem"] == path.as_posix()


@given(patterns, st.text(min_size=1, max_size=30))
def test_no_file_of_another_channel_is_known_as_ours(pattern: str, title: str) -> None:
    path = names.stem(pattern, "bach", title, NOW)
    assert not names.recordings(pattern, "ragtime", "mp3").fullmatch(f"{path}.mp3")


def test_only_recordings_are_found_and_the_oldest_come_first(tmp_path: Path) -> None:
    config = RecordConfig("record", folder=tmp_path)
    mine = [
        "bach/2026-11-22 04-05-06 Two.mp3",
        "bach/2026-11-22 04-05-06 Two.cue",
        "bach/2026-11-21 04-05-06 One (2).mp3",
    ]
    others = ["bach/holiday.mp3", "ragtime/2026-11-22 04-05-06 Two.mp3", "bach/2026-11-22 04-05-06 Two.txt", "x.mp3"]
    for number, name in enumerate([*mine, *others]):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(bytes(10))
        os.utime(tmp_path / name, (1000 - number, 1000 - number))
    assert [(one.stem, one.size, len(one.files)) for one in found(config, "bach", "mp3")] == [
        ("bach/2026-11-21 04-05-06 One (2)", 10, 1),
        ("bach/2026-11-22 04-05-06 Two", 20, 2),
    ]


@given(
    st.lists(st.tuples(st.integers(0, 1000), st.integers(0, 100)), max_size=20),
    st.integers(1, 1000) | st.none(),
    st.integers(1, 500) | st.none(),
)
def test_what_is_left_is_young_and_small_enough_and_as_much_as_may_be(
    ages: list[tuple[int, int]], days: int | None, gigabytes: int | None
) -> None:
    now = 1e9
    kept = [
        Kept(str(n), now - age * DAY, size * GIGABYTE, ()) for n, (age, size) in enumerate(sorted(ages, reverse=True))
    ]
    config = RecordConfig("record", keep_days=days, keep_gigabytes=gigabytes)
    gone = superfluous(kept, config, now)
    left = kept[len(gone) :]
    assert kept[: len(gone)] == gone
    allowed = gigabytes or float("inf")

    def fits(some: list[Kept]) -> bool:
        young = all(one.modified >= now - (days or float("inf")) * DAY for one in some)
        return young and sum(one.size for one in some) <= allowed * GIGABYTE

    assert fits(left)
    assert not gone or not fits([gone[-1], *left])


def test_what_is_too_old_or_too_much_is_deleted_with_its_folder(tmp_path: Path) -> None:
    config = RecordConfig("record", folder=tmp_path, name="{date}/{channel}", keep_days=1)
    for day, ending in ((20, "mp3"), (20, "mid"), (22, "mp3")):
        path = tmp_path / f"2026-11-{day}" / f"bach.{ending}"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(bytes(100))
        if day == 20:
            os.utime(path, (0, 0))
    prune(config, "bach", "mp3")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["2026-11-22", "bach.mp3"]


@given(st.integers(0, 10 * 3600 * RATE))
def test_a_time_is_the_nearest_75th(frames: int) -> None:
    minutes, seconds, sectors = map(int, cue.time(frames).split(":"))
    assert seconds < 60
    assert sectors < 75
    assert abs((60 * minutes + seconds) * RATE + sectors * RATE / 75 - frames) <= RATE / 150


@given(st.lists(st.tuples(st.integers(0, 10**9), hostile), min_size=1, max_size=120), hostile)
def test_a_sheet_is_one_line_a_field_whatever_the_titles(tracks: list[tuple[int, str]], performer: str) -> None:
    text = cue.sheet("a.mp3", "MP3", "T", performer, tracks, "2026")
    lines = text.split("\n")
    assert len(text.splitlines()) == len(lines) - 1
    assert len(re.findall(r'^    TITLE "[^"]*"$', text, re.MULTILINE)) == min(len(tracks), cue.MOST)
    assert len(re.findall(r'^REM \d\d+:\d\d:\d\d "[^"]*"$', text, re.MULTILINE)) == max(0, len(tracks) - cue.MOST)


@pytest.mark.parametrize(("title", "said"), [('a "b"', '"a ”b”"'), ("x\ny", '"x y"'), ("", '""')])
def test_quotes_do_not_end_a_string(title: str, said: str) -> None:
    assert cue.quoted(title) == said
