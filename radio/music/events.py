"""Events: what the live feed sends. Every time is in audio frames since the channel signed on."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar, get_args


@dataclass(frozen=True, slots=True)
class NoteEvent:
    """A note that will sound at frame `at` for `frames` frames."""

    kind: ClassVar[str] = "note"
    at: int
    frames: int
    lane: int
    """MIDI channel number 0–15 ("lane", since "channel" is the radio's word)."""
    program: int
    """0–127, or 128 for the drum kit: what sounds, after any re-orchestration."""
    pitch: int
    velocity: int


@dataclass(frozen=True, slots=True)
class ControlEvent:
    """A MIDI control change, such as the sustain pedal (control 64)."""

    kind: ClassVar[str] = "control"
    at: int
    lane: int
    control: int
    value: int


@dataclass(frozen=True, slots=True)
class BarEvent:
    """A bar line."""

    kind: ClassVar[str] = "bar"
    at: int
    number: int
    """From 1 within the piece."""
    bars: int
    """Bars in the piece as planned."""
    section: str
    key: str
    tempo: float
    meter: str


@dataclass(frozen=True, slots=True)
class PieceEvent:
    """The start of a piece."""

    kind: ClassVar[str] = "piece"
    at: int
    number: int
    title: str
    form: str
    key: str
    meter: str
    tempo: float
    bars: int


Event = NoteEvent | ControlEvent | BarEvent | PieceEvent
_KINDS: dict[str, Any] = {kind.kind: kind for kind in get_args(Event)}


def to_json(event: Event) -> dict[str, Any]:
    """The event as the feed's JSON object: its fields, and `event` naming its kind."""
    return {"event": event.kind, **asdict(event)}


def from_json(fields: dict[str, Any]) -> Event:
    """Inverse of `to_json`.

    Raises:
        KeyError, TypeError: not an event.
    """
    fields = dict(fields)
    made: Event = _KINDS[fields.pop("event")](**fields)
    return made


def moved(event: Event, frames: int) -> Event:
    """The same event, `frames` later."""
    return replace(event, at=event.at + frames)
