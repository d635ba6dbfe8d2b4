"""The names of recordings: from a pattern and what is recorded, and back to which files are recordings. Pure."""

from __future__ import annotations

import glob
import re
import string
import unicodedata
from datetime import datetime
from pathlib import Path

LONGEST = 120
"""Bytes of a title in a name; a file system allows 255 for all of it."""
PARTIAL = ".partial"
"""Ending of what is not yet whole."""
_FORBIDDEN = re.compile(r'[/\\:*?"<>|]')
_SHAPES = {"date": r"\d{4}-\d\d-\d\d", "time": r"\d\d-\d\d-\d\d", "title": r"[^/]+"}


def safe(text: str) -> str:
    """A title as a part of a file's name on any system: no separator, nothing hidden, never empty."""
    flat = "".join(" " if unicodedata.category(c)[0] in "CZ" else c for c in unicodedata.normalize("NFC", text))
    cut = " ".join(_FORBIDDEN.sub("-", flat).split()).encode()[:LONGEST].decode(errors="ignore")
    return cut.strip(". ") or "untitled"


def stem(pattern: str, channel: str, title: str, when: datetime) -> str:
    """The path of a recording in its folder, without its ending."""
    return pattern.format(channel=channel, date=f"{when:%Y-%m-%d}", time=f"{when:%H-%M-%S}", title=safe(title))


def numbered(path: Path, number: int) -> Path:
    """The same name again: " (2)", " (3)" … and with number 1 as it is."""
    return path if number == 1 else path.with_name(f"{path.name} ({number})")


def glob_pattern(pattern: str, channel: str) -> str:
    """A pattern of `glob` that finds at least every recording of a channel."""
    fields = {"channel": glob.escape(channel), "": ""}
    whole = "".join(glob.escape(text) + fields.get(name, "*") for text, name in _parts(pattern)) + "*"
    return re.sub(r"\*{2,}", "*", whole)


def recordings(pattern: str, channel: str, extension: str) -> re.Pattern[str]:
    """What the path of every file of a recording of a channel matches; its stem is the group `stem`."""
    shapes = {**_SHAPES, "channel": re.escape(channel)}
    own = "".join(re.escape(text) + shapes.get(name, "") for text, name in _parts(pattern))
    endings = "|".join((re.escape(extension), "cue", "mid"))
    return re.compile(rf"(?P<stem>{own}(?: \(\d+\))?)\.(?:{endings})(?:{re.escape(PARTIAL)})?", re.DOTALL)


def _parts(pattern: str) -> list[tuple[str, str]]:
    """Literal text and the name of the field after it, which at the end may be empty."""
    return [(text, name or "") for text, name, _, _ in string.Formatter().parse(pattern)]
