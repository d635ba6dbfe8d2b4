"""Training: a loop that can stop and go on, its schedule bound to a budget of minutes.

Matrices of the trunk and the heads are trained with Muon (Jordan et al. 2024), the rest with AdamW; in bfloat16 where
the machine has arithmetic for it. The learning rate warms up, stays, and falls to zero over the last part of the
budget; time in which the process was stopped does not count. What is kept is a moving average of the weights
(Polyak and Juditsky 1992). Now and then some works of each style are looked at, and a style that is being learned by
heart is heard less.
"""

from __future__ import annotations

import csv
import math
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, cast

import numpy as np
import torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from radio.composer import weights
from radio.composer.corpus import Corpus
from radio.composer.dataset import Windows
from radio.composer.losses import cell_losses, cells
from radio.composer.model import Transformer, has_bfloat16
from radio.composer.muon import Muon
from radio.composer.watch import Watch
from radio.errors import ModelError
from radio.music import tokens

LN2 = math.log(2)
SLOT_NAMES = ("onset", "program", "pitch", "duration", "velocity")


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """What a training run is asked for."""

    minutes: float = 60.0
    batch: int = 24
    """Examples a step."""
    cell: int = 6144
    """Positions a forward pass holds at most, padding included."""
    rate: float = 0.01
    """Learning rate of the matrices (Muon)."""
    table_share: float = 0.3
    """Learning rate of embeddings and of the heads' last layers (AdamW), as a share of `rate`."""
    balance: float = 0.5
    """Styles are drawn by their size to this power: 1 as they are, 0 all alike."""
    openings: float = 0.2
    """Share of the windows that open a piece."""
    doubt: float = 0.0
    """Share of the other windows whose prefix is of another piece."""
    recast: float = 0.0
    """Share of the other windows that are given other programs."""
    decay: float = 0.03
    warmup: int = 40
    """Steps."""
    fall: float = 0.45
    """Share of the budget over which the learning rate falls to zero."""
    seed: int = 1
    report: int = 20
    """Steps between lines of the log."""
    checkpoint: float = 3.0
    """Minutes between checkpoints."""
    average: float = 0.98
    """How much of the averaged weights stays at each step; 0: the last weights are kept."""
    watch: float = 12.0
    """Minutes between looks at works of both sides of the split; 0: none."""


OPTIONS = ("minutes", "rate", "fall", "balance", "openings", "doubt", "recast", "seed")
"""Fields of TrainConfig that `radio train` takes."""


@dataclass(slots=True)
class Progress:
    """Where a run stands; saved with each checkpoint."""

    step: int = 0
    seconds: float = 0.0
    positions: int = 0
    bits: float = float("nan")
    """Bits a position, a moving mean."""
    rate: float = 0.0
    """Positions a second."""


@dataclass(slots=True)
class Recent:
    """What the steps since the last line of the log came to."""

    bits: np.ndarray[Any, Any] = field(default_factory=lambda: np.zeros(tokens.SLOTS))
    positions: int = 0
    seconds: float = 0.0

    def add(self, bits: np.ndarray[Any, Any], positions: int, seconds: float) -> None:
        """Adds a step."""
        self.bits = self.bits + bits
        self.positions += positions
        self.seconds += seconds


def optimizers(model: Transformer, config: TrainConfig) -> list[torch.optim.Optimizer]:
    """Muon for the inner matrices, AdamW for embeddings, last layers and biases."""
    inner = [p for n, p in model.named_parameters() if p.ndim == 2 and ("blocks" in n or ".hidden." in n)]
    known = {id(p) for p in inner}
    rest = [p for p in model.parameters() if id(p) not in known]
    return [
        Muon(inner, lr=config.rate, weight_decay=config.decay),
        torch.optim.AdamW(rest, lr=config.table_share * config.rate, betas=(0.9, 0.97), weight_decay=0.0),
    ]


def factor(progress: Progress, config: TrainConfig) -> float:
    """What the learning rates are multiplied by."""
    done = progress.seconds / (60 * config.minutes)
    return min(1.0, (progress.step + 1) / config.warmup) * min(1.0, max(0.0, (1 - done) / config.fall))


