from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radio.air import icy


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


@given(st.lists(st.tuples(st.binary(max_size=150), hostile), max_size=12), st.integers(1, 64))
def test_a_strict_player_hears_every_byte_and_reads_every_title(parts: list[tuple[bytes, str]], metaint: int) -> None:
    interleaver = icy.Interleaver(metaint)
    stream = b"".join(interleaver.feed(audio, title) for audio, title in parts)
    audio, titles = strict_parse(stream, metaint)
    assert audio == b"".join(audio for audio, _ in parts)
    allowed = {icy.clean(title) for _, title in parts}
    assert all(any(whole.startswith(title) for whole in allowed) for title in titles)
    assert all(a != b for a, b in itertools.pairwise(titles)) or any(len(t) > 4000 for t in titles)


@given(st.binary(max_size=500), st.lists(st.integers(0, 80), max_size=9), st.integers(1, 64))
def test_how_the_audio_is_cut_does_not_matter(audio: bytes, cuts: list[int], metaint: int) -> None:
    whole = icy.Interleaver(metaint).feed(audio, "A title")
    split, at, out = icy.Interleaver(metaint), 0, b""
    for size in cuts:
        out += split.feed(audio[at : at + size], "A title")
        at += size
    assert out + split.feed(audio[at:], "A title") == whole


@given(hostile)
def test_a_block_is_whole_sixteens_and_never_too_long(title: str) -> None:
    made = icy.block(title, "http://example.org/")
    assert len(made) == 1 + 16 * made[0]
    assert made[1:].rstrip(b"\0").decode()


def test_the_title_comes_in_full_at_first_and_then_only_when_it_changes() -> None:
    interleaver = icy.Interleaver(4)
    assert interleaver.feed(b"aaaabbbb", "One") == b"aaaa" + icy.block("One") + b"bbbb\0"
    assert interleaver.feed(b"cccc", "Two") == b"cccc" + icy.block("Two")


@pytest.mark.parametrize(
    ("title", "safe"), [("a';b", "a’;b"), ("x\ny\0z", "x y z"), ("e\u0301", "é"), ("it's", "it's")]
)
def test_a_title_cannot_end_its_own_field(title: str, safe: str) -> None:
    assert icy.clean(title) == safe
