"""Playlists from segments, by a validator of the draft's rules; and that the validator would find faults."""

from __future__ import annotations

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

import hlscheck
from radio.air import m3u8, reload
from radio.air.m3u8 import Title, Window
from radio.air.reload import Wanted
from radio.air.segments import FRAMES, PART, PARTS, SEGMENT_SECONDS, Segment, fitted

DATE = 1_700_000_000.1234


def window(parts: int, first: int = 0, forgotten: int = 0, titles: tuple[int, ...] = ()) -> Window:
    """So many parts from the place `first` of segment 100 on, the oldest segments forgotten.

    `titles`: seconds after the first segment's date at which further titles begin.
    """
    segments: list[Segment] = []
    for part in range(first, first + parts):
        number, place = 100 + part // PARTS, part % PARTS
        if segments and segments[-1].number == number:
            old = segments[-1]
            segments[-1] = Segment(number, old.date, old.first, (*old.parts, b"part"))
        else:
            segments.append(Segment(number, DATE + 0.96 * part, place, (b"part",)))
    named = [Title("t0", DATE - 5, "The first"), *(Title(f"t{at}", DATE + at, f"At {at}") for at in sorted(titles))]
    kept = segments[forgotten:]
    while len(named) > 1 and named[1].date <= kept[0].date:
        named.pop(0)
    return Window(kept, named, 7, "../files/")


places = st.integers(0, PARTS - 1)
times = st.sets(st.integers(1, 500), max_size=4).map(tuple)


@given(st.integers(PARTS, 150), places, times)
def test_the_live_playlist_breaks_no_rule_as_it_grows(parts: int, first: int, titles: tuple[int, ...]) -> None:
    texts = [m3u8.live(window(count, first, titles=titles)) for count in range(parts, parts + 14)]
    assert hlscheck.problems(texts[0]) == []
    for before, after in itertools.pairwise(texts):
        assert hlscheck.problems(after, before) == []
    newest = hlscheck.parse(texts[-1])
    assert sum(len(segment.parts) for segment in newest.segments) >= min(3 * PARTS, parts)
    assert len(newest.whole) == min(m3u8.LISTED, (first + parts + 13) // PARTS)


@given(st.integers(PARTS, 400), places, st.integers(0, 8), times)
def test_the_rewind_playlist_breaks_no_rule_as_it_slides(
    parts: int, first: int, slid: int, titles: tuple[int, ...]
) -> None:
    parts += slid * PARTS
    before = m3u8.rewind(window(parts, first, titles=titles))
    after = m3u8.rewind(window(parts + slid, first, slid, titles=titles))
    assert hlscheck.problems(before) == []
    assert hlscheck.problems(after, before) == []


@given(st.integers(PARTS, 400), places, st.integers(0, 18), times)
def test_an_update_of_the_rewind_playlist_stands_for_the_whole(
    parts: int, first: int, more: int, titles: tuple[int, ...]
) -> None:
    before, now = (window(count, first, titles=titles) for count in (parts, parts + more))
    update = m3u8.rewind(now, update=True)
    whole = m3u8.rewind(now)
    if "#EXT-X-SKIP" in update:
        assert len(update) < len(whole)
        named = hlscheck.parse(update)
        assert hlscheck.problems(update) == []
        assert sum(segment.seconds for segment in named.segments) >= float(named.control["CAN-SKIP-UNTIL"])
        update = hlscheck.updated(m3u8.rewind(before), update)
    assert hlscheck.parse(update).segments == hlscheck.parse(whole).segments


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("#EXT-X-TARGETDURATION:6", "#EXT-X-TARGETDURATION:5", "target duration"),
        ("#EXTINF:5.76,", "#EXTINF:6.72,", "from the one before"),
        ("DURATION=0.96", "DURATION=0.50", "85 %"),
        ("DURATION=0.96", "DURATION=1.00", "above the part target"),
        (",PART-HOLD-BACK=2.88", ",PART-HOLD-BACK=1.00", "PART-HOLD-BACK"),
        (",HOLD-BACK=18", ",HOLD-BACK=12", "HOLD-BACK"),
        ("#EXT-X-MAP", "#EXT-X-MAP-", "EXT-X-MAP"),
        ("#EXT-X-PART-INF:PART-TARGET=0.96\n", "", "part target"),
        ("../files/103.0-5.m4s", "../files/102.0-5.m4s", "twice"),
        ('CLASS="title",', "", "no class"),
        ('ID="t0"', "ID=t0,ID=t1", "attribute list"),
        (":TYPE=PART,URI=", ':TYPE=PART,URI="../files/111.4.m4s",X=', "no hint"),
        ("#EXT-X-MEDIA-SEQUENCE:102", "#EXT-X-MEDIA-SEQUENCE:101", "went back"),
        ("#EXT-X-DISCONTINUITY-SEQUENCE:7", "#EXT-X-DISCONTINUITY-SEQUENCE:6", "went back"),
        ("#EXT-X-DISCONTINUITY-SEQUENCE:7", "#EXT-X-SURPRISE", "unknown tag"),
        ("#EXTM3U", "", "EXTM3U"),
    ],
)
def test_the_validator_finds_faults(old: str, new: str, words: str) -> None:
    before, good = m3u8.live(window(77)), m3u8.live(window(77))
    assert hlscheck.problems(good, before) == []
    assert old in good
    assert any(words in problem for problem in hlscheck.problems(good.replace(old, new, 1), before))


