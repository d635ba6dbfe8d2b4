"""What the four networks share: training until a budget of minutes is spent, checkpoints, going on after a stop."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.baselines.baseline import Report, missing, silent
from radio.composer.corpus import Corpus
from radio.composer.train import LN2, Progress, TrainConfig, factor

M = TypeVar("M", bound=nn.Module)
Lesson = Callable[[np.random.Generator], tuple[Tensor, int]]
"""Draws a batch: the nats that it costs, summed, and how many positions it tells."""
Clock = Callable[[], float]
"""Seconds."""
BUSY: Clock = time.process_time
"""Budgets are of processor time: what else a machine does, and on how many cores a network is trained, is all one."""
CHECKPOINT = "checkpoint.pt"
LONGEST_STEP = 60.0
"""Seconds. A step takes less; a process that was stopped takes more, and that does not count."""
KEPT = 0.95
"""How much of the mean stays when a step's bits are added."""


class Network(ABC, Generic[M]):
    """A baseline made of one torch module."""

    settings: TrainConfig
    """Batch, learning rate and schedule; the minutes and the seed are given at training."""

    def __init__(self) -> None:
        self.model = self.build().eval()
        self.clock = BUSY

    @abstractmethod
    def build(self) -> M:
        """A new model, its weights drawn from torch's generator."""

    @abstractmethod
    def lesson(self, corpus: Corpus, seed: int) -> Lesson:
        """What the model is trained on."""

    def optimizers(self) -> list[torch.optim.Optimizer]:
        """AdamW for all weights."""
        rate = self.settings.rate
        return [torch.optim.AdamW(self.model.parameters(), lr=rate, betas=(0.9, 0.97), weight_decay=0.0)]

    def train(
        self, corpus: Corpus, minutes: float, seed: int, out: Path, *, resume: bool = False, report: Report = silent
    ) -> Progress:
        """Trains until the minutes are spent; with `resume` from the checkpoint in `out`, if there is one."""
        out.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(seed)
        self.model = self.build().train()
        config = replace(self.settings, minutes=minutes, seed=seed)
        run = Run(self.model, self.optimizers(), config, out / CHECKPOINT, self.clock)
        if resume:
            run.resume()
        lesson, saved = self.lesson(corpus, seed), run.progress.seconds
        while run.progress.seconds < 60 * minutes:
            run.step(lesson)
            report(run.progress)
            if run.progress.seconds - saved > 60 * run.config.checkpoint:
                run.save()
                saved = run.progress.seconds
        run.save()
        self.model.eval()
        return run.progress

    def load(self, folder: Path) -> None:
        """Takes up what was trained."""
        if not (folder / CHECKPOINT).is_file():
            raise missing(folder)
        self.model.load_state_dict(torch.load(folder / CHECKPOINT, weights_only=True)["model"])
        self.model.eval()


class Run:
    """A training under way."""

    def __init__(
        self,
        model: nn.Module,
        optimizers: Sequence[torch.optim.Optimizer],
        config: TrainConfig,
        checkpoint: Path,
        clock: Clock,
    ) -> None:
        self.model, self.optimizers, self.config = model, optimizers, config
        self.checkpoint, self.clock = checkpoint, clock
        self.rates = [[group["lr"] for group in optimizer.param_groups] for optimizer in optimizers]
        self.progress = Progress()

    def step(self, lesson: Lesson) -> None:
        """One update."""
        began = self.clock()
        progress, scale = self.progress, factor(self.progress, self.config)
        for optimizer, rates in zip(self.optimizers, self.rates, strict=True):
            for group, rate in zip(optimizer.param_groups, rates, strict=True):
                group["lr"] = rate * scale
        nats, count = lesson(np.random.default_rng((self.config.seed, progress.step)))
        torch.autograd.backward(nats / count)
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        for optimizer in self.optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        bits = float(nats.detach()) / LN2 / count
        progress.bits = KEPT * progress.bits + (1 - KEPT) * bits if progress.step else bits
        progress.step += 1
        progress.positions += count
        progress.seconds += min(self.clock() - began, LONGEST_STEP)
        progress.rate = progress.positions / progress.seconds

    def save(self) -> None:
        """Writes the checkpoint, whole or not at all."""
        state = {
            "model": self.model.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "progress": asdict(self.progress),
        }
        partial = self.checkpoint.with_suffix(".part")
        torch.save(state, partial)
        partial.replace(self.checkpoint)

    def resume(self) -> None:
        """Goes on from the checkpoint, if there is one."""
        if self.checkpoint.is_file():
            state = torch.load(self.checkpoint, weights_only=True)
            self.model.load_state_dict(state["model"])
            for optimizer, own in zip(self.optimizers, state["optimizers"], strict=True):
                optimizer.load_state_dict(own)
            self.progress = Progress(**state["progress"])
