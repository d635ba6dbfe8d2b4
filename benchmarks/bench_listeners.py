"""First-byte time, and CPU a listener-second, with many listeners on four channels that are being composed.

The listeners run in this process, so the air has one core and they have another.
"""

from __future__ import annotations

import asyncio
import resource
import statistics
import sys
import time

from measuring import Station, show, stat, station

CHANNELS = ("bach", "ragtime", "chopin", "lofi")
LISTENERS = 1000
JOINS = 200.0
"""Listeners that join in a second."""
SECONDS = 30.0


class Tally:
    """What the listeners have seen."""

    def __init__(self) -> None:
        self.first: list[float] = []
        self.received = 0
        self.longest = 0.0
        self.failed = 0


async def listen(port: int, path: str, tally: Tally) -> None:
    """Listens until cancelled."""
    began = time.perf_counter()
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 17)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nIcy-MetaData: 1\r\n\r\n".encode())
    try:
        line = await reader.readline()
        tally.first.append(time.perf_counter() - began)
        tally.failed += b"200" not in line
        last = time.perf_counter()
        while data := await reader.read(1 << 16):
            now = time.perf_counter()
            tally.longest = max(tally.longest, now - last)
            last, tally.received = now, tally.received + len(data)
    finally:
        writer.close()


async def measured(own: Station, count: int) -> list[object]:
    port = int(own.url.rpartition(":")[2])
    tally = Tally()
    idle = await used(own.pid, SECONDS / 3)
    tasks = []
    for number in range(count):
        tasks.append(asyncio.create_task(listen(port, f"/{CHANNELS[number % len(CHANNELS)]}.mp3", tally)))
        await asyncio.sleep(1 / JOINS)
    await asyncio.sleep(2)
    busy = await used(own.pid, SECONDS)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    first = sorted(1000 * seconds for seconds in tally.first)
    each = 1e6 * (busy - idle) / count
    return [
        count, f"{statistics.median(first):.1f}", f"{first[int(0.99 * len(first))]:.1f}",
        f"{each:.1f}", f"{tally.longest:.2f}", tally.failed + count - len(first),
    ]  # fmt: skip


async def used(pid: int, seconds: float) -> float:
    """Share of a core that the air uses."""
    before, began = stat(pid)[1], time.monotonic()
    await asyncio.sleep(seconds)
    return (stat(pid)[1] - before) / (time.monotonic() - began)


def main() -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    counts = [int(word) for word in sys.argv[1:]] or [LISTENERS]
    with station(*CHANNELS) as own:
        own.settle()
        rows = [asyncio.run(measured(own, count)) for count in counts]
    columns = ["listeners", "first byte ms", "p99 ms", "µs CPU a listener-second", "longest wait s", "failed"]
    show("listeners, four channels on the air", columns, rows)


if __name__ == "__main__":
    main()
