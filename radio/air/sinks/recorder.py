"""The sink that records a mount to files. What touches the disk runs in a thread of its own, so that nobody else waits.

Files are cut on packet borders: by the clock's hour, or where a piece begins.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime

from radio.air.sinks.keeping import GIGABYTE, prune
from radio.air.sinks.names import stem
from radio.air.sinks.reception import Reception
from radio.air.sinks.recording import Plan, Recording
from radio.air.sinks.sink import Progress
from radio.air.sinks.source import said
from radio.air.station import Mount
from radio.errors import SinkError
from radio.link import Packet
from radio.settings import ChannelConfig, StationConfig
from radio.sinks import RecordConfig

log = logging.getLogger(__name__)

FAREWELL = 1.0
"""Seconds that completing the last file may take as the station signs off."""


class Recorder:
    """Records one mount."""

    def __init__(
        self, config: RecordConfig, station: StationConfig, channel: ChannelConfig, progress: Progress
    ) -> None:
        self.config, self.station, self.channel, self.progress = config, station, channel, progress
        self._recording: Recording | None = None
        self._hour = ""

    def now(self) -> datetime:
        """The time of day that names and hours are by."""
        return datetime.now().astimezone()

    async def run(self, mount: Mount) -> None:
        """Records until cancelled, and then completes the file.

        Raises:
            SinkError: the disk is full, the folder cannot be written to, or the sound has a gap; what was recorded is
                kept.
        """
        loop = asyncio.get_running_loop()
        thread = ThreadPoolExecutor(1, thread_name_prefix=f"record {mount.path}")
        try:
            with Reception(mount) as reception:
                await reception.begin(live=False)
                self.progress.turn("running")
                while True:
                    packets = await reception.packets()
                    self.progress.bytes += await loop.run_in_executor(thread, self._take, mount, packets)
        except OSError as error:
            raise SinkError(f"{error.filename or self.config.folder}: {said(error)}") from error
        finally:
            with suppress(TimeoutError, OSError):
                await asyncio.wait_for(loop.run_in_executor(thread, self._finish, None), FAREWELL)
            thread.shutdown(wait=False, cancel_futures=True)

    def _take(self, mount: Mount, packets: Sequence[Packet]) -> int:
        """Writes packets, each to the file it belongs to; how many bytes of sound."""
        written = 0
        for packet in packets:
            if self._cut(packet):
                self._finish(packet)
                prune(self.config, self.channel.name, mount.form.extension)
                self._begin(mount, packet)
            if self._recording:
                self._recording.write(packet)
                written += len(packet.data[mount.form.name])
        if self._recording:
            self._spare()
        return written

    def _cut(self, packet: Packet) -> bool:
        """Whether a file begins with this packet."""
        if self.config.each == "piece":
            return packet.opening
        # With its distance from UTC: the hour that comes twice in autumn is two.
        hour, self._hour = self._hour, f"{self.now():%Y-%m-%d %H %z}"
        return hour != self._hour or self._recording is None

    def _begin(self, mount: Mount, packet: Packet) -> None:
        self.config.folder.mkdir(parents=True, exist_ok=True)
        self._spare()
        begun = self.now()
        title = packet.title if self.config.each == "piece" else self.channel.title
        plan = Plan(
            self.config.folder / stem(self.config.name, self.channel.name, title, begun),
            mount.form.name,
            mount.channel.headers.get(mount.form.name, b""),
            title,
            self.station.name,
            self.channel.title,
            self.channel.genre,
            begun,
            self.config.cue,
            self.config.midi,
        )
        self._recording = Recording(plan, packet)

    def _spare(self) -> None:
        """Looks at what is left of the disk.

        Raises:
            SinkError: less than is to be left free.
        """
        disk = os.statvfs(self.config.folder)
        free = disk.f_bavail * disk.f_frsize / GIGABYTE
        if free < self.config.spare_gigabytes:
            wanted = f"{self.config.spare_gigabytes:g} (spare_gigabytes)"
            raise SinkError(f"{self.config.folder}: the disk has {free:.3g} GB left, wanted at least {wanted}")

    def _finish(self, following: Packet | None) -> None:
        """Completes the file under way, if there is one."""
        recording, self._recording = self._recording, None
        if recording and (path := recording.finish(following)):
            log.info("recorded %s, %.1f MB", path, recording.size / 1e6)
