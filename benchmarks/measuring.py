"""What the benchmarks share: tables, CPU time of process trees, a station of its own. Linux."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

TICKS = os.sysconf("SC_CLK_TCK")


def show(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Prints a table; numbers to the right."""
    table = Table(*columns, title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for column in table.columns[1:]:
        column.justify = "right"
    for row in rows:
        table.add_row(*(f"{cell:,.2f}" if isinstance(cell, float) else str(cell) for cell in row))
    Console(width=110).print(table, "")


def stat(pid: int) -> tuple[int, float]:
    """A process's parent and the seconds of CPU that it has used."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return int(fields[1]), (int(fields[11]) + int(fields[12])) / TICKS


def cpu_by_process(root: int) -> dict[int, float]:
    """CPU seconds of a process and all below it."""
    found: dict[int, tuple[int, float]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                found[int(entry.name)] = stat(int(entry.name))
    family = {root}
    while more := {pid for pid, (parent, _) in found.items() if parent in family} - family:
        family |= more
    return {pid: found[pid][1] for pid in family if pid in found}


def cpu_seconds(root: int) -> float:
    """CPU seconds of a process and all below it, together."""
    return sum(cpu_by_process(root).values())


class Station:
    """`radio serve` as a process of its own."""

    def __init__(self, process: subprocess.Popen[str], url: str) -> None:
        self.process, self.url = process, url

    @property
    def pid(self) -> int:
        return self.process.pid

    def status(self) -> dict[str, Any]:
        with urllib.request.urlopen(f"{self.url}/status.json", timeout=10) as answer:
            found: dict[str, Any] = json.load(answer)
            return found

    def settle(self, seconds: float = 900.0) -> float:
        """Waits until every channel's lookahead is full and the composer rests; the seconds it took."""
        began = time.monotonic()
        while time.monotonic() - began < seconds:
            time.sleep(1)
            status = self.status()
            ahead = status["studio"]["report"].get("composer", {}).get("ahead", {}).values()
            full = all(channel["lookahead"] > 20 for channel in status["channels"].values())
            if full and ahead and min(ahead) > 15:
                return time.monotonic() - began
        raise SystemExit("the station does not keep up with so many channels here")


@contextlib.contextmanager
def station(*channels: str, options: Sequence[str] = ()) -> Iterator[Station]:
    """A station of these channels, of all if none is named, on any free port."""
    with tempfile.TemporaryDirectory() as state:
        words = [*options, "--host", "127.0.0.1", "--port", "0", "--seed", "1", "--set", f"state={state}"]
        command = [sys.executable, "-m", "radio", "serve", *words, *(["--only", *channels] if channels else [])]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
            assert process.stderr
            try:
                for line in process.stderr:
                    if found := re.search(r"on air at (\S+)", line):
                        yield Station(process, found[1])
                        return
                raise SystemExit("the station did not go on the air")
            finally:
                process.terminate()
                process.stderr.close()
