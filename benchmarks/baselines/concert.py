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
from radio.composer.memory import Runs
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
        music = _by_baseline(concert, wanted) if concert.name in BASELINES else _by_us(concert)
        for number, piece in zip(wanted, music, strict=False):
            smf.write(piece, concert.path(number))
    return f"{concert.name}, {concert.style}"


def _by_us(concert: Concert) -> Iterator[Piece]:
    assert concert.model is not None
    prefix = PrefixConfig(style=concert.style, bars=(concert.bars, concert.bars))
    channel = ChannelConfig(concert.style, concert.style, prefix=prefix)
    for item in compose(concert.model, channel, concert.pieces, concert.seed):
        if isinstance(item, Piece):
            yield item


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
    corpus: Corpus, music: Path, figures: Path, *, seed: int, workers: int, told: Callable[[str, int, int], None]
) -> dict[str, Any]:
    """For the model's card: bits a note from the file `figures`, and the kit's figures of each folder in `music`.

    Raises:
        MissingError: a folder without music.
    """
    held_out, train = (kit.works(corpus, validation=side, seed=seed) for side in (True, False))
    runs: Runs = kit.all_runs(corpus)
    found: dict[str, Any] = {}
    for folder in sorted(path for path in music.iterdir() if path.is_dir()):
        seen = kit.panel(
            kit.folder(folder), held_out, train, runs, seed=seed, workers=workers,
            progress=lambda doing, done, total, name=folder.name: told(f"{name}: {doing}", done, total),
        )  # fmt: skip
        found[folder.name] = seen.to_json()
    return {"bits": json.loads(figures.read_text(encoding="utf-8")), "music": found}
