"""Playlists that lead players to the mounts: M3U and PLS. Pure."""

from __future__ import annotations

from collections.abc import Iterable

M3U, PLS = "audio/x-mpegurl; charset=utf-8", "audio/x-scpls; charset=utf-8"
Entry = tuple[str, str]
"""A title and an address."""


def _line(text: str) -> str:
    return " ".join(text.split())


def m3u(entries: Iterable[Entry]) -> str:
    """Extended M3U; -1 says that the length is not known."""
    lines = [line for title, url in entries for line in (f"#EXTINF:-1,{_line(title)}", url)]
    return "\n".join(("#EXTM3U", *lines, ""))


def pls(entries: Iterable[Entry]) -> str:
    """PLS, version 2."""
    numbered = list(enumerate(entries, 1))
    lines = [
        line
        for number, (title, url) in numbered
        for line in (f"File{number}={url}", f"Title{number}={_line(title)}", f"Length{number}=-1")
    ]
    return "\n".join(("[playlist]", f"NumberOfEntries={len(numbered)}", *lines, "Version=2", ""))
