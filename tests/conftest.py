"""Fixtures that several test modules share."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

# Tests run beside each other: threads that share out one process's arithmetic would but wait for the others'.
os.environ.setdefault("OMP_NUM_THREADS", "1")

Write = Callable[[str, str], Path]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begins with the tests that may take longest, so that workers end together."""

    def longest(item: pytest.Item) -> float:
        marker = item.get_closest_marker("timeout")
        return float(marker.args[0]) if marker and marker.args else 0.0

    items.sort(key=longest, reverse=True)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a text file below the test's folder."""

    def _write(name: str, text: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    return _write


@pytest.fixture
def station(write: Write) -> Path:
    """The station file of a small station: one channel, scales, any free port."""
    write("channels/scales.toml", 'title = "Scales"\n')
    return write("station.toml", 'composer = "scale"\nhost = "127.0.0.1"\nport = 0\n')
