"""A crowd of listeners in one process: joins, reads, leaves and freezes as told, and says what it heard.

    python benchmarks/crowd.py HOST:PORT PATH… [--listeners N] [--joins R] [--churn R] [--frozen N]

It joins at R listeners a second, spread over the paths, and prints `joined`. At each line that it reads it prints what
was heard since the one before, as JSON; at the end of its input it leaves. Every second R listeners leave and others
come instead. Frozen listeners read nothing after the head of their response.

A listener plays what it gets at the bit rate that the head tells, without waiting for more than the first byte: it
stalls when all that came is played.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import resource
import select
import socket
import sys
import time
from dataclasses import asdict, dataclass, field

BUFFER = 1 << 16
INPUT = 0
"""Where it is asked."""
SHORTEST = 0.05
"""Seconds of a stall that is counted: a burst that comes in two pieces is none."""
SMALL = 4096
"""Bytes of the receive buffer of one who never reads."""
GONE = select.EPOLLHUP | select.EPOLLERR


@dataclass
class Heard:
    """What the crowd has seen since it was last asked."""

    first: list[float] = field(default_factory=list)
    """Seconds from the connection's beginning to the first byte, of those who joined."""
    failed: int = 0
    """Those who were refused, or whose response ended by itself."""
    bytes: int = 0
    wait: float = 0.0
    """Seconds, the longest between two readings of one listener."""
    stalls: int = 0
    stalled: float = 0.0
    """Seconds of the longest stall."""
    evicted: list[float] = field(default_factory=list)
    """Seconds after which the frozen were let go."""


class Ear:
    """One listener."""

    def __init__(self, target: tuple[str, int], path: str, now: float, *, frozen: bool) -> None:
        self.frozen, self.began = frozen, now
        self.first = self.last = 0.0
        """When the first bytes came, less stalls; and the latest."""
        self.rate, self.received = 0.0, 0
        self.request = f"GET {path} HTTP/1.1\r\nHost: x\r\nIcy-MetaData: 1\r\n\r\n".encode()
        self.socket = socket.socket()
        self.socket.setblocking(False)
        if frozen:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL)
        self.socket.connect_ex(target)


class Crowd:
    """All listeners."""

    def __init__(self, target: tuple[str, int], paths: list[str]) -> None:
        self.target, self.paths = target, paths
        self.heard = Heard()
        self.ears: dict[int, Ear] = {}
        self.epoll = select.epoll()
        self.buffer = bytearray(BUFFER)
        self.asked = 0
        self.over = False
        """Nobody asks any more."""

    def join(self, *, frozen: bool = False) -> None:
        """One more."""
        path = self.paths[self.asked % len(self.paths)]
        self.asked += 1
        ear = Ear(self.target, path, time.perf_counter(), frozen=frozen)
        self.ears[ear.socket.fileno()] = ear
        self.epoll.register(ear.socket, select.EPOLLOUT)

    def leave(self, number: int) -> None:
        """This one is gone."""
        ear = self.ears.pop(number)
        self.epoll.unregister(number)
        ear.socket.close()

    def listen(self, seconds: float) -> None:
        """Serves what happens within so many seconds, or until something has."""
        for number, happened in self.epoll.poll(seconds, 1024):
            if number == INPUT:
                self._answer()
                continue
            ear = self.ears[number]
            if ear.frozen and ear.first and happened & GONE:
                self.heard.evicted.append(time.perf_counter() - ear.first)
                self.leave(number)
            elif happened & select.EPOLLIN:
                self._read(number, ear)
            elif happened & GONE:
                self.heard.failed += 1
                self.leave(number)
            elif happened & select.EPOLLOUT:
                ear.socket.send(ear.request)
                self.epoll.modify(number, select.EPOLLIN)

    def _read(self, number: int, ear: Ear) -> None:
        try:
            count = ear.socket.recv_into(self.buffer)
        except OSError:
            count = 0
        now = time.perf_counter()
        if not count:
            self.heard.failed += 1
            self.leave(number)
        elif not ear.first:
            self._begin(number, ear, bytes(self.buffer[:count]), now)
        else:
            self.heard.bytes += count
            self.heard.wait = max(self.heard.wait, now - ear.last)
            dry = now - ear.first - ear.received / ear.rate
            if dry > 0:
                self.heard.stalls += dry > SHORTEST
                self.heard.stalled = max(self.heard.stalled, dry)
                ear.first += dry
            ear.last, ear.received = now, ear.received + count

    def _begin(self, number: int, ear: Ear, head: bytes, now: float) -> None:
        if not re.match(rb"HTTP/1\.[01] 200 ", head):
            self.heard.failed += 1
            self.leave(number)
            return
        found = re.search(rb"icy-br: *(\d+)", head)
        ear.rate = 125.0 * int(found[1] if found else 128)
        ear.first = ear.last = now
        ear.received = len(head) - head.find(b"\r\n\r\n") - 4
        self.heard.first.append(now - ear.began)
        if ear.frozen:
            self.epoll.modify(number, 0)

    def _answer(self) -> None:
        """Tells what was heard since it was last asked, or that it is over."""
        if sys.stdin.readline():
            told, self.heard = self.heard, Heard()
            print(json.dumps({**asdict(told), "listeners": len(self.ears)}), flush=True)
        else:
            self.over = True


def run(crowd: Crowd, listeners: int, joins: float, churn: float, frozen: int) -> None:
    """Joins, and listens until the input ends."""
    began = time.perf_counter()
    while crowd.asked < listeners:
        due = min(listeners, int((time.perf_counter() - began) * joins) + 1)
        while crowd.asked < due:
            crowd.join(frozen=crowd.asked * frozen // listeners < (crowd.asked + 1) * frozen // listeners)
        crowd.listen(0.5 / joins)
    print("joined", flush=True)
    crowd.epoll.register(INPUT, select.EPOLLIN)
    changed = time.perf_counter()
    while not crowd.over:
        crowd.listen(0.05)
        while churn and (time.perf_counter() - changed) * churn >= 1:
            changed += 1 / churn
            crowd.leave(random.choice([number for number, ear in crowd.ears.items() if not ear.frozen]))
            crowd.join()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0] if __doc__ else "")
    parser.add_argument("target", metavar="HOST:PORT")
    parser.add_argument("paths", nargs="+", metavar="PATH")
    parser.add_argument("--listeners", type=int, default=100, metavar="N")
    parser.add_argument("--joins", type=float, default=1000.0, metavar="R")
    parser.add_argument("--churn", type=float, default=0.0, metavar="R")
    parser.add_argument("--frozen", type=int, default=0, metavar="N")
    given = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    host, _, port = given.target.rpartition(":")
    run(Crowd((host, int(port)), given.paths), given.listeners, given.joins, given.churn, given.frozen)


if __name__ == "__main__":
    main()
