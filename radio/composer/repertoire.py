"""What a channel has played: a log of its pieces that is kept over restarts, so that no piece comes twice.

Of each piece its *fingerprints* (`radio.composer.originality`) are kept beside its name, seed and certificate: enough
to find any run of notes that another piece has too, in whatever key. The guard holds a new piece against them as it
does against the training works: pieces of one channel share no longer runs than different works of its style do.

    {"at": "2026-11-22T07:55:47+00:00", "title": "Waltz in A minor", "seed": 12345, "length": 9, …, "prints": "…"}
"""

from __future__ import annotations

import base64
import json
import logging
from collections import deque
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from radio.composer.memory import GRAM, line
from radio.composer.originality import Certificate, Index, Prints, fingerprints, indexed
from radio.music.score import Piece

log = logging.getLogger(__name__)

MOST = 2000
"""Pieces that are remembered: those of three days, or more; in memory 2 MB. The file is cut at twice as many."""


class Repertoire:
    """The pieces of one channel. Without a folder they are forgotten at the end."""

    def __init__(self, state: Path | None, channel: str) -> None:
        self.path = state / f"{channel}.pieces.jsonl" if state else None
        self._lines: deque[str] = deque(maxlen=MOST)
        pieces: deque[tuple[str, Prints]] = deque(maxlen=MOST)
        self._written = 0
        if self.path and self.path.is_file():
            for text in self.path.read_text(encoding="utf-8", errors="replace").splitlines():
                try:
                    pieces.append(_read(text))
                except (ValueError, KeyError, TypeError) as error:
                    log.warning("%s: a line is not usable, its piece is forgotten: %s", self.path, error)
                else:
                    self._lines.append(text)
                self._written += 1
        self._pieces = pieces
        self.index: Index = indexed(pieces)
        """Of all of them."""

    def __len__(self) -> int:
        return len(self._pieces)

    def add(self, piece: Piece, certificate: Certificate | None) -> None:
        """Remembers a finished piece."""
        own = line(piece.bars)
        hashes, places = fingerprints(own) if len(own) >= GRAM else (np.zeros(0, np.uint32), np.zeros(0, np.int64))
        self._pieces.append((piece.title, (hashes, places)))
        self.index = indexed(self._pieces)
        if self.path:
            self._write(_line(piece, certificate, (hashes, places)))

    def _write(self, text: str) -> None:
        assert self.path
        self._lines.append(text)
        self._written += 1
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if self._written <= 2 * MOST:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(text + "\n")
            return
        partial = self.path.with_suffix(".part")
        partial.write_text("".join(own + "\n" for own in self._lines), encoding="utf-8")
        partial.replace(self.path)
        self._written = len(self._lines)


def _line(piece: Piece, certificate: Certificate | None, prints: Prints) -> str:
    hashes, places = prints
    packed = np.ascontiguousarray(np.stack((hashes.astype("<u4"), places.astype("<u4")))).tobytes()
    fields: dict[str, Any] = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "title": piece.title,
        "number": piece.number,
        "seed": piece.seed,
        "bars": len(piece.bars),
        **(certificate.to_json() if certificate else {}),
    }
    if certificate:
        fields["title"], fields["with"] = piece.title, certificate.title
    return json.dumps({**fields, "prints": base64.b64encode(packed).decode()}, ensure_ascii=False)


def _read(text: str) -> tuple[str, Prints]:
    told = json.loads(text)
    packed = np.frombuffer(base64.b64decode(told["prints"], validate=True), dtype="<u4")
    hashes, places = packed.reshape(2, -1)
    return str(told["title"]), (hashes.astype(np.uint32), places.astype(np.int64))