class Trainer:
    """One run: its model, optimisers, data and checkpoint file."""

    def __init__(
        self,
        corpus: Corpus,
        model: Transformer,
        config: TrainConfig,
        out: Path,
        *,
        clock: Callable[[], float] = time.perf_counter,
        bfloat16: bool | None = None,
        origin: dict[str, Any] | None = None,
    ) -> None:
        """`model` is trained where it is.

        Args:
            bfloat16: None: if the machine has arithmetic for it.
            origin: what config.json shall tell of the model that this one began as.
        """
        self.config, self.out, self.clock = config, out, clock
        self.model, self.origin = model, origin
        self.device = next(model.parameters()).device
        self.bfloat16 = has_bfloat16(self.device) if bfloat16 is None else bfloat16
        moving = get_ema_multi_avg_fn(config.average)  # type: ignore[no-untyped-call]
        self.average = AveragedModel(model, multi_avg_fn=moving)
        self.optimizers = optimizers(self.model, config)
        self.base = [[g["lr"] for g in o.param_groups] for o in self.optimizers]
        self.progress = Progress()
        self.stages: list[dict[str, Any]] = [asdict(config)]
        """The configurations that the run has had, this one last."""
        self.watch = Watch.over(corpus, model.config.context)
        self.windows = Windows(
            corpus,
            corpus.split(validation=False),
            model.config.context,
            config.seed,
            balance=config.balance,
            openings=config.openings,
            doubt=config.doubt,
            recast=config.recast,
        )

    def fuse(self) -> None:
        """Compiles what blocks do besides attention, once for all of them; it is faster then. Needs a C++ compiler."""
        for block in self.model.blocks:
            block.project = torch.compile(block.project, dynamic=True)  # type: ignore[method-assign]
            block.finish = torch.compile(block.finish, dynamic=True)  # type: ignore[method-assign]

    @property
    def checkpoint(self) -> Path:
        return self.out / "checkpoint.pt"

    def resume(self) -> bool:
        """Goes on from the checkpoint if there is one.

        Raises:
            ModelError: it is not of a model of this shape, or of another version of this program.
        """
        if not self.checkpoint.is_file():
            return False
        try:
            state = torch.load(self.checkpoint, weights_only=True)
            self.model.load_state_dict(state["model"])
            self.average.load_state_dict(state["average"])
            self.watch.restore(state["watch"])
            self.origin = state["origin"]
            for optimizer, own in zip(self.optimizers, state["optimizers"], strict=True):
                optimizer.load_state_dict(own)
            self.progress = Progress(**state["progress"])
        except (KeyError, TypeError, ValueError, RuntimeError, UnpicklingError) as error:
            raise ModelError(f"{self.checkpoint}: not a checkpoint that this run can go on from: {error}") from error
        self.windows.favour(self.watch.shares)
        self.stages = [stage for stage in state["stages"] if stage != self.stages[-1]] + self.stages[-1:]
        self.windows.rng = np.random.default_rng((self.config.seed, self.progress.step))
        return True

    def save(self) -> None:
        """Writes the checkpoint (atomically) and the weights so far."""
        self.out.mkdir(parents=True, exist_ok=True)
        state = {
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "watch": self.watch.state(),
            "origin": self.origin,
            "optimizers": [o.state_dict() for o in self.optimizers],
            "progress": asdict(self.progress),
            "stages": self.stages,
        }
        partial = self.checkpoint.with_suffix(".part")
        torch.save(state, partial)
        partial.replace(self.checkpoint)
        weights.save(self.out, self.averaged, self.facts())

    @property
    def averaged(self) -> Transformer:
        """The model with the averaged weights."""
        return cast(Transformer, self.average.module)

    def facts(self) -> dict[str, Any]:
        """What config.json tells of the run."""
        on_gpu = self.device.type == "cuda"
        machine = torch.cuda.get_device_name(self.device) if on_gpu else f"{os.cpu_count()} CPU cores"
        facts = {**asdict(self.progress), "stages": self.stages, "machine": machine}
        return facts if self.origin is None else {**facts, "origin": self.origin}

    def step(self) -> tuple[np.ndarray[Any, Any], int]:
        """One update; bits by slot summed over the positions, and how many there were."""
        scale = factor(self.progress, self.config)
        for optimizer, rates in zip(self.optimizers, self.base, strict=True):
            for settings, rate in zip(optimizer.param_groups, rates, strict=True):
                settings["lr"] = rate * scale
        batch = self.windows.batch(self.config.batch)
        total = sum(len(e.positions) - tokens.PREFIX_LENGTH for e in batch)
        bits = np.zeros(tokens.SLOTS)
        for group in cells(batch, self.config.cell):
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bfloat16):
                losses, _ = cell_losses(self.model, group)
            torch.autograd.backward(losses.sum() / total)
            bits += losses.detach().sum(dim=(0, 1)).cpu().numpy() / LN2
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        for optimizer in self.optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        self.average.update_parameters(self.model)
        return bits, total

    def run(self, report: Callable[[Progress, dict[str, float]], None]) -> None:
        """Trains until the budget is spent; `report` is told every `config.report` steps."""
        self.model.train()
        self.out.mkdir(parents=True, exist_ok=True)
        recent = Recent()
        saved = looked = self.progress.seconds
        while self.progress.seconds < 60 * self.config.minutes:
            began = self.clock()
            bits, count = self.step()
            # A step never takes this long; a process that was stopped does.
            took = min(self.clock() - began, 30.0)
            self.progress.step += 1
            self.progress.seconds += took
            self.progress.positions += count
            recent.add(bits, count, took)
            over = self.progress.seconds >= 60 * self.config.minutes
            if over or self.progress.step % self.config.report == 0:
                by_slot = dict(zip(SLOT_NAMES, (recent.bits / recent.positions).tolist(), strict=True))
                self.progress.bits = sum(by_slot.values())
                self.progress.rate = recent.positions / recent.seconds
                self._log(by_slot)
                report(self.progress, by_slot)
                recent = Recent()
            if self.config.watch and self.progress.seconds - looked > 60 * self.config.watch:
                self._look()
                looked = self.progress.seconds
            if self.progress.seconds - saved > 60 * self.config.checkpoint:
                self.save()
                saved = self.progress.seconds
        self.save()

    def _look(self) -> None:
        """Sees how all styles stand, notes it, and goes on with the shares that follow from it."""
        found = self.watch.look(self.averaged)
        self.windows.favour(self.watch.shares)
        row = {style: round(own.validation, 4) for style, own in found.items()}
        self._row("styles.csv", {"step": self.progress.step, **row})

    def _log(self, by_slot: dict[str, float]) -> None:
        p = self.progress
        row = {"step": p.step, "seconds": round(p.seconds, 1), "positions": p.positions, "bits": round(p.bits, 4)}
        self._row("curve.csv", {**row, **{name: round(own, 4) for name, own in by_slot.items()}})

    def _row(self, name: str, row: dict[str, float]) -> None:
        path = self.out / name
        fresh = not path.exists()
        with path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(row))
            if fresh:
                writer.writeheader()
            writer.writerow(row)
