"""Ports for servers that are programs of their own."""

from __future__ import annotations

import asyncio
import socket


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


async def answers(port: int, process: asyncio.subprocess.Process | None = None) -> None:
    """Waits until somebody listens at a port, as this process is to, which must not end before."""
    async with asyncio.timeout(60):
        while True:
            assert process is None or process.returncode is None, f"ended with status {process.returncode}"
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                return
