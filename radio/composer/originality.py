"""Originality: the index of the training works that ships beside a model, and what the guard on air asks of it.

The index keeps *fingerprints*: of every WINDOW consecutive grams of a work's line (see `radio.composer.memory`) the
one whose hash is least, with the piece and the place it comes from (winnowing: Schleimer, Wilkerson and Aiken,
"Winnowing: Local Algorithms for Document Fingerprinting", SIGMOD 2003). No note can be had back from them.

Why not a Bloom filter (Bloom, "Space/Time Trade-offs in Hash Coding with Allowable Errors", 1970) of all grams: it
takes as many bytes, but it cannot say which work a run is from, cannot leave a work out, so that what humans share
could not be measured with it, and it strings together grams of different works into runs that nobody wrote.

Every run of SURE notes or more is found, unless a trill or the like hides it. Places must agree from one fingerprint
to the next, so that all notes between the first and the last are the work's; the run itself may be longer, by up to
WINDOW - 1 notes at either end. It is never shorter but for hashes that are equal by chance: of shuffled music 0.02 % of
the grams are taken for fingerprints of the corpus, and no run of LONG notes was found in 1,500 pieces of it.
"""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from radio.composer.corpus import Corpus
from radio.composer.memory import GRAM, LONG, VARIED, VERSION, Ints, Tokens, grams, line_in, outline, tokens_of
from radio.errors import MissingError
from radio.music.score import DRUMS, Bar
from radio.music.tokens import plain

WINDOW = 5
"""Grams of which one at least is kept."""
SURE = GRAM + WINDOW
"""Notes: a shared run this long holds a fingerprint for certain."""
FORMAT = 1
_SETTINGS = {"format": FORMAT, "gram": GRAM, "window": WINDOW, "varied": VARIED}


Prints = tuple[npt.NDArray[np.uint32], Ints]
"""Fingerprints of a line and their places in it: both (kept,)."""


class Source(NamedTuple):
    """A piece to be remembered."""

    title: str
    work: str
    style: str
    line: Tokens


@dataclass(frozen=True, slots=True)
class Match:
    """What a whole piece shares with the training works."""

    length: int = 0
    """Notes of the longest run found."""
    title: str = ""
    """Title of the piece it is from; "" for none."""
    coverage: float = 0.0
    """Share of the line's notes in runs of LONG notes or more, 0 to 1."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """What is said of one composed piece: all that is needed to compose it, and to check it, again."""

    length: int
    title: str
    coverage: float
    model: str
    """Hash of the model's weights."""
    seed: int

    @classmethod
    def of(cls, match: Match, *, model: str, seed: int) -> Certificate:
        """The certificate of a piece whose match is known."""
        return cls(match.length, match.title, match.coverage, model, seed)

    def to_json(self) -> dict[str, Any]:
        """Its fields, coverage to three places."""
        return {**asdict(self), "coverage": round(self.coverage, 3)}

    def __str__(self) -> str:
        """In a sentence or two, to be kept with the piece."""
        shared = (
            f"Longest run of notes shared with a work of the training corpus: {self.length}, with “{self.title}”; "
            f"{100 * self.coverage:.1f} % of its notes lie in long shared runs."
            if self.length
            else "It shares no long run of notes with any work of the training corpus."
        )
        return f"{shared} Composed by model {self.model or 'unknown'} from seed {self.seed}."


class Trail(NamedTuple):
    """A run that may go on: the grams of the piece, by number, that it has matched from first to last."""

    first: int
    last: int

    @property
    def notes(self) -> int:
        return self.last - self.first + GRAM + 1


