"""Long measurements, part after part: what was measured is kept in a file, so that one that was stopped goes on."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any


class Unfinished:
    """The parts of one measurement, as JSON, until it is whole."""

    def __init__(self, path: Path, of: dict[str, Any]) -> None:
        """Takes up what `path` holds, if it is of the same thing: `of` says what is measured, and how."""
        self.path, self.of = path, of
        self.parts: dict[str, Any] = {}
        if path.is_file():
            fields = json.loads(path.read_text(encoding="utf-8"))
            if fields["of"] == json.loads(json.dumps(of)):
                self.parts = fields["parts"]

    def part(self, name: str, measure: Callable[[], Any]) -> Any:
        """A part, measured now if it was not before; what `measure` gives must be JSON."""
        if name not in self.parts:
            self.parts[name] = measure()
            partial = self.path.with_name(self.path.name + ".new")
            partial.write_text(json.dumps({"of": self.of, "parts": self.parts}, indent=1) + "\n", encoding="utf-8")
            partial.replace(self.path)
        return self.parts[name]

    def close(self) -> None:
        """It is whole: nothing is kept here any more."""
        self.path.unlink(missing_ok=True)
