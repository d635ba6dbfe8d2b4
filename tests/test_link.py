from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from radio import link
from radio.errors import LinkError
from radio.formats import BLOCK
from radio.link import Close, Credit, Encoded, Hello, Open, Packet, Position, Report, SignOn, Stop, Trouble
from radio.music.events import BarEvent, ControlEvent, NoteEvent, PieceEvent
from radio.settings import StationConfig
from radio.studio.encoders import encoder
from sound import noise, samples

text = st.text(max_size=20)
count = st.integers(0, 2**40)
events = st.one_of(
    st.builds(NoteEvent, count, count, st.integers(0, 15), st.integers(0, 128), st.integers(0, 127), count),
    st.builds(ControlEvent, count, st.integers(0, 15), st.integers(0, 127), st.integers(0, 127)),
    st.builds(BarEvent, count, count, count, text, text, st.floats(20, 300), text),
    st.builds(PieceEvent, count, count, text, text, text, text, st.floats(20, 300), count),
)
packets = st.builds(
    Packet,
    text,
    count,
    count,
    st.integers(1, 50000),
    st.dictionaries(st.sampled_from(["mp3", "flac"]), st.binary(max_size=200)),
    st.lists(events, max_size=5).map(tuple),
    text,
    count,
    st.booleans(),
    st.none() | st.floats(-70, 0),
)
positions = st.builds(Position, count, count, st.booleans())
messages = st.one_of(
    packets,
    st.builds(Hello, count, st.lists(text, max_size=4).map(tuple)),
    st.builds(Open, text, count, positions, st.dictionaries(text, text | count | st.lists(count), max_size=4)),
    st.builds(Close, text),
    st.builds(Credit, text, count, count, st.lists(text, max_size=3).map(tuple), st.none() | count),
    st.builds(Encoded, text, count, text, st.binary(max_size=200)),
    st.just(Stop()),
    st.builds(SignOn, text, count, st.dictionaries(text, st.binary(max_size=99), max_size=3)),
    st.builds(Report, st.dictionaries(text, st.floats(allow_nan=False) | text | count, max_size=4)),
    st.builds(Trouble, text, text),
)


# Messages take long to think up where other processes are busy, which says nothing of them.
@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(messages, max_size=5), st.lists(st.integers(1, 60), min_size=1, max_size=9))
def test_messages_survive_any_cutting_of_their_bytes(sent: list[Any], cuts: list[int]) -> None:
    stream = b"".join(link.pack(message) for message in sent)
    unpacker, got, at, turn = link.Unpacker(), [], 0, 0
    while at < len(stream):
        size = cuts[turn % len(cuts)]
        got += list(unpacker.feed(stream[at : at + size]))
        at, turn = at + size, turn + 1
    assert got == sent


@given(st.binary(min_size=1, max_size=300))
def test_garbage_is_a_link_error_or_waits_for_more(data: bytes) -> None:
    with contextlib.suppress(LinkError):
        list(link.Unpacker().feed(data))


ENCODED_TEXT = b"\x95\xa7Encoded\xa1a\x01\xa1b\xa1c"
"""Its data is text."""


@pytest.mark.parametrize("body", [b"", b"\x90", b"\x91\xa4Nope", b"\x92\xa6Credit\x01", b"\xc1", ENCODED_TEXT])
def test_a_body_that_is_no_message_is_refused(body: bytes) -> None:
    with pytest.raises(LinkError, match=r"not a(n encoded packet| message)"):
        link.unpack(body)


def test_a_message_that_is_too_long_is_refused_before_it_is_read() -> None:
    with pytest.raises(LinkError, match="announced"):
        list(link.Unpacker().feed((link.LARGEST + 1).to_bytes(4, "big")))
    with pytest.raises(LinkError, match="at most"):
        link.pack(Packet("bach", 0, 0, 1, {"mp3": bytes(link.LARGEST)}))


def test_a_moved_packet_keeps_its_sound_and_takes_its_events_along() -> None:
    packet = Packet("bach", 7, 1000, 100, {"mp3": b"abc"}, (NoteEvent(1010, 50, 0, 0, 60, 64),), "Title")
    moved = packet.moved(9, 5000)
    assert (moved.number, moved.start, moved.events[0].at) == (9, 5000, 5010)
    assert moved.data == packet.data
    assert packet.moved(7, 1000) is packet


def test_a_packet_takes_another_format_with_its_own_stamp() -> None:
    pcm = samples(noise(BLOCK))
    there, here = (encoder(StationConfig(), "opus").encode(pcm, number, number * BLOCK) for number in (3, 9))
    packet = Packet("bach", 9, 9 * BLOCK, BLOCK, {"mp3": b"abc"}).also("opus", there)
    assert packet.data == {"mp3": b"abc", "opus": here}
