"""The air beside Icecast 2.4: the same four channels, composed meanwhile, to the same crowd, turn by turn.

    python benchmarks/air.py [--listeners N …] [--seconds S] [-o FILE]

Icecast is Debian's (`apt-get install icecast2`); this station feeds it through its Icecast sink. Before each turn a
server's idle CPU is measured; what a crowd costs is what comes on top. Then 1,000 listeners of whom 300 leave and come
every second, and 1,000 of whom a fifth never read. The crowd is a process of its own (`crowd.py`), on the same cores.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from measuring import Station, show, stat, station

CHANNELS = ("bach", "ragtime", "chopin", "lofi")
LISTENERS = (500, 1000, 4000, 10000, 18000)
JOINS = 1000.0
CHURN, CROWD, FROZEN = 300.0, 1000, 200
PATIENCE = 60.0
"""Seconds that the frozen are given to be let go."""
PASSWORD, PORT = "benchmark", 18123
PAGE = os.sysconf("SC_PAGE_SIZE")
ICECAST = f"""<icecast>
  <limits>
    <clients>25000</clients><sources>8</sources><burst-size>65536</burst-size><queue-size>524288</queue-size>
  </limits>
  <authentication>
    <source-password>{PASSWORD}</source-password>
    <admin-user>admin</admin-user><admin-password>{PASSWORD}</admin-password>
  </authentication>
  <hostname>127.0.0.1</hostname>
  <listen-socket><port>{PORT}</port><bind-address>127.0.0.1</bind-address></listen-socket>
  <paths>
    <logdir>/tmp</logdir><webroot>/usr/share/icecast2/web</webroot><adminroot>/usr/share/icecast2/admin</adminroot>
  </paths>
  <logging><accesslog>-</accesslog><errorlog>-</errorlog><loglevel>1</loglevel></logging>
  <security><chroot>0</chroot>
    <changeowner><user>nobody</user><group>nogroup</group></changeowner>
  </security>
</icecast>
"""
SINK = '[[sinks]]\nkind = "icecast"\nserver = "http://127.0.0.1:{port}"\n'


@dataclass(frozen=True)
class Turn:
    """What one crowd was to one server."""

    server: str
    listeners: int
    cpu: float
    """Microseconds of CPU a listener-second, idle CPU taken off; of the listeners who were served."""
    memory: float
    """Bytes a listener served, of the process's resident set, as much as it grew without listeners taken off."""
    first: float
    """Milliseconds to the first byte, median, and 99th percentile of those who joined."""
    late: float
    failed: int
    wait: float
    """Seconds, the longest between two readings."""
    stalls: int
    stalled: float


class Crowd:
    """The crowd's process."""

    def __init__(self, target: str, paths: Sequence[str], *options: str) -> None:
        words = [sys.executable, str(Path(__file__).with_name("crowd.py")), target, *paths, *options]
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def joined(self) -> None:
        """Waits until all have asked to join."""
        assert self.process.stdout
        if self.process.stdout.readline() != "joined\n":
            raise SystemExit("the crowd did not join")

    def heard(self) -> dict[str, Any]:
        """What was heard since it was last asked."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        found: dict[str, Any] = json.loads(self.process.stdout.readline())
        return found

    def __enter__(self) -> Crowd:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.communicate()


def resident(pid: int) -> int:
    """Bytes of a process's resident set."""
    return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * PAGE


def used(pid: int, seconds: float) -> float:
    """Share of a core that a process uses over some seconds."""
    before, began = stat(pid)[1], time.monotonic()
    time.sleep(seconds)
    return (stat(pid)[1] - before) / (time.monotonic() - began)


