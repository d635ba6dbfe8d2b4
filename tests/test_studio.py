"""The studio against an air of the test's own: greetings, credit, skips, failures, and the end of the link."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from radio import link
from radio.errors import LinkError, MissingError
from radio.formats import BLOCK, FORMATS, RATE
from radio.link import Close, Credit, Encoded, Hello, Message, Open, Packet, Position, Report, SignOn, Stop, Trouble
from radio.music.events import NoteEvent
from radio.music.score import Bar, Piece
from radio.settings import StationConfig
from radio.studio import studio
from radio.studio.desk import PAUSE
from radio.studio.scale import ScaleComposer
from sound import Pcm, decode

START = Position(0, 0, True)
SCALES = {"title": "Scales", "breath": 0.5}
"""What a channel's file says."""


def opened(name: str, position: Position = START, turn: int = 1, **fields: object) -> Open:
    return Open(name, turn, position, SCALES | fields)


def greeting(**positions: Position) -> list[Message]:
    """What an air says first; without names: of one channel that begins."""
    places = positions or {"bach": START}
    return [Hello(link.VERSION, tuple(places)), *(opened(name, place) for name, place in places.items())]


class Air:
    """The air's end of the link."""

    def __init__(self, path: Path) -> None:
        self._server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._server.bind(str(path))
        self._server.listen()
        self._server.settimeout(30)
        self._socket: socket.socket | None = None

    def accept(self) -> None:
        self.hang_up()
        self._socket, _ = self._server.accept()
        self._socket.settimeout(30)
        self._unpacker = link.Unpacker()
        self._messages: list[Message] = []

    def send(self, *messages: Message) -> None:
        self.send_bytes(b"".join(map(link.pack, messages)))

    def send_bytes(self, data: bytes) -> None:
        assert self._socket
        self._socket.sendall(data)

    def receive(self, wanted: type[Any], condition: Callable[[Any], bool] = lambda _: True) -> Any:
        """The next message of a kind; those before it are dropped."""
        while True:
            while self._messages:
                message = self._messages.pop(0)
                if isinstance(message, wanted) and condition(message):
                    return message
            assert self._socket
            data = self._socket.recv(1 << 16)
            if not data:
                raise EOFError
            self._messages += self._unpacker.feed(data)

    def hang_up(self) -> None:
        if self._socket:
            self._socket.close()

    def close(self) -> None:
        self.hang_up()
        self._server.close()


class Working:
    """A studio at work in a thread."""

    def __init__(self, station: StationConfig, composer: Any, address: str) -> None:
        self.stop = threading.Event()
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=(station, composer, address))
        self._thread.start()

    def _run(self, *arguments: Any) -> None:
        try:
            studio.run(*arguments, self.stop)
        except BaseException as error:
            self.error = error

    def join(self) -> None:
        self._thread.join(30)
        assert not self._thread.is_alive()


@contextmanager
def working(folder: Path, composer: Any = None) -> Iterator[tuple[Air, Working]]:
    """A studio that plays scales, connected to an air that has said nothing yet."""
    path = folder / "link.sock"
    air = Air(path)
    station = StationConfig(state=folder, formats=("mp3",))
    own = Working(station, composer or ScaleComposer(1), str(path))
    try:
        air.accept()
        yield air, own
    finally:
        own.stop.set()
        own.join()
        air.close()


def test_a_channel_signs_on_and_sends_as_far_as_it_has_credit(tmp_path: Path) -> None:
    with working(tmp_path) as (air, _):
        air.send(*greeting(), Credit("bach", 3))
        assert set(air.receive(SignOn).headers) == {"mp3"}
        assert [air.receive(Packet).number for _ in range(3)] == [0, 1, 2]
        # Nothing but the next report comes until there is more credit.
        assert isinstance(air.receive((Packet, Report)), Report)
        air.send(Credit("bach", 4))
        assert air.receive(Packet).number == 3


