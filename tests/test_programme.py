"""A channel's programme: packets without end from bars, with the real synth and encoders."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from radio.formats import BLOCK, FORMATS, RATE
from radio.link import Credit, Packet, Position
from radio.music.events import BarEvent, NoteEvent, PieceEvent
from radio.music.score import Bar, Piece
from radio.settings import ChannelConfig, PerformerConfig, StationConfig
from radio.studio import soundfont
from radio.studio.encodings import Encodings
from radio.studio.programme import Programme
from radio.studio.scale import ScaleComposer
from sound import Pcm, decode, lag, measure

CHANNEL = ChannelConfig("scales", "Scales", breath=1.0, performer=PerformerConfig(humanize=0.5))
ENDLESS = replace(CHANNEL, endless=True, programs=dict.fromkeys(range(128), 19))
"""On the organ, whose notes do not die away."""


BEGINNING = Position(0, 0, True)


@dataclass
class Making:
    """A programme whose sound is made into packets of every format."""

    position: Position
    programme: Programme
    encodings: Encodings

    def next_packet(self, timeout: float) -> Packet | None:
        while sound := self.programme.next_sound(timeout):
            if sound.start >= self.position.start:
                number = self.encodings.number
                assert not list(self.encodings.want(Credit(CHANNEL.name, number, number, tuple(FORMATS))))
                return self.encodings.packet(sound)
            self.encodings.remember(sound)
        return None


@contextmanager
def programme(
    folder: Path,
    position: Position = BEGINNING,
    bars: ScaleComposer | None = None,
    channel: ChannelConfig = CHANNEL,
) -> Iterator[Making]:
    station = StationConfig(state=folder)
    own = Programme(station, channel, bars or ScaleComposer(3), position, soundfont.find(None))
    encodings = Encodings(station, CHANNEL.name, position.number)
    try:
        yield Making(position, own, encodings)
    finally:
        own.close()


def packets(own: Making, count: int) -> list[Packet]:
    made = [own.next_packet(1.0) for _ in range(count)]
    assert all(made)
    return [packet for packet in made if packet]


def heard(made: list[Packet], form: str = "mp3", header: bytes = b"") -> Pcm:
    """The decoded sound, from the frame at which the first packet starts."""
    pcm = decode(header + b"".join(packet.data[form] for packet in made))
    return pcm[FORMATS[form].delay :]


def levels(pcm: Pcm, size: int) -> npt.NDArray[np.float64]:
    """In dB, of every `size` frames."""
    squares = pcm[: len(pcm) // size * size].astype(np.float64).reshape(-1, size, 2) ** 2
    found: npt.NDArray[np.float64] = 10 * np.log10(squares.mean(axis=(1, 2)) + 1e-12)
    return found


@pytest.fixture(scope="module")
def minute(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Packet], Mapping[str, bytes]]:
    """A minute and a half of programme."""
    with programme(tmp_path_factory.mktemp("state")) as own:
        return packets(own, 375), own.encodings.headers


Minute = tuple[list[Packet], Mapping[str, bytes]]


@pytest.fixture(scope="module")
def endless(tmp_path_factory: pytest.TempPathFactory) -> Minute:
    """As much of an endless channel."""
    with programme(tmp_path_factory.mktemp("state"), channel=ENDLESS) as own:
        return packets(own, 375), own.encodings.headers


def test_packets_are_numbered_and_follow_without_a_gap(minute: Minute) -> None:
    made, _ = minute
    assert (made[0].number, made[0].start, made[0].opening) == (0, 0, True)
    for before, after in pairwise(made):
        assert after.number == before.number + 1
        assert after.start == before.start + before.frames
        assert after.frames == BLOCK


def test_events_are_in_the_packet_they_sound_in_and_in_order(minute: Minute) -> None:
    made, _ = minute
    for packet in made:
        frames = [event.at for event in packet.events]
        assert frames == sorted(frames)
        assert all(packet.start <= frame < packet.start + packet.frames for frame in frames)
    events = [event for packet in made for event in packet.events]
    assert sum(isinstance(event, NoteEvent) for event in events) > 300


def test_each_piece_is_announced_at_an_opening_packet_and_has_all_its_bars(minute: Minute) -> None:
    made, _ = minute
    openings = [packet for packet in made if packet.opening]
    assert len(openings) >= 3
    for packet in openings:
        first = packet.events[0]
        assert isinstance(first, PieceEvent)
        assert (first.at, first.title) == (packet.start, packet.title)
    for piece in {packet.piece for packet in made} - {made[-1].piece}:
        own = [event for packet in made if packet.piece == piece for event in packet.events]
        bars = [event for event in own if isinstance(event, BarEvent)]
        assert [bar.number for bar in bars] == list(range(1, bars[0].bars + 1))


def test_it_is_as_loud_as_the_station_asks_and_its_true_peak_stays_below(minute: Minute) -> None:
    made, headers = minute
    for form in FORMATS:
        figures = measure(heard(made, form, headers[form]))
        assert abs(figures["I"] + 16) < 1, (form, figures)
        assert figures["Peak"] <= -1.0, (form, figures)


def test_between_pieces_it_breathes_and_within_it_is_never_long_silent(minute: Minute) -> None:
    made, _ = minute
    pcm = heard(made)
    heard_levels = levels(pcm, 4800)
    openings = [packet.start for packet in made if packet.opening]
    last_struck = [
        max(
            event.at
            for packet in made
            if packet.start < after
            for event in packet.events
            if isinstance(event, NoteEvent)
        )
        for after in openings[1:]
    ]
    for start in openings[1:]:
        assert heard_levels[(start - RATE * 8 // 10) // 4800 : start // 4800 - 1].max() < -60
    for start, end in zip(openings, last_struck, strict=False):
        sounding = np.flatnonzero(heard_levels[start // 4800 : end // 4800] > -60)
        assert np.diff(sounding).max() * 0.1 < 2


def test_on_an_endless_channel_each_piece_takes_over_on_the_last_bar_line_and_it_is_never_silent(
    endless: Minute,
) -> None:
    made, _ = endless
    openings = [packet for packet in made if packet.opening]
    assert len(openings) >= 3
    for packet in openings:
        assert isinstance(packet.events[0], PieceEvent)
        assert (packet.events[0].at, packet.events[0].title) == (packet.start, packet.title)
    lines = [event for packet in made for event in packet.events if isinstance(event, BarEvent)]
    for before, after in pairwise(lines):
        beats, unit = map(int, before.meter.split("/"))
        written = 60 / before.tempo * 4 * beats / unit
        assert (after.at - before.at) / RATE == pytest.approx(written, rel=0.15)
        assert after.number == (1 if before.number == before.bars else before.number + 1)
    heard_levels = levels(heard(made), 4800)
    assert heard_levels[5:].min() > -50
    assert np.abs(np.diff(heard(made), axis=0)).max() < 0.5


def test_an_endless_programme_is_taken_up_in_a_piece_that_took_over_from_another(
    endless: Minute, tmp_path: Path
) -> None:
    whole, _ = endless
    second = [packet.number for packet in whole if packet.opening][1]
    for left_at in (second, second + 1, second + 40):
        folder = tmp_path / str(left_at)
        with programme(folder, channel=ENDLESS) as first:
            packets(first, left_at)
        left = whole[left_at]
        with programme(folder, Position(left.number, left.start, False), channel=ENDLESS) as again:
            made = packets(again, 25)
        wanted = whole[left_at : left_at + 25]
        # What the piece before has let sound into this one is lost.
        line = next(event.at for packet in whole[second:] for event in packet.events if isinstance(event, BarEvent))
        notes = [e for packet in made for e in packet.events if isinstance(e, NoteEvent) and e.at > line + RATE // 4]
        own = [e for packet in wanted for e in packet.events if isinstance(e, NoteEvent) and e.at > line + RATE // 4]
        assert notes == own
        assert [packet.title for packet in made] == [packet.title for packet in wanted]


@pytest.mark.parametrize("left_at", [0, 3, 40, 75])
def test_a_programme_left_at_any_packet_is_taken_up_as_it_would_have_gone_on(
    minute: Minute, tmp_path: Path, left_at: int
) -> None:
    whole, _ = minute
    with programme(tmp_path) as first:
        packets(first, left_at)
    left = whole[left_at]
    with programme(tmp_path, Position(left.number, left.start, left_at == 0)) as second:
        again = packets(second, 25)
    wanted = whole[left_at : left_at + 25]
    assert [packet.events for packet in again] == [packet.events for packet in wanted]
    assert [packet.title for packet in again] == [packet.title for packet in wanted]
    joined, straight = heard(whole[:left_at] + again), heard(whole[: left_at + 25])
    difference = levels(joined, BLOCK // 2)[2 * left_at :] - levels(straight, BLOCK // 2)[2 * left_at :]
    # The reverberation's slow modulation is elsewhere; all else is as it would have been.
    assert np.abs(difference).max() < 4
    assert abs(difference.mean()) < 0.5
    assert lag(joined[left_at * BLOCK :], straight[left_at * BLOCK :]) == 0


def test_a_fresh_start_leaves_the_piece_that_was_saved(tmp_path: Path) -> None:
    with programme(tmp_path) as first:
        before = packets(first, 30)[-1]
    with programme(tmp_path, Position(100, 100 * BLOCK, True), ScaleComposer(9)) as second:
        opening = packets(second, 1)[0]
    assert opening.opening
    assert (opening.number, opening.start) == (100, 100 * BLOCK)
    assert opening.title != before.title


@pytest.mark.parametrize(
    "text", ["", "{", '{"version": 1}', '{"version": 99}\n', "\x00\xff", '{"version":1,"start":[]}']
)
def test_a_journal_of_no_use_is_a_new_piece_and_no_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "scales.jsonl").write_text(text, encoding="latin-1")
    with programme(tmp_path, Position(7, 7 * BLOCK, False)) as own:
        first = packets(own, 1)[0]
    assert (first.number, first.start, first.opening) == (7, 7 * BLOCK, True)


def test_a_position_that_the_saved_piece_does_not_reach_is_a_new_piece(tmp_path: Path) -> None:
    with programme(tmp_path) as first:
        packets(first, 10)
    with programme(tmp_path, Position(5000, 5000 * BLOCK, False)) as second:
        assert packets(second, 1)[0].opening


class Silent(ScaleComposer):
    """Gives a piece of a few bars and then nothing."""

    def __init__(self, items: int) -> None:
        super().__init__(3)
        self.left = items

    def take(self, channel: str, timeout: float) -> Piece | Bar | None:
        self.left -= 1
        return super().take(channel, timeout) if self.left >= 0 else None


def test_without_bars_there_is_no_packet_and_with_them_it_goes_on(tmp_path: Path) -> None:
    composer = Silent(3)
    with programme(tmp_path, bars=composer) as own:
        count = 0
        while own.next_packet(0.0) is not None:
            count += 1
        assert own.next_packet(0.0) is None
        composer.left = 10_000
        following = packets(own, 5)
    assert [packet.number for packet in following] == list(range(count, count + 5))


def test_asked_to_stop_it_gives_nothing_more(tmp_path: Path) -> None:
    with programme(tmp_path) as own:
        packets(own, 2)
        own.programme.stop()
        assert own.next_packet(10.0) is None
