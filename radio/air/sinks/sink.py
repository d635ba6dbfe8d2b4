"""What a sink is, and how it tells that it is doing well."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

from radio.air.station import Mount
from radio.settings import ChannelConfig, StationConfig


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True)
class Progress:
    """How one sink is doing, as /status.json tells it. The sink writes it; its keeper, `failed` and `error`."""

    state: str = "waiting"
    """ "waiting" for sound or an answer, "running", or "failed": until it is tried again."""
    since: datetime = field(default_factory=_now)
    bytes: int = 0
    """Sent or written since the station signed on."""
    error: str = ""
    """The last one."""

    def turn(self, state: str) -> None:
        """Enters a state."""
        if state != self.state:
            self.state, self.since = state, _now()


class Sink(Protocol):
    """One `[[sinks]]` table on one channel."""

    def __init__(self, config: Any, station: StationConfig, channel: ChannelConfig, progress: Progress) -> None:
        """`config`: the table, of the dataclass of its kind.

        Raises:
            MissingError: something it needs is not there, such as a password.
        """

    async def run(self, mount: Mount) -> None:
        """Takes what the mount sends, until cancelled.

        Raises:
            SinkError: it cannot go on; it is run again after a pause.
        """
