"""The supervisor, with real processes: restarts, pauses, and an end that is waited for."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from radio.air import supervisor
from radio.air.supervisor import Supervisor, ended, pause, studio_command


@asynccontextmanager
async def supervised(code: str) -> AsyncIterator[tuple[Supervisor, asyncio.Queue[int | None]]]:
    """A supervisor of a Python program, and the process ids as it tells them."""
    pids: asyncio.Queue[int | None] = asyncio.Queue()
    own = Supervisor([sys.executable, "-c", code], pids.put_nowait)
    task = asyncio.create_task(own.run())
    try:
        yield own, pids
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def next_pid(pids: asyncio.Queue[int | None]) -> int:
    """Waits for the next process that is started."""
    async with asyncio.timeout(30):
        while (pid := await pids.get()) is None:
            pass
        return pid


def test_pauses_grow_only_after_quick_deaths_in_a_row_and_not_for_ever() -> None:
    assert [pause(failures) for failures in range(1, 7)] == [0, 0, 1, 2, 4, 8]
    assert pause(100) == supervisor.LONGEST


def test_an_end_is_told_in_words() -> None:
    assert ended(-9) == "killed by SIGKILL"
    assert ended(2) == "exit status 2"


def test_the_studio_has_the_same_configuration_and_does_not_outlive_the_air() -> None:
    assert studio_command(["--set", "port=1"])[1:] == ["-m", "radio", "studio", "--until-eof", "--set", "port=1"]


async def test_a_process_that_dies_is_started_again_at_once() -> None:
    async with supervised("import time; time.sleep(60)") as (own, pids):
        first = await next_pid(pids)
        os.kill(first, 9)
        assert await pids.get() is None
        assert await next_pid(pids) != first
        assert own.starts == 2


async def test_cancelling_ends_the_process() -> None:
    async with supervised("import time; time.sleep(60)") as (_, pids):
        pid = await next_pid(pids)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_a_process_that_will_not_end_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "GRACE", 0.2)
    code = "import signal, sys, time; signal.signal(15, signal.SIG_IGN); sys.stdin.read(); time.sleep(60)"
    async with supervised(code) as (_, pids):
        pid = await next_pid(pids)
        began = time.monotonic()
    assert time.monotonic() - began < 30
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
