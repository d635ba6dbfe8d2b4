"""The rooms: who may import whom, and that the air and the studio stay free of torch."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import radio

PACKAGE = Path(radio.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))

EVERYTHING = {
    "music",
    "composer",
    "studio",
    "air",
    "link",
    "formats",
    "ogg",
    "flac",
    "mp3",
    "adts",
    "mp4",
    "config",
    "settings",
    "dayparts",
    "licences",
    "sinks",
    "tables",
    "check",
    "render",
    "styles",
    "usage",
    "vocabulary",
    "remote",
    "logs",
    "arguments",
    "training",
    "cli",
}
MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "music": set(),
    "ogg": set(),
    "flac": set(),
    "mp3": set(),
    "adts": set(),
    "mp4": set(),
    "tables": {"music"},
    "formats": {"music", "ogg", "flac", "mp3"},
    "vocabulary": {"music", "tables"},
    "remote": set(),
    "logs": set(),
    "sinks": {"tables", "formats"},
    "settings": {"music", "tables", "formats", "sinks"},
    "config": {"settings", "dayparts", "tables", "formats", "vocabulary", "remote", "sinks"},
    "licences": set(),
    "dayparts": {"settings"},
    "link": {"music", "formats"},
    "composer": {"music", "config", "settings", "dayparts", "licences", "formats", "usage", "logs"},
    "studio": {"music", "config", "settings", "dayparts", "formats", "ogg", "flac", "adts", "link", "tables", "usage"},
    "styles": {"config", "settings"},
    "usage": set(),
    "air": {
        *(
            "music",
            "config",
            "settings",
            "licences",
            "sinks",
            "formats",
            "adts",
            "flac",
            "ogg",
            "mp4",
            "link",
            "styles",
            "tables",
            "usage",
        ),
        "remote",
    },
    "check": EVERYTHING - {"composer"},
    "render": EVERYTHING,
    "arguments": set(),
    "training": {"arguments", "config", "settings", "composer"},
    "cli": EVERYTHING,
    "__main__": {"cli"},
    "__init__": set(),
}
"""Room → the rooms it may import besides itself and `errors`."""


def name_of(path: Path) -> str:
    """The dotted name of a module."""
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def imported(path: Path) -> set[str]:
    """Dotted names of all that a module imports, anywhere in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: a relative import"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_imports_only_the_rooms_before_its_own(path: Path) -> None:
    room = room_of(path)
    rooms = {name.split(".")[1] for name in imported(path) if name.startswith("radio.")}
    assert rooms - {room, "errors", "__version__"} <= MAY_IMPORT[room]


@pytest.mark.parametrize("path", [path for path in MODULES if room_of(path) not in {"composer", "check"}], ids=name_of)
def test_torch_is_imported_in_the_composers_room_alone(path: Path) -> None:
    assert not {name for name in imported(path) if name.split(".")[0] == "torch"}


def run(code: str) -> subprocess.CompletedProcess[str]:
    """Runs Python code in a process of its own."""
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, cwd=PACKAGE.parent, timeout=100, check=False)


@pytest.mark.parametrize("room", ["air", "studio"])
def test_importing_a_whole_room_imports_no_torch(room: str) -> None:
    names = [name_of(path) for path in MODULES if room_of(path) == room]
    assert names
    done = run(f"import sys, {', '.join(names)}; sys.exit('torch' in sys.modules)")
    assert done.returncode == 0, done.stderr


def test_each_module_can_be_imported_first() -> None:
    """No module needs another to have been imported before it: each in a fresh set of modules."""
    names = [name_of(path) for path in MODULES if not name_of(path).endswith("__main__")]
    done = run(
        f"import importlib, sys\nfor name in {names!r}:\n"
        "    for old in [old for old in sys.modules if old.split('.')[0] == 'radio']: del sys.modules[old]\n"
        "    importlib.import_module(name)\n"
    )
    assert done.returncode == 0, done.stderr


def test_importing_does_no_work_on_the_root_logger_or_threads() -> None:
    names = [name_of(path) for path in MODULES if room_of(path) in {"air", "studio", "cli", "config"}]
    done = run(
        f"import logging, threading, {', '.join(names)}\n"
        "assert not logging.getLogger().handlers\nassert threading.active_count() == 1\n"
    )
    assert done.returncode == 0, done.stderr


def test_modules_and_functions_stay_small() -> None:
    """House sizes: no module above 400 lines, no function above 60 with its docstring, half the modules below 180."""
    lengths = {name_of(path): len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES}
    assert {name: length for name, length in lengths.items() if length > 400} == {}
    assert sorted(lengths.values())[len(lengths) // 2] < 180
    long = {
        f"{path.name}:{node.name}": node.end_lineno - node.lineno + 1
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno is not None
        and node.end_lineno - node.lineno + 1 > 60
    }
    assert long == {}