def test_a_format_is_made_when_it_is_wanted_also_of_what_was_sent(tmp_path: Path) -> None:
    with working(tmp_path) as (air, _):
        air.send(*greeting(), Credit("bach", 3))
        assert not any(air.receive(Packet).data for _ in range(3))
        air.send(Credit("bach", 3, 1, ("mp3",)))
        assert [air.receive(Encoded).number for _ in range(2)] == [1, 2]
        air.send(Credit("bach", 4, 1, ("mp3",)))
        assert set(air.receive(Packet).data) == {"mp3"}
        air.send(Credit("bach", 5, 1))
        assert not air.receive(Packet).data


def test_it_reports_its_figures(tmp_path: Path) -> None:
    with working(tmp_path) as (air, _):
        air.send(*greeting(), Credit("bach", 2))
        report = air.receive(Report, lambda r: r.fields["channels"].get("bach"))
        assert report.fields["composer"]["pieces"]["bach"] >= 1
        assert report.fields["memory"] > 1 << 20
        assert report.fields["channels"]["bach"]["failures"] == 0


def sent(air: Air, count: int, name: str = "bach") -> list[Packet]:
    return [air.receive(Packet, lambda packet: packet.channel == name) for _ in range(count)]


def heard(packets: list[Packet]) -> Pcm:
    """Their sound, from the frame at which the first one starts."""
    return decode(b"".join(packet.data["mp3"] for packet in packets))[FORMATS["mp3"].delay :]


