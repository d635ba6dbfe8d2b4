"""A model folder: weights (safetensors, half precision), config.json, the card; reading and writing it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from radio.composer.model import ModelConfig, Transformer
from radio.errors import MissingError, ModelError
from radio.music import tokens

WEIGHTS, CONFIG = "model.safetensors", "config.json"


def save(folder: Path, model: Transformer, facts: dict[str, Any]) -> None:
    """Writes weights and configuration; `facts` is kept in config.json under "training"."""
    folder.mkdir(parents=True, exist_ok=True)
    halves = {name: tensor.detach().to(torch.float16).contiguous().cpu() for name, tensor in model.state_dict().items()}
    save_file(halves, folder / WEIGHTS)
    (folder / WEIGHTS).chmod(0o644)
    fields = {"model": model.config.to_json(), "vocabulary": tokens.vocabulary(), "training": facts}
    (folder / CONFIG).write_text(json.dumps(fields, indent=1) + "\n", encoding="utf-8")


def digest(folder: Path) -> str:
    """What the weights are known by: 16 hexadecimal digits of their SHA-256.

    Raises:
        MissingError: there are none.
    """
    path = folder / WEIGHTS
    if not path.is_file():
        raise MissingError(f"{path}: no such file; wanted a model's weights")
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def facts(folder: Path) -> dict[str, Any]:
    """What a model's config.json tells of its training; a model that `load` has loaded."""
    told: dict[str, Any] = json.loads((folder / CONFIG).read_text(encoding="utf-8"))["training"]
    return told


def load(folder: Path, device: str = "cpu") -> Transformer:
    """The model of a folder, in single precision, ready to compose.

    Raises:
        MissingError: a file is not there.
        ModelError: weights, configuration and this program's vocabulary do not fit together.
    """
    for name in (WEIGHTS, CONFIG):
        if not (folder / name).is_file():
            raise MissingError(f"{folder / name}: no such file; wanted a model folder with {WEIGHTS} and {CONFIG}")
    try:
        fields = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        config = ModelConfig.from_json(fields["model"])
        vocabulary = fields["vocabulary"]
    except (ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{folder / CONFIG}: not a model's configuration: {error!r}") from error
    ours = json.loads(json.dumps(tokens.vocabulary()))
    different = sorted(name for name in ours if ours[name] != vocabulary.get(name))
    if different:
        raise ModelError(f"{folder / CONFIG}: made for another vocabulary (different: {', '.join(different)})")
    model = Transformer(config)
    try:
        weights = load_file(folder / WEIGHTS)
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{folder / WEIGHTS}: not a safetensors file: {error}") from error
    wanted = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    got = {name: tuple(tensor.shape) for name, tensor in weights.items()}
    if wanted != got:
        name = min(set(wanted.items()) ^ set(got.items()))[0]
        raise ModelError(
            f"{folder / WEIGHTS}: does not match {CONFIG}: {name}: wanted {wanted.get(name, 'no such tensor')}, "
            f"got {got.get(name, 'no such tensor')}"
        )
    model.load_state_dict({name: tensor.float() for name, tensor in weights.items()})
    return model.to(device).eval().requires_grad_(False)
