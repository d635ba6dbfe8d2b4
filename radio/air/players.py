"""Who listens to a channel by HLS. A player comes and goes with its requests, and is known by the session in them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from radio.air.m3u8 import TARGET

GONE = 4.0 * TARGET
"""Seconds after its last request that a player counts as gone: one that plays asks once in a target's."""
PAUSED = 600.0
"""Seconds after its last request that what a player of the rewind playlist goes back to is still made and kept."""


@dataclass(slots=True)
class Player:
    """One player."""

    form: str
    """What it plays now."""
    asked: float
    patience: float
    """Seconds after its last request that its format is made for it."""
    here: bool = True


class Players:
    """The players of one channel."""

    def __init__(self) -> None:
        self._players: dict[str, Player] = {}
        self.peak = 0
        self.left = 0
        """How many went."""

    @property
    def count(self) -> int:
        """Those who listen."""
        return sum(player.here for player in self._players.values())

    @property
    def by_format(self) -> Counter[str]:
        """Those who listen, by format."""
        return Counter(player.form for player in self._players.values() if player.here)

    def here(self, session: str) -> bool:
        """Whether this one listens."""
        return session in self._players and self._players[session].here

    def ask(self, session: str, form: str, now: float, *, rewind: bool) -> None:
        """A request of a player."""
        self._players[session] = Player(form, now, PAUSED if rewind else GONE)
        self.peak = max(self.peak, self.count)

    @property
    def any(self) -> bool:
        """Whether anything is to be made for anybody."""
        return bool(self._players)

    def wants(self, form: str) -> bool:
        """Whether a format is to be made for anybody."""
        return any(player.form == form for player in self._players.values())

    def forget(self, now: float) -> None:
        """Lets go of those who have gone."""
        for session, player in tuple(self._players.items()):
            if player.here and now - player.asked > GONE:
                player.here = False
                self.left += 1
            if now - player.asked > player.patience:
                del self._players[session]