@dataclass(frozen=True)
class Server:
    """One of the two."""

    name: str
    pid: int
    target: str
    paths: tuple[str, ...]

    def turn(self, listeners: int, seconds: float) -> Turn:
        """A crowd joins at JOINS a second, listens, and leaves."""
        before, idle = resident(self.pid), used(self.pid, seconds)
        empty, began = resident(self.pid), time.monotonic()
        growth = (empty - before) / seconds
        with Crowd(self.target, self.paths, "--listeners", str(listeners), "--joins", str(JOINS)) as crowd:
            crowd.joined()
            time.sleep(5)
            joining = crowd.heard()
            busy = used(self.pid, seconds)
            full = resident(self.pid) - growth * (time.monotonic() - began)
            heard = crowd.heard()
        first = sorted([*joining["first"], *heard["first"]]) or [float("nan")]
        failed = listeners - len(first) + heard["failed"]
        served = max(listeners - failed, 1)
        return Turn(
            self.name, listeners, 1e6 * (busy - idle) / served, (full - empty) / served,
            1e3 * statistics.median(first), 1e3 * first[int(0.99 * (len(first) - 1))],
            failed, heard["wait"], joining["stalls"] + heard["stalls"],
            max(joining["stalled"], heard["stalled"]),
        )  # fmt: skip

    def churned(self, seconds: float) -> list[object]:
        """CPU and first bytes while CHURN listeners of CROWD leave, and others come, every second."""
        options = ("--listeners", str(CROWD), "--churn", str(CHURN))
        with Crowd(self.target, self.paths, *options) as crowd:
            crowd.joined()
            time.sleep(3)
            crowd.heard()
            busy, heard = used(self.pid, seconds), crowd.heard()
        first = sorted(heard["first"])
        late = 1e3 * first[int(0.99 * len(first))]
        return [self.name, 100 * busy, 1e3 * statistics.median(first), late, heard["failed"], heard["stalls"]]

    def frozen(self) -> list[object]:
        """When those who never read are let go, and whether the others hear anything of it."""
        before = resident(self.pid)
        with Crowd(self.target, self.paths, "--listeners", str(CROWD), "--frozen", str(FROZEN)) as crowd:
            crowd.joined()
            evicted: list[float] = []
            stalls, wait, began = 0, 0.0, time.monotonic()
            while len(evicted) < FROZEN and time.monotonic() - began < PATIENCE:
                time.sleep(1)
                heard = crowd.heard()
                evicted += heard["evicted"]
                stalls, wait = stalls + heard["stalls"], max(wait, heard["wait"])
        time.sleep(2)
        last = f"{max(evicted):.0f}" if evicted else "–"
        return [self.name, f"{len(evicted)} of {FROZEN}", last, stalls, wait, resident(self.pid) / before]


@contextlib.contextmanager
def icecast() -> Iterator[subprocess.Popen[bytes]]:
    """A running Icecast."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "icecast.xml")
        path.write_text(ICECAST, encoding="utf-8")
        Path(folder).chmod(0o755)
        silent = subprocess.DEVNULL
        with subprocess.Popen(["icecast2", "-c", str(path)], stdout=silent, stderr=silent) as process:
            try:
                yield process
            finally:
                process.kill()


@contextlib.contextmanager
def servers() -> Iterator[tuple[Station, list[Server]]]:
    """This station with its four channels, and Icecast fed by it."""
    paths = tuple(f"/{name}.mp3" for name in CHANNELS)
    with icecast() as other, tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "station.toml")
        path.write_text(SINK.format(port=PORT), encoding="utf-8")
        os.environ["ICECAST_PASSWORD"] = PASSWORD
        with station(*CHANNELS, options=("--station", str(path))) as own:
            own.settle()
            target = own.url.removeprefix("http://")
            ours = Server("radio", own.pid, target, paths)
            yield own, [ours, Server("icecast", other.pid, f"127.0.0.1:{PORT}", paths)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0] if __doc__ else "")
    parser.add_argument("--listeners", nargs="*", type=int, default=LISTENERS, metavar="N")
    parser.add_argument("--seconds", type=float, default=20.0, metavar="S")
    parser.add_argument("-o", "--output", type=Path, help="for the figures, as JSON")
    given = parser.parse_args()
    turns: list[Turn] = []
    with servers() as (_, both):
        for count in given.listeners:
            turns += [server.turn(count, given.seconds) for server in both]
            _show(turns)
        churned = [server.churned(given.seconds) for server in both]
        columns = ["server", "% of a core", "first byte ms", "99 % ms", "failed", "stalls"]
        show(f"{CROWD} listeners, {CHURN:.0f} of whom leave and come every second", columns, churned)
        frozen = [server.frozen() for server in both]
        columns = ["server", "let go", "the last after s", "stalls of others", "longest wait s", "memory after"]
        show(f"{CROWD} listeners, {FROZEN} of whom never read", columns, frozen)
    if given.output:
        fields = {"turns": [asdict(turn) for turn in turns], "churn": churned, "frozen": frozen}
        given.output.write_text(json.dumps(fields, indent=1) + "\n", encoding="utf-8")


def _show(turns: Sequence[Turn]) -> None:
    columns = [
        "server", "listeners", "µs CPU / l·s", "kB / l", "first byte ms", "99 % ms", "failed", "wait s", "stalls",
        "longest s",
    ]  # fmt: skip
    rows = [
        [
            turn.server, turn.listeners, f"{turn.cpu:.1f}", f"{turn.memory / 1000:.1f}", f"{turn.first:.1f}",
            f"{turn.late:.1f}", turn.failed, turn.wait, turn.stalls, turn.stalled,
        ]
        for turn in turns
    ]  # fmt: skip
    show("joining at 1,000 a second, then listening", columns, rows)


if __name__ == "__main__":
    main()