def test_the_validator_finds_what_changed_between_two_playlists() -> None:
    before = m3u8.live(window(80))
    for changed, words in [
        (m3u8.live(window(77)), "never came|from the end"),
        (m3u8.live(window(80)).replace('"The first"', '"Another"'), "date range"),
        (m3u8.live(window(80)).replace("104.0-5", "104.1-5"), "segment 104 changed"),
        (m3u8.live(window(81)).replace("113.2.m4s", "113.9.m4s"), "never came"),
    ]:
        assert any(re.search(words, problem) for problem in hlscheck.problems(changed, before)), words


def test_the_multivariant_playlist_breaks_no_rule() -> None:
    text = m3u8.master([("a/live.m3u8", 128), ("b/live.m3u8", 64)])
    assert hlscheck.master_problems(text) == []
    assert hlscheck.master_problems(text.replace("a/live.m3u8\n", ""))
    assert hlscheck.master_problems(text.replace("BANDWIDTH", "WIDTH"))


@given(st.text())
def test_any_title_can_be_quoted(text: str) -> None:
    own = Window(window(12).segments, [Title("t", DATE, text)], 0, "")
    (found,) = hlscheck.parse(m3u8.live(own)).ranges.values()
    assert found["X-TITLE"] == " ".join(text.split()).replace('"', "”")


def test_dates_are_to_the_millisecond() -> None:
    assert m3u8.stamp(DATE) == "2023-11-14T22:13:20.123Z"
    assert m3u8.stamp(1_700_000_000.9996) == "2023-11-14T22:13:21.000Z"


@pytest.mark.parametrize("parts", range(1, 20))
@pytest.mark.parametrize("first", [0, 4])
def test_what_a_reload_waits_for_is_there_once_the_playlist_names_it(parts: int, first: int) -> None:
    own = window(PARTS + parts, first)
    listed = hlscheck.parse(m3u8.live(own))
    newest = own.segments[-1]
    for segment in listed.segments:
        assert reload.there(Wanted(segment.number), newest) == bool(segment.uri)
        for index in range(PARTS):
            if segment.parts and index < len(segment.parts):
                assert reload.there(Wanted(segment.number, index), newest)
    after = newest.number + 1
    assert not reload.there(Wanted(after), newest)
    assert not reload.there(Wanted(after, 0), newest)
    assert not reload.there(Wanted(newest.number, len(newest.parts)), newest)
    # A part after a segment's last is the next one's first.
    assert not reload.there(Wanted(newest.number, PARTS), newest)
    assert reload.there(Wanted(newest.number - 1, PARTS), newest)
    assert not reload.too_far(Wanted(after if newest.complete else newest.number, 0), newest)
    assert reload.too_far(Wanted(after + 2), newest)
    assert reload.too_far(Wanted(newest.number, len(newest.parts) + 3), newest)


@pytest.mark.parametrize(
    "query", [{"_HLS_part": "1"}, {"_HLS_msn": "x"}, {"_HLS_msn": "-1"}, {"_HLS_msn": "٣"}, {"_HLS_msn": "9" * 30}]
)
def test_a_reload_that_makes_no_sense_is_refused(query: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="wanted"):
        reload.wanted(query)


def test_a_part_has_as_many_frames_as_it_lasts_also_where_packets_do_not_fit_together() -> None:
    def packets(*counts: int) -> list[list[bytes]]:
        numbers = itertools.count()
        return [[bytes((next(numbers),)) for _ in range(count)] for count in counts]

    whole = packets(11, 11, 11, 12)
    assert fitted(whole, PART) == [frame for packet in whole for frame in packet]
    for counts, splice in itertools.product(itertools.product((11, 12), repeat=4), range(PART + 1)):
        own = packets(*counts)
        frames = fitted(own, splice)
        assert len(frames) == FRAMES
        first, last = own[0][0], own[-1][-1]
        assert splice in (0, PART) or (frames[0], frames[-1]) == (first, last)
        kept = [frame for frame in frames if len(frame) == 1]
        assert kept == sorted(kept)
        assert len(kept) == min(FRAMES, sum(counts))
    assert pytest.approx(PARTS * FRAMES * 1024 / 48000) == SEGMENT_SECONDS
