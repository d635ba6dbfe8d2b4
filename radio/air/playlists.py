"""Playlists that lead players to the mounts: M3U, PLS, XSPF and OPML. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from xml.etree import ElementTree

M3U, PLS = "audio/x-mpegurl; charset=utf-8", "audio/x-scpls; charset=utf-8"
XSPF, OPML = "application/xspf+xml; charset=utf-8", "text/x-opml; charset=utf-8"
_XSPF_NAMES = "http://xspf.org/ns/0/"


@dataclass(frozen=True, slots=True)
class Entry:
    """A mount in a playlist."""

    title: str
    address: str
    description: str = ""
    form: str = ""
    """Its ending, such as "mp3"."""
    kbits: int = 0
    """0: as the sound has it."""


def _line(text: str) -> str:
    return " ".join(text.split())


def m3u(entries: Iterable[Entry]) -> str:
    """Extended M3U; -1 says that the length is not known."""
    lines = [line for entry in entries for line in (f"#EXTINF:-1,{_line(entry.title)}", entry.address)]
    return "\n".join(("#EXTM3U", *lines, ""))


def pls(entries: Iterable[Entry]) -> str:
    """PLS, version 2."""
    numbered = list(enumerate(entries, 1))
    lines = [
        line
        for number, entry in numbered
        for line in (f"File{number}={entry.address}", f"Title{number}={_line(entry.title)}", f"Length{number}=-1")
    ]
    return "\n".join(("[playlist]", f"NumberOfEntries={len(numbered)}", *lines, "Version=2", ""))


def xspf(title: str, creator: str, entries: Iterable[Entry]) -> str:
    """XSPF, version 1 (xspf.org/spec)."""
    top = ElementTree.Element("playlist", version="1", xmlns=_XSPF_NAMES)
    _add(top, "title", title)
    _add(top, "creator", creator)
    tracks = ElementTree.SubElement(top, "trackList")
    for entry in entries:
        track = ElementTree.SubElement(tracks, "track")
        _add(track, "location", entry.address)
        _add(track, "title", entry.title)
        _add(track, "creator", creator)
        _add(track, "annotation", entry.description)
    return _xml(top)


def opml(title: str, channels: Iterable[tuple[str, Iterable[Entry]]]) -> str:
    """OPML 2.0 (opml.org/spec2): an outline for each channel, and in it one for each mount, as radios list stations."""
    top = ElementTree.Element("opml", version="2.0")
    _add(ElementTree.SubElement(top, "head"), "title", title)
    body = ElementTree.SubElement(top, "body")
    for name, entries in channels:
        outline = ElementTree.SubElement(body, "outline", text=clean(name))
        for entry in entries:
            words = {"type": "audio", "text": entry.title, "URL": entry.address, "subtext": entry.description}
            words |= {"formats": entry.form, "bitrate": str(entry.kbits or "")}
            ElementTree.SubElement(outline, "outline", {key: clean(word) for key, word in words.items() if word})
    return _xml(top)


def clean(text: str) -> str:
    """One line without what XML 1.0 cannot hold (section 2.2, Char)."""
    return _line("".join(char for char in text if char in "\t\r\n" or (ord(char) >= 32 and _allowed(ord(char)))))


def _allowed(code: int) -> bool:
    return code not in range(0xD800, 0xE000) and code not in (0xFFFE, 0xFFFF)


def _add(parent: ElementTree.Element, name: str, text: str) -> None:
    if text := clean(text):
        ElementTree.SubElement(parent, name).text = text


def _xml(top: ElementTree.Element) -> str:
    ElementTree.indent(top)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(top, encoding="unicode") + "\n"
