"""The corpus: MIDI files and their index in, training data out.

`build` reads every file of `index.csv`, turns it into positions and writes one folder: `positions.npy` (all pieces
one after the other), `pieces.json` (what each is and where it lies) and `skipped.json` (each file that could not be
used, with the reason). Pieces are split into training and validation by *work*: movements and versions of one
work always fall on the same side.
"""

from __future__ import annotations

import csv
import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from radio.errors import MidiError, MissingError
from radio.music import keys, smf, tokens
from radio.music.form import annotate
from radio.music.score import DRUMS, Bar, Meter, Prefix
from radio.music.titles import form_of

VALIDATION = 0.05
"""Share of works kept for validation."""
LONGEST = 1200
"""Bars; what is longer is cut."""
PLAYED = ("piano-midi.de", "Groove MIDI")
"""Sources whose files hold a player's velocities and timing."""
KNOWN = 8
"""Works of a composer that a style must have in training for the name to be in its prefixes."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One piece of the training data."""

    path: str
    style: str
    composer: str
    title: str
    work: str
    form: str
    key: str
    meter: str
    tempo: float
    bars: int
    dynamics: bool
    timing: str
    parts: int
    programs: tuple[int, ...]
    sections: str
    repeats: tuple[int, ...]
    source: str = ""
    licence: str = ""
    """Of the file it is from."""
    validation: bool = False
    start: int = 0
    """Where its positions begin in positions.npy."""
    count: int = 0
    """How many positions it has, END included."""

    def prefix(self) -> Prefix:
        """All that the prefix can say of this piece."""
        beats, unit = self.meter.split("/")
        return Prefix(
            self.style, self.composer, self.form, self.key, Meter(int(beats), int(unit)), self.tempo, self.bars,
            self.dynamics, self.parts, self.timing,
        )  # fmt: skip


def style_of(path: str, group: str) -> str:
    """The style tag of a file: its group, or the collection where the group is made of different genres."""
    return Path(path).parts[-2] if group == "electronic_synthetic" else group


def composer_of(name: str, collection: str) -> str:
    """The composer's name as the prefix knows it, from its many spellings; "" if the prefix has no such name."""
    family = name.strip('" ').split(",")[0] if "," in name else (name.split() or [""])[-1]
    spellings = (family, re.sub(r"[A-Z]+$", "", collection.removeprefix("string_quartets_")), collection)
    for spelling in spellings:
        for word in tokens.plain(spelling).replace("ue", "u").split("_"):
            if word in tokens.COMPOSERS:
                return word
    return ""


def timing_of(row: Mapping[str, str]) -> str:
    """Whose the tempo of a file is, one of TIMINGS, by its row of the index; "" if the index does not say."""
    if row.get("source", "").startswith(PLAYED):
        return "played"
    return {"source": "score", "guessed": "guessed"}.get(row.get("tempo_from", ""), "")


_CATALOGUE = re.compile(r"\b(bwv|opus|op|k|kv|hob|d|woo|rv|hwv|anh)[ .]*(?:[ivxl]+[:.])?\s*(\d+)", re.IGNORECASE)


def work_of(composer: str, title: str) -> str:
    """A name shared by all movements and versions of one work: its catalogue number, or the title's opening words.

    In a collection of tunes or patterns without a composer every title is a work.
    """
    if composer.startswith(("Traditional", "[Traditional", "Groove", "(made")):
        return tokens.plain(f"{composer} {title}")
    number = _CATALOGUE.search(title)
    if number:
        return tokens.plain(f"{composer} {number[1]} {number[2]}")
    head = re.split(r" [-–] |[:;,(]|\bmov|\bNo\b|\d", title, maxsplit=1)[0]
    return tokens.plain(f"{composer} {head if len(head) > 3 else title}")


def validation_works(sizes: Mapping[str, int]) -> frozenset[str]:
    """The works of one style kept for validation: about VALIDATION of its positions and three works or more.

    Works come in the order of a hash of their names, so that adding a work moves no other; one that alone holds
    a tenth of the style stays in training.
    """
    total = sum(sizes.values())
    chosen: set[str] = set()
    held = 0
    for work in sorted(sizes, key=lambda name: hashlib.sha1(name.encode()).digest()):
        enough = held >= VALIDATION * total and len(chosen) >= 3
        if not enough and held + sizes[work] <= 0.12 * total and sizes[work] <= 0.1 * total:
            chosen.add(work)
            held += sizes[work]
    return frozenset(chosen)


def with_split(entries: Sequence[Entry]) -> list[Entry]:
    """The entries, each marked as training or validation, without names of composers that training hardly hears.

    A name with a few works would be learned as those works, and one with none would be noise.
    """
    sizes: dict[str, dict[str, int]] = {}
    for entry in entries:
        own = sizes.setdefault(entry.style, {})
        own[entry.work] = own.get(entry.work, 0) + entry.count
    kept = {style: validation_works(own) for style, own in sizes.items()}
    split = [replace(entry, validation=entry.work in kept[entry.style]) for entry in entries]
    heard = {(entry.style, entry.composer, entry.work) for entry in split if not entry.validation}
    works = Counter((style, composer) for style, composer, _ in heard)
    return [e if works[e.style, e.composer] >= KNOWN else replace(e, composer="") for e in split]


