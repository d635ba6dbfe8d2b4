"""The supervisor: keeps a studio process running beside the air.

A studio that dies is started again at once; one that dies again and again within seconds is given growing pauses.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import sys
import time
from collections.abc import Callable, Sequence

log = logging.getLogger(__name__)

HEALTHY = 20.0
"""Seconds after which a studio counts as having run well."""
LONGEST = 15.0
"""Seconds of the longest pause."""
GRACE = 1.2
"""Seconds a studio has to end when it is asked to."""


def pause(failures: int) -> float:
    """Seconds to wait after so many quick deaths in a row: none after the first two, then 1, 2, 4 …"""
    return 0.0 if failures <= 2 else min(2.0 ** (failures - 3), LONGEST)


class Supervisor:
    """Runs `command` for as long as `run` does. `on_start` is told each process's id, and None when it has ended."""

    def __init__(self, command: Sequence[str], on_start: Callable[[int | None], None] = lambda pid: None) -> None:
        self.command = command
        self.on_start = on_start
        self.starts = 0
        self._process: asyncio.subprocess.Process | None = None

    async def run(self) -> None:
        """Starts the process, and again whenever it ends, until cancelled; then ends it."""
        failures = 0
        try:
            while True:
                began = time.monotonic()
                self._process = await asyncio.create_subprocess_exec(*self.command, stdin=asyncio.subprocess.PIPE)
                self.starts += 1
                self.on_start(self._process.pid)
                code = await self._process.wait()
                self.on_start(None)
                failures = 1 if time.monotonic() - began > HEALTHY else failures + 1
                log.error("the studio ended (%s); it is started again", ended(code))
                await asyncio.sleep(pause(failures))
        finally:
            await self._end()

    async def _end(self) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), GRACE)
        except TimeoutError:
            log.warning("the studio did not end within %.1f s and is killed", GRACE)
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


def studio_command(arguments: Sequence[str]) -> list[str]:
    """The command of a studio with the same configuration, which does not outlive us."""
    return [sys.executable, "-m", "radio", "studio", "--until-eof", *arguments]


def ended(code: int) -> str:
    """How a process ended, in words."""
    if code < 0:
        return f"killed by {signal.Signals(-code).name}"
    return f"exit status {code}"