@dataclass(frozen=True, slots=True)
class Watch:
    """A piece as heard so far. `Index.after` gives the next; an old one may be gone back to."""

    run: int = 0
    """Notes of the longest run that ends in the last bar, as far as fingerprints show; 0: none does."""
    match: Match = Match()
    """Of the piece so far; its coverage is filled in by `Index.longest`."""
    notes: int = 0
    """Notes of the line."""
    covered: int = 0
    """Bit n is set if note n is in a run of LONG notes or more."""
    pitch: int = -1
    """Of the line's last note; -1: there is none."""
    since: int = 0
    """Ticks from its onset to the end of the last bar."""
    tail: tuple[int, ...] = ()
    """The last tokens, GRAM - 1 at most."""
    open: Mapping[tuple[int, int], Trail] = field(default_factory=dict)
    """By piece and the distance between places in the two lines."""

    @property
    def coverage(self) -> float:
        """Share of the notes so far that are covered, 0 to 1."""
        return self.covered.bit_count() / max(self.notes, 1)


@dataclass(frozen=True, slots=True, eq=False)
class Index:
    """Fingerprints sorted by hash; three arrays of the same length, and what the piece numbers mean."""

    hashes: npt.NDArray[np.uint32]
    pieces: npt.NDArray[np.uint16]
    places: npt.NDArray[np.uint16]
    titles: tuple[str, ...]
    works: tuple[str, ...]
    styles: tuple[str, ...]
    limits: Mapping[str, int] = field(default_factory=dict)
    """By style, the longest run (p95) that a human's piece shares with another work by this very index."""

    def limit(self, style: str) -> int:
        """The longest run, in notes, to be let pass: one less than the style's p95, for the ends of a run may lie
        between fingerprints; but no less than a fingerprint shows. A style not known has the median of the others."""
        known = sorted(self.limits.values())
        return max(GRAM + 1, self.limits.get(style, known[len(known) // 2] if known else 0) - 1)

    def longest(self, bars: Iterable[Bar]) -> Match:
        """What a whole piece shares with the works."""
        watch = Watch()
        for bar in bars:
            watch = self.after(watch, bar)
        return replace(watch.match, coverage=watch.coverage)

    def after(self, watch: Watch, bar: Bar) -> Watch:
        """The watch when one more bar has been heard; its `run` says how long a shared run would end in the bar."""
        placed = [(note.onset, note.pitch) for note in bar.notes if note.program != DRUMS]
        if not placed:
            return replace(watch, run=0, since=watch.since + bar.meter.ticks)
        table = np.array(placed, dtype=np.int64)
        onsets, pitches = outline(table[:, 0], table[:, 1])
        since = bar.meter.ticks - int(onsets[-1])
        if watch.pitch >= 0:
            onsets, pitches = np.append(-watch.since, onsets), np.append(watch.pitch, pitches)
        heard = self.heard(watch, tokens_of(onsets, pitches))
        return replace(heard, pitch=int(pitches[-1]), since=since)

    def heard(self, watch: Watch, new: Tokens, *, without: frozenset[int] = frozenset()) -> Watch:
        """The watch when more tokens of the line have been heard; pieces of the numbers in `without` do not count."""
        line = np.concatenate([np.array(watch.tail, dtype=np.uint16), new])
        notes = watch.notes + len(new) + (watch.notes == 0)
        start = notes - 1 - len(line)
        trails, run, title, covered = dict(watch.open), 0, "", watch.covered
        for place, low, high in self._hits(line):
            here = start + place
            for entry in range(low, high):
                piece = int(self.pieces[entry])
                if piece in without:
                    continue
                key = piece, int(self.places[entry]) - here
                before = trails.get(key)
                first = before.first if before and here - before.last <= GRAM else here
                trail = trails[key] = Trail(first, here)
                if trail.notes > run:
                    run, title = trail.notes, self.titles[piece]
                if trail.notes >= LONG:
                    covered |= ((1 << trail.notes) - 1) << first
        match = Match(run, title) if run > watch.match.length else watch.match
        still = {key: trail for key, trail in trails.items() if start + len(line) - GRAM - trail.last < GRAM}
        tail = tuple(line[-(GRAM - 1) :].tolist())
        return replace(watch, run=run, match=match, notes=notes, covered=covered, tail=tail, open=still)

    def _hits(self, line: Tokens) -> list[tuple[int, int, int]]:
        """Of each varied gram that is a fingerprint: its place in the line, and its range of entries."""
        hashes, varied = grams(line)
        wanted = (hashes >> np.uint64(32)).astype(np.uint32)
        low = np.searchsorted(self.hashes, wanted, side="left")
        high = np.searchsorted(self.hashes, wanted, side="right")
        found = np.flatnonzero(varied & (high > low))
        return list(zip(found.tolist(), low[found].tolist(), high[found].tolist(), strict=True))

    def save(self, path: Path) -> None:
        """Writes one .npz file, readable to all."""
        named = {"limits": dict(self.limits), "titles": self.titles, "works": self.works, "styles": self.styles}
        packed = io.BytesIO()
        np.savez_compressed(
            packed,
            facts=np.frombuffer(json.dumps(_SETTINGS | named).encode(), dtype=np.uint8),
            gaps=_planes(np.diff(self.hashes, prepend=np.zeros(1, dtype=np.uint32))),
            pieces=_planes(self.pieces),
            places=_planes(self.places),
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(packed.getvalue())
        path.chmod(0o644)

    @classmethod
    def load(cls, path: Path) -> Index:
        """Reads what `save` wrote.

        Raises:
            MissingError: there is no such file.
            ValueError: the file is damaged, or was made with other settings than this program's.
        """
        if not path.is_file():
            raise MissingError(f"{path}: no such file; wanted the index of training works that ships with a model")
        try:
            with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as arrays:
                facts = json.loads(arrays["facts"].tobytes())
                gaps, pieces, places = (
                    _unplaned(arrays[name], kind)
                    for name, kind in (("gaps", "<u4"), ("pieces", "<u2"), ("places", "<u2"))
                )
        except (OSError, EOFError, KeyError, TypeError, ValueError, zipfile.BadZipFile, zlib.error) as error:
            raise ValueError(f"{path}: damaged, or not an index of training works: {error!r}") from error
        got = {name: facts.get(name) for name in _SETTINGS}
        if got != _SETTINGS:
            raise ValueError(f"{path}: made with other settings: wanted {_SETTINGS}, got {got}; build it again")
        titles, works, styles = (tuple(facts[name]) for name in ("titles", "works", "styles"))
        return cls(np.cumsum(gaps, dtype=np.uint32), pieces, places, titles, works, styles, facts["limits"])


def _planes(values: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Little-endian bytes, (bytes a value, values): all lowest bytes first. The higher ones compress well so."""
    wide = values.astype(values.dtype.newbyteorder("<"))
    return np.ascontiguousarray(wide.view(np.uint8).reshape(len(wide), wide.itemsize).T)


def _unplaned(planes: npt.NDArray[np.uint8], kind: str) -> npt.NDArray[Any]:
    return np.ascontiguousarray(planes.T).view(kind).reshape(-1).astype(np.dtype(kind).newbyteorder("="))


def training(corpus: Corpus) -> list[Source]:
    """The pieces of the corpus that a model is trained on, but for those without a line: drums."""
    found = []
    for entry in corpus.split(validation=False):
        line = line_in(corpus.of(entry))
        if len(line) >= GRAM:
            known = not entry.composer or entry.composer in plain(entry.title)
            title = entry.title if known else f"{entry.composer.capitalize()}: {entry.title}"
            found.append(Source(title, entry.work, entry.style, line))
    return found


def fingerprints(line: Tokens) -> Prints:
    """The hashes kept of a line and their places, (kept,): of each window the least varied gram, the last of equals."""
    hashes, varied = grams(line)
    if not len(hashes):
        return hashes.astype(np.uint32), np.zeros(0, dtype=np.int64)
    # Chosen by one half of the hash and known by the other: the least of a window are no fair sample of the first.
    rank = np.where(varied, hashes & np.uint64(0xFFFFFFFF), np.uint64(1 << 32))
    windows = np.lib.stride_tricks.sliding_window_view(rank, min(WINDOW, len(rank)))
    width = windows.shape[1]
    chosen = np.unique(np.arange(len(windows)) + width - 1 - np.argmin(windows[:, ::-1], axis=1))
    chosen = chosen[varied[chosen]]
    return (hashes[chosen] >> np.uint64(32)).astype(np.uint32), chosen


def build(works: Iterable[Source]) -> Index:
    """The index of some pieces, without limits.

    Raises:
        ValueError: more than 65,536 pieces.
    """
    sources = list(works)
    if len(sources) > 1 << 16:
        raise ValueError(f"got {len(sources)} pieces, wanted {1 << 16} at most")
    return indexed(
        [(source.title, fingerprints(source.line)) for source in sources],
        tuple(source.work for source in sources),
        tuple(source.style for source in sources),
    )


def indexed(pieces: Collection[tuple[str, Prints]], works: tuple[str, ...] = (), styles: tuple[str, ...] = ()) -> Index:
    """The index of pieces whose fingerprints are known, each with its title."""
    kept = [prints for _, prints in pieces]
    hashes = np.concatenate([np.zeros(0, dtype=np.uint32), *(hashed for hashed, _ in kept)])
    places = np.concatenate([np.zeros(0, dtype=np.int64), *(place for _, place in kept)])
    numbers = np.repeat(np.arange(len(kept)), [len(place) for _, place in kept])
    order = np.lexsort((places, numbers, hashes))
    order = order[places[order] < 1 << 16]
    return Index(
        hashes[order],
        numbers[order].astype(np.uint16),
        places[order].astype(np.uint16),
        tuple(title for title, _ in pieces),
        works,
        styles,
    )


def human(index: Index, works: Sequence[Source]) -> list[int]:
    """The longest run that each piece shares with works not its own: neither of its name nor a VERSION of it."""
    number = {work: place for place, work in enumerate(dict.fromkeys(index.works))}
    work_of = np.array([number[work] for work in index.works], dtype=np.int64)
    lengths = []
    for source in works:
        kin = _kin(index, source.line, work_of) | {number.get(source.work, -1)}
        without = frozenset(np.flatnonzero(np.isin(work_of, list(kin))).tolist())
        lengths.append(index.heard(Watch(), source.line, without=without).match.length)
    return lengths


def _kin(index: Index, line: Tokens, work_of: Ints) -> set[int]:
    """Numbers of the works that hold a VERSION of a line: so large a share of its fingerprints, and three at least."""
    hashes = np.unique(fingerprints(line)[0])
    low = np.searchsorted(index.hashes, hashes, side="left")
    high = np.searchsorted(index.hashes, hashes, side="right")
    held = [np.unique(work_of[index.pieces[a:b]]) for a, b in zip(low.tolist(), high.tolist(), strict=True)]
    works, counts = np.unique(np.concatenate([np.zeros(0, dtype=np.int64), *held]), return_counts=True)
    return set(works[counts >= max(VERSION * len(hashes), 3)].tolist())


def with_limits(index: Index, works: Sequence[Source], *, most: int = 200, seed: int = 0) -> Index:
    """The index with the limits of each style, found on `most` of its pieces; a style without lines has none."""
    styles: dict[str, list[Source]] = {}
    for source in works:
        if len(source.line) >= GRAM:
            styles.setdefault(source.style, []).append(source)
    limits = {}
    for style, own in sorted(styles.items()):
        chosen = np.random.default_rng(seed).permutation(len(own))[:most]
        lengths = human(index, [own[place] for place in chosen.tolist()])
        limits[style] = int(np.ceil(np.percentile(lengths, 95)))
    return replace(index, limits=limits)
