"""The studio–transmitter link: numbered packets one way, positions, credit and control the other.

Pure: messages in, bytes out, and back. A message is its length (four bytes, big-endian) and a MessagePack array of its
name and its fields. The air listens, the studio connects; the air says which channels there are (`Hello`) and where
each goes on (`Open`), the studio signs each channel on (`SignOn`) and sends packets as far as it has credit.

A channel may be opened anew at any time, from a packet on that was not yet played: what the studio sent of it after
that packet, and before the `SignOn` that names the same turn, is dropped by the air.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

import msgpack

from radio.errors import LinkError
from radio.formats import FORMATS
from radio.music import events
from radio.music.events import Event

VERSION = 3
LARGEST = 4 << 20
"""Bytes of the longest message."""
_LENGTH = struct.Struct(">I")


@dataclass(frozen=True, slots=True)
class Position:
    """Where a channel goes on: the next packet wanted."""

    number: int
    start: int
    """Frames since the channel signed on."""
    fresh: bool
    """True: begin with a new piece; False: go on at exactly this frame."""


@dataclass(frozen=True, slots=True)
class Packet:
    """One block, encoded in the formats that were wanted as it was made. Numbered, immutable."""

    channel: str
    number: int
    start: int
    frames: int
    data: Mapping[str, bytes]
    """By format."""
    events: tuple[Event, ...] = ()
    """Those with start ≤ at < start + frames."""
    title: str = ""
    piece: int = 0
    """Serial number of the piece on its channel; 0: none yet."""
    opening: bool = False
    """The first packet of a piece, where packets may be spliced."""
    loudness: float | None = None
    """LUFS, short-term."""

    def holds(self, formats: Collection[str]) -> bool:
        """Whether it was made in all of them."""
        return all(form in self.data for form in formats)

    def also(self, form: str, data: bytes) -> Packet:
        """The same packet in one more format: bytes that bear any stamp."""
        return replace(self, data={**self.data, form: FORMATS[form].restamp(data, self.number, self.start)})

    def alone(self) -> Packet:
        """The same packet as it may follow any other."""
        return replace(self, data={name: FORMATS[name].alone(own) for name, own in self.data.items()})

    def moved(self, number: int, start: int) -> Packet:
        """The same packet at another place of the log: its bytes stamped anew, its events moved."""
        if (number, start) == (self.number, self.start):
            return self
        data = {name: FORMATS[name].restamp(own, number, start) for name, own in self.data.items()}
        by = start - self.start
        moved = tuple(events.moved(event, by) for event in self.events)
        return replace(self, number=number, start=start, data=data, events=moved)


@dataclass(frozen=True, slots=True)
class Encoded:
    """Studio → air: a packet that was sent before, in one more format."""

    channel: str
    number: int
    form: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Hello:
    """Air → studio, first: the channels there are, each of which is opened then."""

    version: int
    channels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Open:
    """Air → studio: a channel is wanted from a position on, be it new, at another place, or another than it was."""

    channel: str
    turn: int
    """Told back by the `SignOn` that answers."""
    position: Position
    table: Mapping[str, Any]
    """What the channel's file says, as `radio.tables.table` has it."""


@dataclass(frozen=True, slots=True)
class Close:
    """Air → studio: a channel is not wanted any more."""

    channel: str


@dataclass(frozen=True, slots=True)
class Credit:
    """Air → studio: all that is wanted of a channel, told anew whenever it changes."""

    channel: str
    until: int
    """Packets numbered below this may be sent."""
    since: int = 0
    """The oldest packet that somebody who tunes in now is given."""
    formats: tuple[str, ...] = ()
    """Those listened to. One that was not made so far is made from packet `since` on."""
    keep: int | None = None
    """The oldest packet whose sound is to be kept, since a format may be wanted from there; None: `since`."""


@dataclass(frozen=True, slots=True)
class Stop:
    """Air → studio: the station signs off."""


@dataclass(frozen=True, slots=True)
class SignOn:
    """Studio → air, before a channel's first packet after an `Open`: what a listener must get first, by format."""

    channel: str
    turn: int
    headers: Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class Report:
    """Studio → air, about once a second: figures for the status page."""

    fields: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Trouble:
    """Studio → air: what went wrong, on one channel or ("") in all of the studio."""

    channel: str
    message: str


Message = Packet | Encoded | Hello | Open | Close | Credit | Stop | SignOn | Report | Trouble
_KINDS: dict[str, type[Any]] = {
    kind.__name__: kind for kind in (Packet, Encoded, Hello, Open, Close, Credit, Stop, SignOn, Report, Trouble)
}


def pack(message: Message) -> bytes:
    """A message as bytes.

    Raises:
        LinkError: it is longer than LARGEST.
    """
    values = [_plain(name, getattr(message, name)) for name in _names(type(message))]
    body: bytes = msgpack.packb([type(message).__name__, *values])
    if len(body) > LARGEST:
        raise LinkError(f"a message of {len(body)} bytes; at most {LARGEST} are allowed")
    return _LENGTH.pack(len(body)) + body


def _names(kind: type[Any]) -> list[str]:
    return [own.name for own in fields(kind)]


def _plain(name: str, value: Any) -> Any:
    if name == "events":
        return [events.to_json(event) for event in value]
    if name == "position":
        return [value.number, value.start, value.fresh]
    return value


def unpack(body: bytes) -> Message:
    """The message of a body.

    Raises:
        LinkError: it is none.
    """
    try:
        kind, *values = msgpack.unpackb(body, strict_map_key=True)
        made = _KINDS[kind]
        named = dict(zip(_names(made), values, strict=True))
        if made is Packet:
            named["events"] = tuple(events.from_json(event) for event in named["events"])
        if made is Credit:
            named["formats"] = tuple(named["formats"])
        if made is Hello:
            named["channels"] = tuple(named["channels"])
        if made is Open:
            named["position"] = Position(*named["position"])
        message: Message = made(**named)
    except (ValueError, TypeError, KeyError, AttributeError, msgpack.UnpackException) as error:
        raise LinkError(f"not a message: {error!r}, in {body[:40]!r}") from error
    if made is Packet:
        _check(message)
    if made is Encoded and not _whole(message):
        raise LinkError(f"not an encoded packet, in {body[:40]!r}")
    return message


def _check(packet: Any) -> None:
    whole = all(isinstance(value, int) for value in (packet.number, packet.start, packet.frames))
    named = isinstance(packet.data, dict) and all(isinstance(own, bytes) for own in packet.data.values())
    if not whole or not named or not isinstance(packet.channel, str) or packet.frames <= 0:
        raise LinkError(f"not a packet: number {packet.number!r}, start {packet.start!r}, frames {packet.frames!r}")


def _whole(encoded: Any) -> bool:
    strings = isinstance(encoded.channel, str) and isinstance(encoded.form, str)
    return strings and isinstance(encoded.number, int) and isinstance(encoded.data, bytes)


class Unpacker:
    """Bytes as they come in; whole messages out."""

    def __init__(self) -> None:
        self._held = bytearray()

    def feed(self, data: bytes) -> Iterator[Message]:
        """The messages that `data` completes.

        Raises:
            LinkError: the bytes are not messages; nothing that follows can be.
        """
        self._held += data
        while len(self._held) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._held)
            if length > LARGEST:
                raise LinkError(f"a message of {length} bytes announced; at most {LARGEST} are allowed")
            if len(self._held) < _LENGTH.size + length:
                return
            body = bytes(self._held[_LENGTH.size : _LENGTH.size + length])
            del self._held[: _LENGTH.size + length]
            yield unpack(body)
