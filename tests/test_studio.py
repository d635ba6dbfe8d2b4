"""The studio against an air of the test's own: greetings, credit, skips, failures, and the end of the link."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from radio import link
from radio.config import ChannelConfig, Config, StationConfig
from radio.errors import LinkError, MissingError
from radio.link import Credit, Encoded, Hello, Message, Packet, Position, Report, SignOn, Skip, Stop, Trouble
from radio.music.score import Bar, Piece
from radio.studio import studio
from radio.studio.scale import ScaleComposer

START = Position(0, 0, True)


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

    def __init__(self, config: Config, composer: Any, address: str) -> None:
        self.stop = threading.Event()
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=(config, composer, address))
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
def working(
    folder: Path, composer: Any = None, *, channels: tuple[str, ...] = ("bach",)
) -> Iterator[tuple[Air, Working]]:
    """A studio of channels that play scales, connected to an air that has said nothing yet."""
    path = folder / "link.sock"
    air = Air(path)
    station = StationConfig(state=folder, formats=("mp3",))
    config = Config(station, {name: ChannelConfig(name, name.title()) for name in channels})
    own = Working(config, composer or ScaleComposer(1), str(path))
    try:
        air.accept()
        yield air, own
    finally:
        own.stop.set()
        own.join()
        air.close()


def test_a_channel_signs_on_and_sends_as_far_as_it_has_credit(tmp_path: Path) -> None:
    with working(tmp_path) as (air, _):
        air.send(Hello(link.VERSION, {"bach": START}), Credit("bach", 3))
        assert set(air.receive(SignOn).headers) == {"mp3"}
        assert [air.receive(Packet).number for _ in range(3)] == [0, 1, 2]
        # Nothing but the next report comes until there is more credit.
        assert isinstance(air.receive((Packet, Report)), Report)
        air.send(Credit("bach", 4))
        assert air.receive(Packet).number == 3


def test_a_format_is_made_when_it_is_wanted_also_of_what_was_sent(tmp_path: Path) -> None:
    with working(tmp_path) as (air, _):
        air.send(Hello(link.VERSION, {"bach": START}), Credit("bach", 3))
        assert not any(air.receive(Packet).data for _ in range(3))
        air.send(Credit("bach", 3, 1, ("mp3",)))
        assert [air.receive(Encoded).number for _ in range(2)] == [1, 2]
        air.send(Credit("bach", 4, 1, ("mp3",)))
        assert set(air.receive(Packet).data) == {"mp3"}
        air.send(Credit("bach", 5, 1))
        assert not air.receive(Packet).data


def test_it_reports_its_figures(tmp_path: Path) -> None:
    with working(tmp_path) as (air, _):
        air.send(Hello(link.VERSION, {"bach": START}), Credit("bach", 2))
        report = air.receive(Report, lambda r: r.fields["channels"].get("bach"))
        assert report.fields["composer"]["pieces"]["bach"] >= 1
        assert report.fields["memory"] > 1 << 20
        assert report.fields["channels"]["bach"]["failures"] == 0


def test_a_skip_begins_another_piece(tmp_path: Path) -> None:
    with working(tmp_path) as (air, _):
        air.send(Hello(link.VERSION, {"bach": START}), Credit("bach", 8))
        first = air.receive(Packet)
        air.send(Skip("bach"), Skip("nobody"), Credit("bach", 60))
        second = air.receive(Packet, lambda packet: packet.opening)
        assert second.title != first.title
        assert second.number < 30


def test_a_channel_it_does_not_have_is_told_and_the_others_play(tmp_path: Path) -> None:
    with working(tmp_path) as (air, _):
        air.send(Hello(link.VERSION, {"bach": START, "polka": START}), Credit("bach", 1))
        assert "no channel polka" in air.receive(Trouble).message
        assert air.receive(Packet).channel == "bach"


def test_an_air_of_another_version_is_refused(tmp_path: Path) -> None:
    with working(tmp_path) as (air, own):
        air.send(Hello(link.VERSION + 1, {"bach": START}))
        own.join()
        assert isinstance(own.error, LinkError)
        assert "same version" in str(own.error)


def test_garbage_closes_the_link_and_it_connects_again(tmp_path: Path) -> None:
    with working(tmp_path) as (air, _):
        air.send_bytes(b"\xff" * 100)
        air.accept()
        air.send(Hello(link.VERSION, {"bach": START}), Credit("bach", 1))
        assert air.receive(Packet).number == 0


@pytest.mark.parametrize("stop", [True, False])
def test_when_the_link_ends_it_connects_again_and_goes_on_where_it_is_asked_to(tmp_path: Path, stop: bool) -> None:
    with working(tmp_path) as (air, _):
        air.send(Hello(link.VERSION, {"bach": START}), Credit("bach", 20))
        sent = [air.receive(Packet) for _ in range(20)]
        if stop:
            air.send(Stop())
        else:
            air.hang_up()
        air.accept()
        wanted = sent[12]
        air.send(Hello(link.VERSION, {"bach": Position(wanted.number, wanted.start, False)}), Credit("bach", 20))
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
    with working(tmp_path, Broken(2), channels=("bach", "jazz")) as (air, _):
        air.send(Hello(link.VERSION, {"bach": START, "jazz": START}), Credit("bach", 1), Credit("jazz", 1))
        assert air.receive(Trouble).message == "OSError: no more ink"
        assert air.receive(Packet, lambda packet: packet.channel == "bach").number == 0


def test_a_composer_that_has_died_ends_the_studio(tmp_path: Path) -> None:
    composer = ScaleComposer(1)
    with working(tmp_path, composer) as (air, own):
        air.send(Hello(link.VERSION, {"bach": START}))
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