def trimmed(bars: Iterable[Bar]) -> list[Bar]:
    """Bars without the empty ones at either end, and without the middle of rests longer than two bars."""
    kept: list[Bar] = []
    empty = 0
    for bar in bars:
        empty = 0 if bar.notes else empty + 1
        if bar.notes or (kept and empty <= 2):
            kept.append(bar)
    while kept and not kept[-1].notes:
        kept.pop()
    return kept[:LONGEST]


def read_piece(root: Path, row: dict[str, str]) -> tuple[Entry, tokens.Positions]:
    """One file of the index as an entry and its positions.

    Raises:
        MidiError: the file cannot be used.
    """
    bars = trimmed(smf.read(root / row["path"]).bars)
    notes = sum(len(bar.notes) for bar in bars)
    if len(bars) < 4 or notes < 24:
        raise MidiError(f"too short: wanted 4 bars and 24 notes, got {len(bars)} and {notes}")
    bars = list(annotate(bars))
    tempo = float(np.median([bar.tempo for bar in bars]))
    meters = [bar.meter for bar in bars]
    style, collection = style_of(row["path"], row["group"]), Path(row["path"]).parts[-2]
    programs = sorted({note.program for bar in bars for note in bar.notes})
    work = work_of(row["composer"], row["title"])
    pitched = any(program != DRUMS for program in programs)
    entry = Entry(
        path=row["path"],
        style=style,
        composer=composer_of(row["composer"], collection),
        title=row["title"],
        work=work,
        form=form_of(row["title"], row["group"]),
        key=keys.estimate(bars)[0] if pitched else "",
        meter=str(max(set(meters), key=meters.count)),
        tempo=round(tempo, 2),
        bars=len(bars),
        dynamics=row["has_dynamics"] == "yes",
        timing=timing_of(row),
        parts=len(programs),
        programs=tuple(programs),
        sections="".join(bar.section for bar in bars),
        repeats=tuple(bar.repeat for bar in bars),
        source=row.get("source", ""),
        licence=row.get("licence", ""),
    )
    return entry, tokens.encode(bars, tempo)


def _work(job: tuple[Path, dict[str, str]]) -> tuple[Entry, tokens.Positions] | tuple[str, str]:
    root, row = job
    try:
        return read_piece(root, row)
    except MidiError as error:
        return row["path"], str(error)


def build(
    root: Path, out: Path, *, workers: int = 2, progress: Callable[[int, int], None] = lambda done, total: None
) -> tuple[int, int]:
    """Reads the corpus at `root` and writes the training data to `out`; pieces kept and files skipped.

    Raises:
        MissingError: there is no index.csv at `root`.
    """
    index = root / "index.csv"
    if not index.is_file():
        raise MissingError(f"{index}: no such file; wanted a corpus folder with index.csv and midi/")
    with index.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    entries: list[Entry] = []
    skipped: dict[str, str] = {}
    parts: list[tokens.Positions] = []
    start = 0
    with ProcessPoolExecutor(workers) as pool:
        for done, result in enumerate(pool.map(_work, ((root, row) for row in rows), chunksize=32), 1):
            if isinstance(result[0], str):
                skipped[result[0]] = str(result[1])
            else:
                entry, positions = result[0], np.asarray(result[1])
                entries.append(replace(entry, start=start, count=len(positions)))
                parts.append(positions.astype(np.uint16))
                start += len(positions)
            progress(done, len(rows))
    out.mkdir(parents=True, exist_ok=True)
    np.save(out / "positions.npy", np.concatenate(parts))
    fields = {"vocabulary": tokens.vocabulary(), "pieces": [asdict(entry) for entry in with_split(entries)]}
    (out / "pieces.json").write_text(json.dumps(fields), encoding="utf-8")
    (out / "skipped.json").write_text(json.dumps(skipped, indent=1), encoding="utf-8")
    return len(entries), len(skipped)


@dataclass(frozen=True, slots=True)
class Corpus:
    """Training data in memory: every piece's entry, and the positions of all of them (positions, SLOTS)."""

    entries: tuple[Entry, ...]
    positions: np.ndarray[Any, np.dtype[np.uint16]]

    @classmethod
    def load(cls, folder: Path) -> Corpus:
        """Reads what `build` wrote.

        Raises:
            MissingError: the folder holds no training data, or data of another vocabulary.
        """
        remedy = "make it with `radio corpus build CORPUS -o " + str(folder) + "`"
        if not (folder / "pieces.json").is_file():
            raise MissingError(f"{folder}: no training data there; {remedy}")
        fields = json.loads((folder / "pieces.json").read_text(encoding="utf-8"))
        if fields["vocabulary"] != tokens.vocabulary():
            raise MissingError(f"{folder}: made with another vocabulary; {remedy} again")
        entries = []
        for piece in fields["pieces"]:
            piece["programs"], piece["repeats"] = tuple(piece["programs"]), tuple(piece["repeats"])
            entries.append(Entry(**piece))
        return cls(tuple(entries), np.load(folder / "positions.npy", mmap_mode="r"))

    def of(self, entry: Entry) -> tokens.Positions:
        """The positions of one piece: (count, SLOTS)."""
        return self.positions[entry.start : entry.start + entry.count].astype(np.int32)

    def split(self, *, validation: bool) -> tuple[Entry, ...]:
        """The pieces of one side of the split."""
        return tuple(entry for entry in self.entries if entry.validation == validation)
