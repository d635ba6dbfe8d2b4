"""Music of every baseline in every style, as MIDI files, and what the evaluation kit finds of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch

from benchmarks.baselines.baseline import ordered
from benchmarks.baselines.registry import BASELINES, trained
from radio.composer.compose import compose
from radio.composer.corpus import Corpus
from radio.composer.kit import panel as kit
from radio.composer.kit.distribution import Windows, against, measure
from radio.composer.kit.fidelity import Labelled
from radio.music import smf
from radio.music.score import Piece
from radio.settings import ChannelConfig, PrefixConfig


@dataclass(frozen=True, slots=True)
class Concert:
    """What is to be composed of one style by one system, into `out/<system>/<style>/`."""

    name: str
    """A baseline, or what our own model is called."""
    style: str
    pieces: int
    bars: int
    seed: int
    data: Path
    runs: Path
    """Where baselines were trained."""
    model: Path | None
    """Our own model."""
    out: Path

    def path(self, number: int) -> Path:
        """The file of one piece."""
        return self.out / self.name / self.style / f"{number:03d}.mid"


def give(concert: Concert) -> str:
    """Composes what is not there yet; one thread, so that several can be given side by side."""
    torch.set_num_threads(1)
    wanted = [number for number in range(concert.pieces) if not concert.path(number).is_file()]
    if wanted:
        concert.path(0).parent.mkdir(parents=True, exist_ok=True)
        music = _by_baseline(concert, wanted) if concert.name in BASELINES else _by_us(concert, wanted)
        for number, piece in zip(wanted, music, strict=True):
            smf.write(piece, concert.path(number))
    return f"{concert.name}, {concert.style}"


def _by_us(concert: Concert, wanted: Sequence[int]) -> Iterator[Piece]:
    assert concert.model is not None
    prefix = PrefixConfig(style=concert.style, bars=(concert.bars, concert.bars))
    channel = ChannelConfig(concert.style, concert.style, prefix=prefix)
    # A seed of its own for what is wanted in addition: the pieces that are there are not to come again.
    seed = 1000 * concert.seed + wanted[0]
    yield from (own for own in compose(concert.model, channel, len(wanted), seed) if isinstance(own, Piece))


def _by_baseline(concert: Concert, wanted: Sequence[int]) -> Iterator[Piece]:
    corpus, made = Corpus.load(concert.data), trained(concert.name, concert.runs)
    for number in wanted:
        order = ordered(corpus, concert.style, concert.bars, 1000 * concert.seed + number)
        yield Piece(order.prefix, f"{concert.name}, {concert.style}", tuple(made.compose(order)), seed=order.seed)


def give_all(concerts: Sequence[Concert], workers: int, told: Callable[[str], None]) -> None:
    """All concerts, so many at a time; `told` is given the name of each as it ends."""
    if workers == 1:
        for concert in concerts:
            told(give(concert))
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        for done in as_completed([pool.submit(give, concert) for concert in concerts]):
            told(done.result())


def compared(
    corpus: Corpus, music: Path, figures: Path, *, seed: int, told: Callable[[str, int, int], None]
) -> dict[str, Any]:
    """For the model's card: bits a note from the file `figures`; and for each folder in `music`, by style, how well the
    kit tells what it holds from works kept back.

    Raises:
        MissingError: a folder without music.
    """
    human = [_by_style(kit.works(corpus, validation=side, seed=seed)) for side in (True, False)]
    heard = {path.name: _by_style(kit.folder(path)) for path in sorted(music.iterdir()) if path.is_dir()}
    known: dict[str, tuple[Windows, ...]] = {}
    found: dict[str, Any] = {}
    total = sum(map(len, heard.values()))
    for name, styles in heard.items():
        groups = found.setdefault(name, {"groups": {}})["groups"]
        for style, pieces in styles.items():
            told(f"{name}: {style}", sum(len(own["groups"]) for own in found.values()), total)
            try:
                known[style] = known.get(style) or tuple(_windows(side.get(style, []), seed) for side in human)
                compared, missing = against(_windows(pieces, seed), *known[style], seed=seed), ""
            except ValueError as error:
                compared, missing = None, str(error)
            groups[style] = {"pieces": len(pieces), "against": kit.plain(compared), "missing": missing}
    return {"bits": json.loads(figures.read_text(encoding="utf-8")), "music": found}


def _by_style(pieces: Sequence[Labelled]) -> dict[str, list[Labelled]]:
    return {style: [own for own in pieces if own.style == style] for style in sorted({own.style for own in pieces})}


def _windows(pieces: Sequence[Labelled], seed: int) -> Windows:
    return measure([own.bars for own in pieces], [own.work for own in pieces], limit=kit.WINDOWS, seed=seed)
