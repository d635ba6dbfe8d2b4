"""A sink's place in a mount's packet log. While it is open the studio is asked for the format, as for a listener."""

from __future__ import annotations

from types import TracebackType

from radio.air.station import Mount
from radio.errors import SinkError
from radio.link import Packet


class Reception:
    """Takes a mount's packets as they are released, without gap: `with Reception(mount) as reception: …`."""

    def __init__(self, mount: Mount) -> None:
        self.mount = mount
        self.number: int | None = None
        """The packet that comes next; None before the first."""

    def __enter__(self) -> Reception:
        self.mount.receptions += 1
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None) -> None:
        self.mount.receptions -= 1

    async def begin(self, *, live: bool) -> None:
        """Waits until there is sound in the format; the first packet is the newest (`live`) or the burst's first."""
        channel = self.mount.channel
        while (first := channel.first(self.mount.form.name)) is None:
            await self.mount.news.wait()
        self.number = channel.log.next - 1 if live else first

    async def packets(self) -> list[Packet]:
        """Waits for what comes next: every packet that is new, at least one.

        Raises:
            SinkError: it is gone from the log, or not there in the format.
        """
        assert self.number is not None, "begin comes before packets"
        log, form = self.mount.channel.log, self.mount.form.name
        while self.number >= log.next:
            await self.mount.news.wait()
        if self.number < log.first:
            raise SinkError(f"fell behind: packet {self.number} is gone, the oldest is {log.first}")
        found = [log[number] for number in range(self.number, log.next)]
        if not all(packet.holds((form,)) for packet in found):
            raise SinkError(f"the studio went away before it had made what comes next in {form}")
        self.number = log.next
        return found
