"""Positions a second by batch size, and how many channels that is enough for. One thread, nothing else running.

    python benchmarks/bench_composer.py [MODEL ...]

The models are measured one after the other; the default is the station's. The floor is the time in which one thread
reads the weights, and the keys and values of the rows, once from memory.
"""

from __future__ import annotations

import argparse
import time
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from measuring import show

from radio.composer.composer import Composer
from radio.composer.decoding import Compiled
from radio.composer.writer import advance
from radio.config import Config, load
from radio.music.score import Bar

BATCHES = (1, 4, 8, 16)
STEPS = 150
SECONDS = 40.0
"""Music written of each channel, for what a channel needs."""


def needed(composer: Composer) -> dict[str, float]:
    """Positions a second of music, by channel: notes and bar lines."""
    while hungry := [writer for writer in composer.writers.values() if writer.seconds_ahead() < SECONDS]:
        advance(composer.engine, hungry)
    rates = {}
    for name, writer in composer.writers.items():
        bars = [item for item in writer.queue if isinstance(item, Bar)]
        rates[name] = sum(len(bar.notes) + 1 for bar in bars) / sum(bar.seconds for bar in bars)
    return rates


def bandwidth(size: int = 256 << 20, times: int = 5) -> float:
    """Bytes a second that one thread reads, at best, from an array that no cache holds."""
    array = np.ones(size // 8)
    best = float("inf")
    for _ in range(times):
        began = time.perf_counter()
        array.max()
        best = min(best, time.perf_counter() - began)
    return size / best


def held(composer: Composer, batch: int) -> float:
    """Bytes of keys and values that the first rows hold."""
    decoder = composer.engine.decoder
    assert isinstance(decoder, Compiled)
    layers, _, heads, _, dim, _ = decoder.cache.keys.shape
    lengths, sights = (own[: 2 * batch] for own in (decoder.cache.lengths, decoder.cache.sights))
    # Rows without a shadow leave its place at length 0. Besides 8 bits a number, each vector has its 4 bytes.
    return float(np.where(sights > 0, np.minimum(lengths, sights), lengths).sum()) * 2 * layers * heads * (dim + 4)


def main() -> None:
    config = load(None)
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0] if __doc__ else "")
    parser.add_argument("models", type=Path, nargs="*", default=[config.station.model], metavar="MODEL")
    for model in parser.parse_args().models:
        measure(model, config)


def measure(model: Path, config: Config) -> None:
    """Prints a model's table."""
    names = list(config.channels)
    composer = Composer(model, list(config.channels.values()), seed=1, device="cpu", threads=1)
    rows: list[list[object]] = []
    rates = needed(composer)
    mean = sum(rates.values()) / len(rates)
    busiest = max(rates, key=lambda name: rates[name])
    weights = sum(p.numel() * p.element_size() for p in composer.engine.model.parameters())
    speed = bandwidth()
    for batch in (*BATCHES, len(names)):
        writers = list(islice(composer.writers.values(), batch))
        for _ in range(30):
            advance(composer.engine, writers)
        began = time.perf_counter()
        for _ in range(STEPS):
            advance(composer.engine, writers)
        took = (time.perf_counter() - began) / STEPS
        floor = (weights + held(composer, batch)) / speed
        rows.append([batch, 1000 * took, batch / took, batch / took / mean, 1000 * floor, took / floor])
    show(
        f"{model}, {torch.get_num_threads()} thread",
        ["batch", "ms a step", "positions/s", "channels", "floor ms", "× floor"],
        rows,
    )
    print(f"A channel needs {mean:.1f} positions a second of music; the busiest, {busiest}, {rates[busiest]:.1f}.")
    print(f"Weights of {weights / 1e6:.1f} MB are read at each step, at {speed / 1e9:.1f} GB a second.\n")


if __name__ == "__main__":
    main()
