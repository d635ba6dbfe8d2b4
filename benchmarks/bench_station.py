"""CPU of the whole station with 1, 4, 8, 16 and all its channels on the air, each heard by nobody and settled."""

from __future__ import annotations

import os
import sys
import time

from measuring import cpu_by_process, show, station

from radio.config import load

SECONDS = 90.0
"""Some times as long as the composer takes to get hungry again."""
SIZES = (1, 4, 8, 16)


def main() -> None:
    names = list(load(None).channels)
    cores = len(os.sched_getaffinity(0))
    rows: list[list[object]] = []
    sizes = [int(word) for word in sys.argv[1:]] or [*(size for size in SIZES if size < len(names)), len(names)]
    for size in sizes:
        with station(*names[:size]) as own:
            settled = own.settle()
            before, began = cpu_by_process(own.pid), time.monotonic()
            time.sleep(SECONDS)
            after, took = cpu_by_process(own.pid), time.monotonic() - began
            used = {pid: (after[pid] - before[pid]) / took for pid in after if pid in before}
            studio = own.status()["studio"]
            by_process = [used[own.pid], used[studio["pid"]]]
            memory = (studio["report"]["memory"] or 0) / 2**20
        total = sum(used.values())
        rest = total - sum(by_process)
        shares = [f"{100 * share:.1f}" for share in (*by_process, rest, total)]
        # Settled, the composer writes as much as is played: what it does not need is what it could write besides.
        times = f"{1 / rest:.1f}"
        rows.append([size, *shares, f"{100 * total / cores:.1f}", times, f"{memory:,.0f}", f"{settled:.0f}"])
    columns = ["channels", "air %", "studio %", "composer %", "all %", f"% of {cores} cores"]
    columns += ["composer × real time", "studio MB", "settled s"]
    show(f"station, % of a core over {SECONDS:.0f} s", columns, rows)


if __name__ == "__main__":
    main()
