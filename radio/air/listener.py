"""One listener of a mount: a cursor into the packet log, and the outlet it is written to.

Writing happens on the event loop, never waits, and hands every outlet the same bytes objects. Packets are written
only when the outlet has sent all that came before, so that a slow listener costs its cursor and no memory; one who
takes nothing for `PATIENCE` seconds, or whose place in the log is gone, is disconnected and counted, never skipped.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import NamedTuple

from radio.air.icy import Phase
from radio.air.outlet import Outlet
from radio.air.spans import Spans

PATIENCE = 30.0
"""Seconds a listener may take nothing."""
MOST = 64
"""Packets written at once, to one who has fallen behind."""
_ids = itertools.count(1)


class Who(NamedTuple):
    """Who listens, for the administrator."""

    address: str = ""
    agent: str = ""


NOBODY = Who()


class Listener:
    """One HTTP audio response under way, after its head. `on_end` is called once, as it ends; `why` then says why."""

    __slots__ = (
        "_phase", "_taken", "_waiting", "began", "id", "number", "on_end", "outlet", "sent", "spans", "who",
        "why",
    )  # fmt: skip

    def __init__(
        self, outlet: Outlet, number: int, spans: Spans, phase: Phase | None, now: float, who: Who = NOBODY
    ) -> None:
        self.id, self.who, self.began = next(_ids), who, now
        self.outlet, self.spans = outlet, spans
        self.number = number
        """The packet that comes next."""
        self._phase = phase
        self.sent = 0
        """Bytes of audio and titles."""
        self.why = ""
        """Why it ended: "left", "frozen", "overtaken", "kicked" or "off air"; "": it has not."""
        self.on_end: Callable[[Listener], None] = lambda listener: None
        self._taken = now
        self._waiting = 0

    def write(self, now: float) -> None:
        """Writes what is new in the log, if the outlet has room."""
        if self.why:
            return
        outlet, log = self.outlet, self.spans.log
        if outlet.lost:
            self.end("left")
            return
        waiting = outlet.waiting
        if waiting < self._waiting or not waiting:
            self._taken = now
        self._waiting = waiting
        if waiting and now - self._taken > PATIENCE:
            self.end("frozen")
        elif self.number < log.first:
            self.end("overtaken")
        elif not waiting and self.number != log.next:
            self._write()

    def _write(self) -> None:
        span = self.spans.span(self.number, MOST, self._phase)
        if span.stop == self.number:
            # Only if the studio went away just as it began with this format.
            self.end("off air")
            return
        self.outlet.write(span.data)
        self.sent += len(span.data)
        self.number, self._phase = span.stop, span.phase
        self._waiting = self.outlet.waiting

    def then(self, call: Callable[[], None]) -> None:
        """Has something done as the response ends, or now if it has."""
        if self.why:
            call()
            return
        before = self.on_end

        def both(listener: Listener) -> None:
            before(listener)
            call()

        self.on_end = both

    def end(self, why: str) -> None:
        """Ends the response: at once where the outlet is stuck, else after what is still on its way."""
        if self.why:
            return
        self.why = why
        if why in ("frozen", "overtaken"):
            self.outlet.reset()
        else:
            self.outlet.close()
        self.on_end(self)
