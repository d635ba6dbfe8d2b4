"""Blending: the mean of models of one shape, told in the card."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from models import TINY, data, model
from radio.composer import blend, card, weights
from radio.composer.corpus import Corpus
from radio.composer.model import ModelConfig, Transformer
from radio.errors import ModelError


def trained(folder: Path, value: float, minutes: float, shape: ModelConfig = TINY) -> Path:
    """A model folder with the value for every weight, from a run that was asked for so many minutes."""
    made = Transformer(shape)
    for parameter in made.parameters():
        torch.nn.init.constant_(parameter, value)
    stages = [{"minutes": minutes}]
    facts = {"seconds": 60 * minutes, "positions": 10, "step": 1, "machine": "2 CPU cores", "bits": 9, "stages": stages}
    weights.save(folder, made, facts)
    return folder


def test_a_blend_is_the_mean_of_all_weights_and_one_named_twice_counts_twice(tmp_path: Path) -> None:
    first, last = trained(tmp_path / "a", 1.0, 3), trained(tmp_path / "b", 4.0, 5)
    found = blend.blended([first, last, last])
    assert all(bool((parameter == 3.0).all()) for parameter in found.parameters())


def test_models_of_different_shapes_are_refused(tmp_path: Path) -> None:
    first = trained(tmp_path / "a", 1.0, 3, replace(TINY, layers=3))
    with pytest.raises(ModelError, match="layers=3"):
        blend.blended([first, trained(tmp_path / "b", 1.0, 5)])


def test_a_blend_goes_on_the_air_with_the_last_models_files_and_says_what_it_is_of(tmp_path: Path) -> None:
    first, last = trained(tmp_path / "a", 1.0, 3), trained(tmp_path / "b", 2.0, 5)
    for name in blend.BESIDE[:3]:
        (last / name).write_bytes((model() / name).read_bytes())
    blend.save([first, last], tmp_path / "blend")
    assert all((tmp_path / "blend" / name).is_file() for name in blend.BESIDE[:3])
    told = weights.facts(tmp_path / "blend")
    assert [part["minutes"] for part in told["blend"]] == [3, 5]
    assert told["blend"][1]["model"] == weights.digest(last)
    bits = {"bits": {"right": 3.0, "none": 3.1}, "notes": 900, "pieces": 3, "works": 2}
    apart = {"channels": ["bach", "ragtime"], "right": 39, "pieces": 40, "real": 0.96, "ended": 38}
    (tmp_path / "blend" / card.EVALUATION).write_text(json.dumps({"bits_per_note": {"bach": bits}, "apart": apart}))
    card.write(tmp_path / "blend", Corpus.load(data()))
    written = (tmp_path / "blend" / card.CARD).read_text()
    assert "after minutes 3, 5" in written
    assert "cp -r models/blend models/blend.5" in written
    assert "radio blend models/blend.3 models/blend.5 -o models/blend" in written
