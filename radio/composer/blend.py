"""Blending: the mean of the weights that a run had at the ends of its cycles (stochastic weight averaging).

Izmailov et al. 2018, "Averaging Weights Leads to Wider Optima and Better Generalization" (arXiv:1803.05407). The models
must come from one run: only those that lie near each other have a mean that is a model.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from radio.composer import guard, planner, weights
from radio.composer.model import Transformer
from radio.errors import ModelError

BESIDE = (planner.PLANS, guard.LIMITS, guard.INDEX, "curve.csv", "curve.png")
"""Files of the last model that go with the blend."""


def blended(folders: Sequence[Path]) -> Transformer:
    """The mean of models' weights; one that is named twice counts twice.

    Raises:
        MissingError: a file is not there.
        ModelError: a model cannot be used, or is of another shape than the last.
    """
    *others, last = (weights.load(folder) for folder in folders)
    mean = {name: tensor / len(folders) for name, tensor in last.state_dict().items()}
    for folder, model in zip(folders, others, strict=False):
        if model.config != last.config:
            raise ModelError(f"{folder}: got {model.config}, wanted {last.config} as in {folders[-1]}")
        for name, tensor in model.state_dict().items():
            mean[name] += tensor / len(folders)
    last.load_state_dict(mean)
    return last


def save(folders: Sequence[Path], output: Path) -> None:
    """Writes the blend as a model folder, which tells of the last model's training and of what it is the mean of.

    Raises:
        MissingError, ModelError: as `blended`.
    """
    model = blended(folders)
    told = [weights.facts(folder) for folder in folders]
    parts = [
        {"model": weights.digest(folder), "minutes": own["stages"][-1]["minutes"]}
        for folder, own in zip(folders, told, strict=True)
    ]
    weights.save(output, model, {**told[-1], "blend": parts})
    for name in BESIDE:
        if (folders[-1] / name).is_file() and folders[-1] != output:
            shutil.copyfile(folders[-1] / name, output / name)
