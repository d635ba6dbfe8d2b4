from __future__ import annotations

import itertools

import pytest

from fakes import Clock, Tones
from radio.air.channel import ENCORE, GRACE, Channel
from radio.air.clock import LATE, Pace
from radio.air.log import KEPT, PacketLog
from radio.errors import LinkError
from radio.formats import BLOCK, FORMATS, RATE
from radio.link import Credit, Encoded, Packet, Position
from radio.ogg import pages

BLOCK_SECONDS = BLOCK / RATE


def channel() -> Channel:
    return Channel("tones", lookahead=10.0, burst=2.0, lead=1.0)


def fill(own: Channel, tones: Tones, count: int) -> None:
    for packet in tones.packets(count):
        own.receive(packet)


def run(own: Channel, clock: Clock, seconds: float) -> list[Packet]:
    """Lets time pass, a tenth of a block at a time; what was released meanwhile."""
    released: list[Packet] = []
    own.on_released = released.append
    for _ in range(round(seconds / BLOCK_SECONDS * 10)):
        clock.now += BLOCK_SECONDS / 10
        own.advance(clock.now)
    return released


def test_it_signs_on_with_a_whole_burst_at_once() -> None:
    own, clock = channel(), Clock()
    fill(own, Tones("tones"), 8)
    assert own.advance(clock.now) == 0
    assert own.state == "starting"
    own.receive(next(Tones("tones", number=8, start=8 * BLOCK).packets(1)))
    for packet in Tones("tones", number=9, start=9 * BLOCK).packets(6):
        own.receive(packet)
    assert own.advance(clock.now) * BLOCK_SECONDS == pytest.approx(2.0, abs=BLOCK_SECONDS)
    assert own.state == "live"
    assert own.pace is not None
    assert own.pace.late == 0


def test_packets_are_released_in_time_in_order_and_once() -> None:
    own, clock = channel(), Clock()
    fill(own, Tones("tones"), 60)
    own.advance(clock.now)
    begun = own.log.next
    released = run(own, clock, 4.8)
    assert [packet.number for packet in released] == list(range(begun, begun + len(released)))
    assert len(released) == pytest.approx(4.8 / BLOCK_SECONDS, abs=1)
    assert own.frame == own.log.next * BLOCK


def test_events_are_announced_a_lead_before_their_sound() -> None:
    own, clock = channel(), Clock()
    announced: dict[int, float] = {}
    sent: dict[int, float] = {}
    own.on_staged = lambda packet, encore: announced.setdefault(packet.number, clock.now) and None
    fill(own, Tones("tones"), 60)
    own.advance(clock.now)
    own.on_released = lambda packet: sent.setdefault(packet.number, clock.now) and None
    for _ in range(200):
        clock.now += BLOCK_SECONDS / 10
        own.advance(clock.now)
    leads = [sent[number] - announced[number] for number in sent if announced[number] > 1000.0]
    assert leads
    assert all(0.7 <= lead <= 1.3 for lead in leads)


def test_credit_keeps_the_lookahead_full_and_no_more() -> None:
    own, clock = channel(), Clock()
    assert own.credit().until == int(10.0 / BLOCK_SECONDS)
    tones = Tones("tones")
    fill(own, tones, own.credit().until)
    assert own.credit().until == tones.number
    own.advance(clock.now)
    run(own, clock, 2.4)
    assert own.credit().until > tones.number
    assert own.ahead == pytest.approx(10.0 - 2.0 - 2.4, abs=0.6)


def test_a_packet_out_of_order_is_refused() -> None:
    own = channel()
    fill(own, Tones("tones"), 3)
    with pytest.raises(LinkError, match="got packet 7"):
        own.receive(next(Tones("tones", number=7, start=7 * BLOCK).packets(1)))


def silent(tones: Tones) -> Tones:
    """The same in no format."""
    list(tones.encodings.want(Credit("tones", 0, 0)))
    return tones


def supply(own: Channel, tones: Tones, *formats: str) -> None:
    """What a studio does with the channel's credit."""
    own.formats = formats
    for encoded in tones.encodings.want(own.credit()):
        own.add(encoded)


def test_a_format_is_wanted_from_the_burst_on_and_is_there_at_once() -> None:
    own, clock, tones = channel(), Clock(), silent(Tones("tones"))
    fill(own, tones, 30)
    own.advance(clock.now)
    run(own, clock, 1.2)
    assert own.first("mp3") is None
    assert own.credit().since == own.log.burst(2.0) > 0
    supply(own, tones, "mp3")
    assert own.first("mp3") == own.log.burst(2.0)
    fill(own, tones, 10)
    released = run(own, clock, 7.0)
    assert all(set(packet.data) == {"mp3"} for packet in released)


