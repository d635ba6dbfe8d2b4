from __future__ import annotations

import pytest

from fakes import Clock, Tones
from radio.air.channel import ENCORE, Channel
from radio.air.clock import LATE, Pace
from radio.air.log import KEPT, PacketLog
from radio.errors import LinkError
from radio.formats import BLOCK, RATE
from radio.link import Packet, Position
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
    assert own.credit() == int(10.0 / BLOCK_SECONDS)
    tones = Tones("tones")
    fill(own, tones, own.credit())
    assert own.credit() == tones.number
    own.advance(clock.now)
    run(own, clock, 2.4)
    assert own.credit() > tones.number
    assert own.ahead == pytest.approx(10.0 - 2.0 - 2.4, abs=0.6)


def test_a_packet_out_of_order_is_refused() -> None:
    own = channel()
    fill(own, Tones("tones"), 3)
    with pytest.raises(LinkError, match="got packet 7"):
        own.receive(next(Tones("tones", number=7, start=7 * BLOCK).packets(1)))


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
