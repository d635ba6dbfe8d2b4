"""What `radio compose`, `corpus build` and `train` do, with progress bars."""

from __future__ import annotations

import secrets
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from radio.composer import corpus, guard, planner, plots, weights
from radio.composer.compose import compose as compose_pieces
from radio.composer.compose import of_length
from radio.composer.growth import with_layers
from radio.composer.model import ModelConfig, Transformer
from radio.composer.shown import bar, console
from radio.composer.train import SLOT_NAMES, TrainConfig, Trainer
from radio.composer.train import Progress as Standing
from radio.config import Config
from radio.errors import ConfigError
from radio.music import smf
from radio.music.score import Bar, Piece
from radio.music.tokens import plain
from radio.settings import ChannelConfig


def compose(config: Config, channel: ChannelConfig, pieces: int, bars: int | None, output: Path) -> None:
    """Writes pieces of a channel as MIDI files named by number and title."""
    seed = secrets.randbits(31) if config.station.seed is None else config.station.seed
    torch.set_num_threads(config.station.threads)
    if bars is not None:
        channel = of_length(channel, bars)
    output.mkdir(parents=True, exist_ok=True)
    done = 0
    with bar() as progress:
        writing = progress.add_task(f"{channel.title}, seed {seed}: bars", total=None)
        task = progress.add_task("pieces", total=pieces)
        for item in compose_pieces(config.station.model, channel, pieces, seed, device=_device(config.station.device)):
            if isinstance(item, Bar):
                progress.advance(writing)
                continue
            done += 1
            path = output / f"{channel.name}-{done:03d}-{plain(item.title)[:60]}.mid"
            smf.write(item, path)
            progress.advance(task)
            progress.console.print(f"{path}  {item.title}, {len(item.bars)} bars, {_clock(item)}", highlight=False)


def _clock(piece: Piece) -> str:
    return f"{int(piece.seconds) // 60}:{int(piece.seconds) % 60:02d}"


def _device(asked: str) -> str:
    if asked == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if asked == "cuda" and not torch.cuda.is_available():
        raise ConfigError(["device: cuda asked for, but torch finds no CUDA device; use auto or cpu"])
    return asked


def corpus_build(folder: Path, output: Path, workers: int) -> None:
    """Turns a corpus folder into training data."""
    with bar() as progress:
        task = progress.add_task("files", total=None)
        kept, skipped = corpus.build(
            folder,
            output,
            workers=workers,
            progress=lambda done, total: progress.update(task, completed=done, total=total),
        )
    console.print(f"{kept} pieces in {output}; {skipped} files skipped, see {output / 'skipped.json'}")


def train(
    data: Path,
    output: Path,
    config: TrainConfig,
    *,
    start: Path | None,
    layers: int | None,
    resume: bool,
    device: str,
    threads: int | None,
    fuse: bool,
) -> None:
    """Trains a model on the data, with a line and a picture of how far it is."""
    if threads:
        torch.set_num_threads(threads)
    found = corpus.Corpus.load(data)
    torch.manual_seed(config.seed)
    source = output if resume and (output / weights.CONFIG).is_file() else start
    model, origin = _beginning(source, None if source == output else layers)
    trainer = Trainer(found, model.to(_device(device)), config, output, origin=origin)
    if fuse:
        trainer.fuse()
    if resume and not trainer.resume():
        console.print(f"{trainer.checkpoint}: no such file; a new run begins")
    with bar(count=False) as progress:
        task = progress.add_task("training", total=60 * config.minutes, completed=int(trainer.progress.seconds))

        def report(standing: Standing, by_slot: dict[str, float]) -> None:
            progress.update(task, completed=standing.seconds, description=f"{standing.bits:.2f} bits a position")
            progress.console.print(_line(standing, by_slot), highlight=False)

        trainer.run(report)
    with console.status("plans, limits and the index of the training works"):
        planner.save(output, found)
        guard.save(output, found)
    plots.curve(output)
    console.print(f"{output}: trained for {trainer.progress.positions:,} positions")


def _beginning(source: Path | None, layers: int | None) -> tuple[Transformer, dict[str, Any] | None]:
    """What training begins with, and what is to be told of where it is from: a new model, or one that was trained."""
    if source is None:
        shape = ModelConfig()
        return Transformer(replace(shape, layers=layers or shape.layers)), None
    model = weights.load(source).requires_grad_(True).train()
    origin = {"model": weights.digest(source), "layers": model.config.layers, "training": weights.facts(source)}
    return with_layers(model, layers or model.config.layers), origin


def _line(standing: Standing, by_slot: dict[str, float]) -> str:
    slots = " ".join(f"{name} {by_slot[name]:.2f}" for name in SLOT_NAMES)
    return f"step {standing.step:6d}  {standing.bits:6.3f} bits a position ({slots})  {standing.rate:,.0f} positions/s"