def test_after_an_encore_a_format_is_wanted_of_live_packets_alone() -> None:
    own, clock, tones = channel(), Clock(), silent(Tones("tones", length=10))
    fill(own, tones, 25)
    own.advance(clock.now)
    run(own, clock, 8.0)
    assert own.state == "encore"
    supply(own, tones, "opus")
    assert own.first("opus") is None
    wanted = own.position()
    back = silent(Tones("tones", number=wanted.number, start=wanted.start, piece=7))
    fill(own, back, 30)
    run(own, clock, 2.0)
    assert own.state == "live"
    assert own.credit().since == wanted.number
    own.add(Encoded("tones", wanted.number - 1, "opus", b"of a packet before the encore"))
    supply(own, back, "opus")
    first = own.first("opus")
    assert first is not None
    assert not own.log[first].title.endswith(ENCORE)
    page = next(iter(pages(own.log[first].data["opus"])))
    assert page.sequence == first + 2


def test_an_encore_is_played_in_the_formats_that_are_heard() -> None:
    own, clock, tones = channel(), Clock(), silent(Tones("tones", length=10))
    fill(own, tones, 25)
    own.advance(clock.now)
    run(own, clock, 1.2)
    supply(own, tones, "mp3")
    released = run(own, clock, 12.0)
    assert own.state == "encore"
    assert all("mp3" in packet.data for packet in released)


def test_what_a_lost_studio_had_not_made_in_a_format_wanted_is_asked_for_again() -> None:
    own, clock, tones = channel(), Clock(), silent(Tones("tones"))
    fill(own, tones, 40)
    own.advance(clock.now)
    own.formats = ("mp3",)
    for encoded in itertools.islice(tones.encodings.want(own.credit()), 20):
        own.add(encoded)
    own.lost()
    wanted = own.position()
    assert (wanted.fresh, wanted.number) == (False, 20)
    back = Tones("tones", number=wanted.number, start=wanted.start)
    fill(own, back, 30)
    released = run(own, clock, 8.0)
    assert own.encores == 0
    assert all("mp3" in packet.data for packet in released)


def test_without_the_rest_of_a_format_an_encore_is_played_of_what_there_is() -> None:
    own, clock, tones = channel(), Clock(), silent(Tones("tones", length=10))
    fill(own, tones, 40)
    own.advance(clock.now)
    own.formats = ("mp3",)
    for encoded in itertools.islice(tones.encodings.want(own.credit()), 20):
        own.add(encoded)
    own.lost()
    released = run(own, clock, 12.0)
    assert own.state == "encore"
    assert all("mp3" in packet.data for packet in released)


def test_a_format_of_a_packet_never_sent_is_refused() -> None:
    own, clock = channel(), Clock()
    fill(own, Tones("tones"), 30)
    own.advance(clock.now)
    with pytest.raises(LinkError, match="wanted below 30"):
        own.add(Encoded("tones", 30, "opus", b""))


def test_a_studio_that_comes_back_in_time_goes_on_at_the_very_frame() -> None:
    own, clock = channel(), Clock()
    tones = Tones("tones")
    assert own.position() == Position(0, 0, True)
    fill(own, tones, 40)
    own.advance(clock.now)
    run(own, clock, 3.0)
    assert own.position() == Position(40, 40 * BLOCK, False)
    fill(own, tones, 20)
    released = run(own, clock, 8.0)
    assert own.encores == 0
    assert all(packet.start == packet.number * BLOCK for packet in released)


def test_what_is_ahead_is_taken_back_but_for_a_moment_and_another_piece_follows_without_a_gap() -> None:
    own, clock = channel(), Clock()
    fill(own, Tones("tones", length=400), 60)
    own.advance(clock.now)
    run(own, clock, 2.0)
    before = own.ahead
    wanted = own.cut()
    assert wanted.fresh
    assert own.ahead == pytest.approx(GRACE + own.lead, abs=2 * BLOCK_SECONDS)
    assert own.ahead < before
    assert own.awaits(wanted.number)
    assert not own.awaits(wanted.number - 1)
    assert own.position() == wanted
    assert own.credit().until > wanted.number
    back = Tones("tones", length=400, number=wanted.number, start=wanted.start, piece=6)
    fill(own, back, 40)
    assert not own.position().fresh
    released = run(own, clock, 10.0)
    assert own.encores == 0
    assert [p.number for p in released] == list(range(released[0].number, released[0].number + len(released)))
    assert {p.title for p in released if p.number >= wanted.number} == {"Tone No. 7"}
    assert {p.title for p in released if p.number < wanted.number} == {"Tone No. 1"}


def test_when_a_cut_is_heard_does_not_depend_on_what_formats_are_made() -> None:
    own, clock = channel(), Clock()
    fill(own, silent(Tones("tones", length=400)), 60)
    own.advance(clock.now)
    own.formats = ("mp3",)
    run(own, clock, 2.0)
    own.cut()
    assert own.ahead < own.held
    assert own.held == pytest.approx(GRACE + own.lead, abs=2 * BLOCK_SECONDS)


