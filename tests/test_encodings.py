"""A channel's encodings: only what is listened to is made, and of the past what a newcomer needs."""

from __future__ import annotations

from typing import Any

import pytest

from radio.formats import BLOCK, FORMATS
from radio.link import Credit, Packet
from radio.settings import StationConfig
from radio.studio.encoders import CODECS, encoder
from radio.studio.encodings import Encodings
from radio.studio.programme import Sound
from sound import decode, lag, noise, samples

MUSIC = noise(40 * BLOCK)
every = pytest.mark.parametrize("form", CODECS)


def credit(since: int, *formats: str) -> Credit:
    return Credit("bach", 1000, since, formats)


class Sent:
    """A channel's packets as the air has them."""

    def __init__(self, first: int = 0, opening: int = 0) -> None:
        self.encodings = Encodings(StationConfig(formats=tuple(FORMATS)), "bach", first)
        self.opening = opening
        self.packets: dict[int, Packet] = {}

    def sound(self, number: int) -> Sound:
        start = number * BLOCK
        return Sound(start, samples(MUSIC[start : start + BLOCK]), (), "", 1, number == self.opening, None)

    def send(self, count: int) -> None:
        for _ in range(count):
            packet = self.encodings.packet(self.sound(self.encodings.number))
            self.packets[packet.number] = packet

    def want(self, since: int, *formats: str) -> list[int]:
        """Numbers of the packets that are sent once more."""
        again = list(self.encodings.want(credit(since, *formats)))
        for encoded in again:
            self.packets[encoded.number] = self.packets[encoded.number].also(encoded.form, encoded.data)
        return [encoded.number for encoded in again]

    def heard(self, form: str, first: int) -> Any:
        header = self.encodings.headers[form]
        return decode(header + b"".join(self.packets[n].data[form] for n in range(first, max(self.packets) + 1)))


def test_what_nobody_listens_to_is_not_made() -> None:
    sent = Sent()
    sent.send(3)
    assert sent.want(0, "mp3") == [0, 1, 2]
    sent.send(1)
    sent.want(0)
    sent.send(1)
    assert [set(packet.data) for packet in sent.packets.values()] == [{"mp3"}] * 4 + [set()]
    assert sent.encodings.formats == ()


@every
def test_a_format_wanted_late_is_made_from_where_it_is_wanted_in_time_with_its_blocks(form: str) -> None:
    sent = Sent()
    sent.send(10)
    assert sent.want(4, form) == [4, 5, 6, 7, 8, 9]
    sent.send(6)
    heard = sent.heard(form, 4)
    assert lag(heard, MUSIC[4 * BLOCK : 16 * BLOCK]) == FORMATS[form].delay_at(4 * BLOCK)
    assert all(form not in sent.packets[number].data for number in range(4))


@every
def test_a_format_given_up_and_wanted_again_goes_on_where_it_was_given_up(form: str) -> None:
    sent = Sent()
    sent.want(0, form)
    sent.send(8)
    sent.want(0)
    sent.send(3)
    assert sent.want(2, form) == [8, 9, 10]
    sent.send(3)
    heard = sent.heard(form, 2)
    assert lag(heard, MUSIC[2 * BLOCK : 14 * BLOCK]) == FORMATS[form].delay_at(2 * BLOCK)


def test_sound_is_kept_from_where_a_format_may_be_wanted_later() -> None:
    sent = Sent()
    sent.send(10)
    list(sent.encodings.want(Credit("music", 99, 8, (), keep=4)))
    assert sent.want(4, "mp3") == [4, 5, 6, 7, 8, 9]
    assert sent.encodings.kept == 7  # and one before, which new encoders begin with


def test_wanting_the_same_again_sends_nothing_again() -> None:
    sent = Sent()
    sent.send(5)
    sent.want(0, "mp3")
    assert sent.want(3, "mp3") == []
    assert sent.want(3, "mp3", "opus") == [3, 4]


@every
def test_a_piece_that_is_encoded_late_can_be_played_alone_as_when_it_is_encoded_at_once(form: str) -> None:
    late, early = Sent(opening=6), Sent(opening=6)
    late.send(9)
    late.want(3, form)
    early.want(0, form)
    early.send(9)
    assert [late.packets[n].data[form] for n in (6, 7, 8)] == [early.packets[n].data[form] for n in (6, 7, 8)]


def test_sound_is_kept_no_longer_than_it_may_be_asked_for() -> None:
    sent = Sent()
    sent.send(20)
    sent.want(15)
    # One more: a new encoder begins with the block before its first.
    assert sent.encodings.kept == 6
    sent.want(15, "mp3")
    assert min(number for number, packet in sent.packets.items() if packet.data) == 15


@every
def test_after_a_restart_new_encoders_begin_with_the_sound_before(form: str) -> None:
    whole, again = Sent(), Sent(first=10)
    whole.want(0, form)
    whole.send(10)
    for number in (8, 9):
        again.encodings.remember(again.sound(number))
    assert again.want(4, form) == []
    again.send(6)
    again.packets |= whole.packets
    assert lag(again.heard(form, 0), MUSIC[: 16 * BLOCK]) == FORMATS[form].delay
    first = again.packets[10].data[form]
    assert first == encoder(StationConfig(), form, samples(MUSIC[9 * BLOCK : 10 * BLOCK])).encode(
        again.sound(10).pcm, 10, 10 * BLOCK
    )


def test_a_format_the_station_does_not_have_is_not_made() -> None:
    sent = Sent()
    sent.want(0, "wax")
    sent.send(2)
    assert not any(packet.data for packet in sent.packets.values())


def test_headers_are_there_before_anything_is_made() -> None:
    headers = Sent().encodings.headers
    assert set(headers) == set(FORMATS)
    assert headers["opus"].startswith(b"OggS")
