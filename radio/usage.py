"""What this process has used so far: processor time and memory."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


def usage() -> dict[str, Any]:
    """Seconds of processor time since the process began, and bytes of memory."""
    return {"cpu_seconds": round(time.process_time(), 3), "memory": memory()}


def memory(read: Callable[[], str] = lambda: Path("/proc/self/statm").read_text(encoding="ascii")) -> int | None:
    """Memory in use (resident), in bytes; None where the system does not say."""
    try:
        return int(read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return None