def test_a_piece_that_ends_soon_is_not_cut_but_what_follows_it_is_taken_back() -> None:
    own, clock = channel(), Clock()
    fill(own, Tones("tones", length=40), 60)
    own.advance(clock.now)
    assert own.ends_in() is None
    run(own, clock, 5.0)
    left = own.ends_in()
    assert left is not None
    assert left == pytest.approx((40 - own.log.next) * BLOCK_SECONDS)
    assert own.cut() == Position(40, 40 * BLOCK, True)


def test_without_packets_the_last_finished_piece_is_played_again_and_said_so() -> None:
    own, clock = channel(), Clock()
    fill(own, Tones("tones", length=10), 25)
    own.advance(clock.now)
    released = run(own, clock, 12.0)
    encore = [packet for packet in released if packet.title.endswith(ENCORE)]
    assert own.state == "encore"
    assert own.encores == 1
    assert {packet.title for packet in encore} == {"Tone No. 2" + ENCORE}
    assert encore[0].opening
    assert [p.number for p in released] == list(range(released[0].number, released[0].number + len(released)))
    assert all(p.start == p.number * BLOCK for p in released)
    assert all(p.start <= e.at < p.start + BLOCK for p in encore for e in p.events)
    opus = next(iter(pages(encore[3].data["opus"])))
    assert opus.sequence == encore[3].number + 2


def test_an_encore_gives_way_to_live_music_once_half_a_lookahead_is_there() -> None:
    own, clock = channel(), Clock()
    fill(own, Tones("tones", length=10), 25)
    own.advance(clock.now)
    run(own, clock, 8.0)
    wanted = own.position()
    assert wanted.fresh
    back = Tones("tones", length=30, number=wanted.number, start=wanted.start, piece=7)
    fill(own, back, 10)
    run(own, clock, 1.2)
    assert own.state == "encore"
    fill(own, back, 20)
    released = run(own, clock, 5.0)
    assert own.state == "live"
    first = next(packet for packet in released if not packet.title.endswith(ENCORE))
    assert first.opening
    assert first.title == "Tone No. 8"
    assert [p.number for p in released] == list(range(released[0].number, released[0].number + len(released)))


def test_a_late_studios_music_goes_on_after_the_encore_without_bytes_of_what_came_before_it() -> None:
    own, clock, tones = channel(), Clock(), Tones("tones", length=60)
    fill(own, tones, 25)
    own.advance(clock.now)
    run(own, clock, 8.0)
    assert own.state == "encore"
    late = list(tones.packets(30))
    for packet in late:
        own.receive(packet)
    released = run(own, clock, 5.0)
    first, second, *_ = (packet for packet in released if not packet.title.endswith(ENCORE))
    assert not first.opening
    assert first.data["mp3"] == FORMATS["mp3"].alone(late[0].data["mp3"]) != late[0].data["mp3"]
    assert second.data["mp3"] == late[1].data["mp3"]


def test_an_encore_repeats_the_same_piece_as_long_as_it_must() -> None:
    own, clock = channel(), Clock()
    fill(own, Tones("tones", length=10), 25)
    own.advance(clock.now)
    released = run(own, clock, 30.0)
    tail = released[-60:]
    assert {packet.title for packet in tail} == {"Tone No. 2" + ENCORE}
    assert own.encores == 1


def test_with_nothing_ever_sent_there_is_nothing_to_play() -> None:
    own, clock = channel(), Clock()
    assert run(own, clock, 5.0) == []
    assert own.state == "starting"


def test_a_late_clock_is_put_back_and_the_music_not_hurried() -> None:
    pace = Pace(100.0)
    pace.keep(RATE, 101.1)
    assert (pace.late, pace.signed_on) == (0, 100.0)
    pace.keep(2 * RATE, 107.0)
    assert pace.late == 1
    assert pace.due(2 * RATE) == pytest.approx(107.0)
    assert pace.lost == pytest.approx(5.0)
    assert LATE < 0.5


def test_the_log_keeps_the_last_finished_piece_and_the_one_under_way() -> None:
    log = PacketLog()
    for packet in Tones("tones", length=5).packets(23):
        log.append(packet)
    assert log.next == 23
    assert {packet.title for packet in log.finished()} == {"Tone No. 4"}
    assert log.first == 10
    assert log[22].number == 22


def test_the_log_forgets_what_is_too_old_even_within_a_piece() -> None:
    log = PacketLog()
    packet = next(Tones("tones").packets(1))
    count = int(KEPT / BLOCK_SECONDS) + 100
    for number in range(count):
        log.append(Packet("tones", number, number * BLOCK, BLOCK, packet.data, (), "Long", 1, number == 0))
    assert log.seconds <= KEPT
    assert log.first > 0
    assert log.finished()[0].number == log.first


def test_a_burst_reaches_back_as_far_as_asked_or_as_there_is() -> None:
    log = PacketLog()
    for packet in Tones("tones").packets(20):
        log.append(packet)
    assert log.burst(2.0) == 20 - 9
    assert log.burst(100.0) == 0