def test_a_channel_that_is_opened_anew_breaks_its_piece_off_softly_at_the_very_packet(tmp_path: Path) -> None:
    with working(tmp_path) as (air, _):
        air.send(*greeting(), Credit("bach", 40, 0, ("mp3",)))
        before = sent(air, 40)
        assert not before[12].opening
        air.send(opened("bach", Position(12, 12 * BLOCK, True), turn=2), Credit("bach", 40, 0, ("mp3",)))
        assert air.receive(SignOn).turn == 2
        after = sent(air, 28)
    assert [packet.number for packet in after] == list(range(12, 40))
    assert [packet.start for packet in after] == [number * BLOCK for number in range(12, 40)]
    openings = [packet.number for packet in after if packet.opening]
    assert openings[0] == 13 + PAUSE
    assert after[openings[0] - 12].title != before[0].title
    assert all(packet.title == before[12].title for packet in after[: openings[0] - 12])
    assert after[0].events == before[12].events
    pcm = heard(before[:12] + after)
    assert np.abs(pcm[11 * BLOCK : 12 * BLOCK]).max() > 0.02
    assert np.abs(pcm[13 * BLOCK + RATE // 20 : openings[0] * BLOCK]).max() < 1e-3
    assert np.abs(np.diff(pcm, axis=0)).max() < 0.5
    assert np.abs(pcm[(openings[0] + 2) * BLOCK :]).max() > 0.02


def test_on_a_pieces_border_the_next_one_follows_without_a_pause(tmp_path: Path) -> None:
    with working(tmp_path) as (air, _):
        air.send(*greeting(), Credit("bach", 400))
        border = air.receive(Packet, lambda packet: packet.opening and packet.number)
        air.send(opened("bach", Position(border.number, border.start, True), turn=2), Credit("bach", 400))
        assert air.receive(SignOn).turn == 2
        first = air.receive(Packet)
        assert (first.number, first.start, first.opening) == (border.number, border.start, True)


def test_a_channel_that_is_opened_as_another_sounds_as_that_one(tmp_path: Path) -> None:
    with working(tmp_path) as (air, _):
        air.send(*greeting(), Credit("bach", 20))
        sent(air, 20)
        harp = opened("bach", Position(10, 10 * BLOCK, True), turn=2, programs={str(n): 46 for n in range(128)})
        air.send(harp, Credit("bach", 60))
        assert air.receive(SignOn).turn == 2
        after = sent(air, 50)
        begun = next(index for index, packet in enumerate(after) if packet.opening)
        notes = [event for packet in after[begun:] for event in packet.events if isinstance(event, NoteEvent)]
        assert {note.program for note in notes} == {46}


def test_a_channel_that_is_closed_ends_and_the_others_play_on(tmp_path: Path) -> None:
    composer = ScaleComposer(1)
    with working(tmp_path, composer) as (air, _):
        air.send(*greeting(bach=START, jazz=START), Credit("bach", 5), Credit("jazz", 5))
        sent(air, 5, "jazz")
        air.send(Close("jazz"), Close("jazz"), Close("nobody"), Credit("jazz", 9), Credit("bach", 9))
        assert sent(air, 4, "bach")
        assert set(air.receive(Report, lambda r: "jazz" not in r.fields["channels"]).fields["channels"]) == {"bach"}
        assert set(composer.state()["pieces"]) == {"bach"}
        air.send(opened("jazz", turn=3), Credit("jazz", 1))
        assert air.receive(Packet).number == 0


def test_a_channel_the_studio_cannot_make_is_told_and_the_others_play(tmp_path: Path) -> None:
    with working(tmp_path) as (air, _):
        air.send(Hello(link.VERSION, ("bach", "polka")), opened("polka", tempoo=3), opened("bach"), Credit("bach", 1))
        assert "tempoo: unknown key" in air.receive(Trouble).message
        assert air.receive(Packet).channel == "bach"


def test_an_air_of_another_version_is_refused(tmp_path: Path) -> None:
    with working(tmp_path) as (air, own):
        air.send(Hello(link.VERSION + 1, ("bach",)))
        own.join()
        assert isinstance(own.error, LinkError)
        assert "same version" in str(own.error)


def test_garbage_closes_the_link_and_it_connects_again(tmp_path: Path) -> None:
    with working(tmp_path) as (air, _):
        air.send_bytes(b"\xff" * 100)
        air.accept()
        air.send(*greeting(), Credit("bach", 1))
        assert air.receive(Packet).number == 0


@pytest.mark.parametrize("stop", [True, False])
def test_when_the_link_ends_it_connects_again_and_goes_on_where_it_is_asked_to(tmp_path: Path, stop: bool) -> None:
    with working(tmp_path) as (air, _):
        air.send(*greeting(), Credit("bach", 20))
        sent = [air.receive(Packet) for _ in range(20)]
        if stop:
            air.send(Stop())
        else:
            air.hang_up()
        air.accept()
        wanted = sent[12]
        air.send(*greeting(bach=Position(wanted.number, wanted.start, False)), Credit("bach", 20))
        again = air.receive(Packet)
        assert (again.number, again.events, again.title) == (wanted.number, wanted.events, wanted.title)


class Broken(ScaleComposer):
    """Raises as often as it is told to."""

    def __init__(self, times: int) -> None:
        super().__init__(1)
        self.times = times

    def take(self, channel: str, timeout: float) -> Piece | Bar | None:
        if channel == "bach" and self.times:
            self.times -= 1
            raise OSError("no more ink")
        return super().take(channel, timeout)


def test_a_channel_that_fails_says_so_and_begins_again_alone(tmp_path: Path) -> None:
    with working(tmp_path, Broken(2)) as (air, _):
        air.send(*greeting(bach=START, jazz=START), Credit("bach", 1), Credit("jazz", 1))
        assert air.receive(Trouble).message == "OSError: no more ink"
        assert air.receive(Packet, lambda packet: packet.channel == "bach").number == 0


def test_a_composer_that_has_died_ends_the_studio(tmp_path: Path) -> None:
    composer = ScaleComposer(1)
    with working(tmp_path, composer) as (air, own):
        air.send(*greeting())
        composer.trouble = OSError("out of memory")
        own.join()
        assert isinstance(own.error, RuntimeError)
        assert own.error.__cause__ is composer.trouble


def test_a_model_that_cannot_be_used_ends_it_with_the_users_own_error(tmp_path: Path) -> None:
    composer = ScaleComposer(1)
    with working(tmp_path, composer) as (_, own):
        composer.trouble = MissingError("no weights")
        own.join()
        assert own.error is composer.trouble
