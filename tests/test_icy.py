from __future__ import annotations

import itertools
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radio.air import icy
from radio.air.log import PacketLog
from radio.air.spans import Span, Spans, Titled
from radio.formats import BLOCK
from radio.link import Packet


def strict_parse(stream: bytes, metaint: int) -> tuple[bytes, list[str]]:
    """Audio and titles as a player that follows the protocol to the letter reads them."""
    audio, titles, at = b"", [], 0
    while True:
        piece = stream[at : at + metaint]
        audio, at = audio + piece, at + len(piece)
        if len(piece) < metaint:
            return audio, titles
        if at == len(stream):
            raise AssertionError("a length byte is missing")
        length = 16 * stream[at]
        text, at = stream[at + 1 : at + 1 + length], at + 1 + length
        assert len(text) == length
        if length:
            decoded = text.rstrip(b"\0").decode()
            assert decoded.startswith("StreamTitle='")
            titles.append(decoded[len("StreamTitle='") : decoded.index("';")])


hostile = st.text(max_size=60) | st.sampled_from(["it's", "a';b", "'", "''';", "🎹" * 2000, "שלום", "x\0y", "Ü" * 5000])


def interleaved(parts: Iterable[tuple[bytes, str]], metaint: int) -> bytes:
    """All parts one after the other, as a listener gets them who joins at the first."""
    phase, out = icy.Phase(metaint), b""
    for audio, title in parts:
        data, phase = icy.interleave(audio, title, phase, metaint)
        out += data
    return out


@given(st.lists(st.tuples(st.binary(max_size=150), hostile), max_size=12), st.integers(1, 64))
def test_a_strict_player_hears_every_byte_and_reads_every_title(parts: list[tuple[bytes, str]], metaint: int) -> None:
    audio, titles = strict_parse(interleaved(parts, metaint), metaint)
    assert audio == b"".join(audio for audio, _ in parts)
    allowed = {icy.clean(title) for _, title in parts}
    assert all(any(whole.startswith(title) for whole in allowed) for title in titles)
    assert all(a != b for a, b in itertools.pairwise(titles)) or any(len(t) > 4000 for t in titles)


@given(st.binary(max_size=500), st.lists(st.integers(0, 80), max_size=9), st.integers(1, 64))
def test_how_the_audio_is_cut_does_not_matter(audio: bytes, cuts: list[int], metaint: int) -> None:
    ends = [0, *itertools.accumulate(cuts), len(audio)]
    parts = [audio[start:end] for start, end in itertools.pairwise(ends)]
    assert interleaved([(part, "A title") for part in parts], metaint) == interleaved([(audio, "A title")], metaint)


@given(st.integers(1024, 9600), st.data())
def test_a_filler_is_a_tag_that_brings_a_beginner_into_phase_with_the_others(metaint: int, data: st.DataObject) -> None:
    left = data.draw(st.integers(1, metaint))
    fill = icy.filler(icy.Phase(left, "One"), metaint)
    _, phase = icy.interleave(fill, "One", icy.Phase(metaint), metaint)
    assert phase.left == left
    if fill:
        assert fill[:3] == b"ID3"
        size = sum(byte << shift for byte, shift in zip(fill[6:10], (21, 14, 7, 0), strict=True))
        assert (len(fill), set(fill[10:]) | {0}) == (10 + size, {0})


@given(
    st.lists(st.tuples(st.binary(min_size=2, max_size=40), st.sampled_from("ABC")), min_size=3, max_size=40),
    st.lists(st.integers(0, 37), min_size=1, max_size=4),
    st.integers(16, 64),
)
def test_all_who_join_are_soon_written_the_very_same_bytes(
    parts: list[tuple[bytes, str]], joins: list[int], metaint: int
) -> None:
    log = PacketLog()
    for number, (audio, title) in enumerate(parts):
        log.append(Packet("bach", number, BLOCK * number, BLOCK, {"mp3": audio}, title=title))
    titled = Titled(log, "mp3", metaint)
    firsts = sorted({min(join, len(parts) - 1) for join in joins})
    starts: dict[int, bytes] = {}
    phases: dict[int, icy.Phase | None] = {}
    heard: dict[int, list[bytes]] = {first: [] for first in firsts}
    for number in range(firsts[0], len(parts)):
        for first in firsts:
            if first == number:
                starts[first], phases[first] = titled.begin(first)
            if first <= number:
                span = titled.span(number, 1, phases[first])
                assert span.stop == number + 1
                phases[first] = span.phase
                heard[first].append(span.data)
    for first, own in heard.items():
        audio, titles = strict_parse(starts[first] + b"".join(own), metaint)
        assert audio.endswith(b"".join(audio for audio, _ in parts[first:]))
        assert set(titles) <= {title for _, title in parts[first:]}
        others = heard[firsts[0]][first - firsts[0] :]
        apart = [index for index, (data, other) in enumerate(zip(own, others, strict=True)) if data is not other]
        assert sum(len(data) for data in own[: max(apart, default=0)]) <= 2 * metaint + 64


@given(
    st.lists(st.binary(min_size=1, max_size=40), min_size=1, max_size=20), st.lists(st.integers(1, 7), min_size=1),
    st.booleans(),
)  # fmt: skip
def test_how_many_packets_are_written_at_once_does_not_matter(
    parts: list[bytes], most: list[int], icy_wanted: bool
) -> None:
    log = PacketLog()
    for number, audio in enumerate(parts):
        log.append(Packet("bach", number, BLOCK * number, BLOCK, {"mp3": audio}, title=f"Piece {number // 5}"))
    heard = []
    for steps in (itertools.repeat(1), itertools.cycle(most)):
        spans = Titled(log, "mp3", 16) if icy_wanted else Spans(log, "mp3")
        whole, phase = spans.begin(0)
        number = 0
        while number < log.next:
            span = spans.span(number, next(steps), phase)
            whole, number, phase = whole + span.data, span.stop, span.phase
        heard.append(whole)
    assert heard[0] == heard[1]


def test_a_span_ends_before_a_packet_that_is_not_there_in_the_format() -> None:
    log = PacketLog()
    for number, data in enumerate(({"mp3": b"a"}, {"mp3": b"b"}, {"opus": b"c"}, {"mp3": b"d"})):
        log.append(Packet("bach", number, BLOCK * number, BLOCK, data))
    spans = Spans(log, "mp3")
    assert spans.span(0, 4, None) == Span(b"ab", 2, None)
    assert spans.span(2, 4, None) == Span(b"", 2, None)


@given(hostile)
def test_a_block_is_whole_sixteens_and_never_too_long(title: str) -> None:
    made = icy.block(title, "http://example.org/")
    assert len(made) == 1 + 16 * made[0]
    assert made[1:].rstrip(b"\0").decode()


def test_the_title_comes_in_full_at_first_and_then_only_when_it_changes() -> None:
    assert interleaved([(b"aaaabbbb", "One"), (b"cccc", "Two")], 4) == b"".join(
        (b"aaaa", icy.block("One"), b"bbbb\0", b"cccc", icy.block("Two"))
    )


@pytest.mark.parametrize(
    ("title", "safe"), [("a';b", "a’;b"), ("x\ny\0z", "x y z"), ("e\u0301", "é"), ("it's", "it's")]
)
def test_a_title_cannot_end_its_own_field(title: str, safe: str) -> None:
    assert icy.clean(title) == safe
