"""Cue sheets: where in a recording each title begins. Pure. Times are those of CDs, 75 to a second."""

from __future__ import annotations

from collections.abc import Sequence

from radio.formats import RATE

MOST = 99
"""Tracks of a sheet."""
SECTOR = 75
"""Times a second: what a cue sheet calls frames."""


def time(frames: int) -> str:
    """The nearest time of a cue sheet to so many audio frames: minutes, seconds and seventy-fifths."""
    sectors = (2 * frames * SECTOR + RATE) // (2 * RATE)
    return f"{sectors // (60 * SECTOR):02d}:{sectors // SECTOR % 60:02d}:{sectors % SECTOR:02d}"


def quoted(text: str) -> str:
    """A string of a cue sheet, which has no escape: one line, with typographic quotes for straight ones."""
    flat = "".join(char if char.isprintable() else " " for char in text)
    return '"' + " ".join(flat.split()).replace('"', "”") + '"'


def sheet(file: str, kind: str, title: str, performer: str, tracks: Sequence[tuple[int, str]], date: str) -> str:
    """The cue sheet of a file.

    Args:
        file: its name; it lies beside the sheet.
        kind: "MP3" or "WAVE", which stands for whatever else can be decoded.
        tracks: the frame of the file's own sound at which each title begins, and the title; beyond `MOST` as remarks.
    """
    lines = [
        f"REM DATE {date}",
        f"PERFORMER {quoted(performer)}",
        f"TITLE {quoted(title)}",
        f"FILE {quoted(file)} {kind}",
    ]
    for number, (frames, name) in enumerate(tracks, 1):
        if number > MOST:
            lines.append(f"REM {time(frames)} {quoted(name)}")
            continue
        lines += [
            f"  TRACK {number:02d} AUDIO",
            f"    TITLE {quoted(name)}",
            f"    PERFORMER {quoted(performer)}",
            f"    INDEX 01 {time(frames)}",
        ]
    return "\n".join((*lines, ""))
