"""How long recordings are kept: which are deleted, oldest first, for their age or for their size."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from radio.air.sinks.names import glob_pattern, recordings
from radio.sinks import RecordConfig

log = logging.getLogger(__name__)

DAY, GIGABYTE = 86400.0, 1_000_000_000


@dataclass(frozen=True, slots=True)
class Kept:
    """One recording on the disk: all files of one name."""

    stem: str
    modified: float
    """Seconds since 1970."""
    size: int
    """Bytes."""
    files: tuple[Path, ...]


def found(config: RecordConfig, channel: str, extension: str) -> list[Kept]:
    """The recordings of a channel, oldest first; files that are named otherwise are nobody's to delete."""
    matches = recordings(config.name, channel, extension)
    files: dict[str, dict[Path, os.stat_result]] = {}
    for path in config.folder.glob(glob_pattern(config.name, channel)):
        if match := matches.fullmatch(path.relative_to(config.folder).as_posix()):
            with suppress(FileNotFoundError):  # somebody else deletes them, too
                told = path.stat()
                files.setdefault(match["stem"], {})[path] = told
    kept = [
        Kept(stem, max(told.st_mtime for told in own.values()), sum(told.st_size for told in own.values()), tuple(own))
        for stem, own in files.items()
    ]
    return sorted(kept, key=lambda one: (one.modified, one.stem))


def superfluous(kept: Iterable[Kept], config: RecordConfig, now: float) -> list[Kept]:
    """Those to be deleted, of all that there are, oldest first. Pure."""
    ordered = list(kept)
    left = sum(one.size for one in ordered)
    most = float("inf") if config.keep_gigabytes is None else config.keep_gigabytes * GIGABYTE
    since = float("-inf") if config.keep_days is None else now - config.keep_days * DAY
    gone = []
    for one in ordered:
        if one.modified >= since and left <= most:
            break
        left -= one.size
        gone.append(one)
    return gone


def prune(config: RecordConfig, channel: str, extension: str) -> None:
    """Deletes what is not to be kept, and folders that are empty then. Blocks; not while one is being written."""
    if config.keep_days is None and config.keep_gigabytes is None:
        return
    for one in superfluous(found(config, channel, extension), config, time.time()):
        log.info("deleting the recording %s, %.1f MB", config.folder / one.stem, one.size / 1e6)
        for path in one.files:
            path.unlink(missing_ok=True)
        folder = one.files[0].parent
        while folder != config.folder and not any(folder.iterdir()):
            folder.rmdir()
            folder = folder.parent
