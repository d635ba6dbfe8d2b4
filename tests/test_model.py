from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from models import TINY, model
from music import tune
from radio.composer import weights
from radio.composer.dataset import example, padded
from radio.composer.growth import deepened, origins
from radio.composer.model import Transformer, norm
from radio.composer.muon import orthogonal
from radio.composer.sampling import draw
from radio.composer.window import Held, Window, held
from radio.errors import MissingError, ModelError
from radio.music import tokens
from radio.music.score import Prefix


def whole(piece: tokens.Positions) -> Held:
    return held(piece, Window(), len(piece))


@pytest.fixture(scope="module")
def transformer() -> Transformer:
    return weights.load(model())


def rows(count: int, length: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Ids and times of real music: (count, length, SLOTS) and (count, length)."""
    made = [example(Prefix(style="bach"), whole(tokens.encode(tune(seed, 16), 100.0))) for seed in range(count)]
    ids = torch.stack([torch.from_numpy(e.positions[:length].astype(np.int64)) for e in made])
    return ids, torch.stack([torch.from_numpy(e.ticks[:length].astype(np.int64)) for e in made])


def test_the_cache_gives_what_a_whole_pass_gives(transformer: Transformer) -> None:
    ids, ticks = rows(3, 40)
    with torch.inference_mode():
        whole = transformer(ids, ticks)
        cache = transformer.new_cache(3)
        for row in range(3):
            transformer.prefill(cache, row, ids[row, :20], ticks[row, :20])
        for at in range(20, 40):
            stepped = transformer.advance(cache, torch.arange(3), ids[:, at], ticks[:, at])
            torch.testing.assert_close(stepped, whole[:, at], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("layers", [2, 3, 5])
def test_a_deeper_model_begins_by_saying_what_the_shallower_one_says(transformer: Transformer, layers: int) -> None:
    ids, ticks = rows(2, 40)
    grown = deepened(transformer, layers)
    assert (grown.config.layers, len(grown.blocks)) == (layers, layers)
    pad = torch.zeros(ids.shape[:2], dtype=torch.bool)
    said = transformer.losses(ids, ticks, tokens.PREFIX_LENGTH, pad)
    torch.testing.assert_close(grown.losses(ids, ticks, tokens.PREFIX_LENGTH, pad), said)


@given(layers=st.integers(1, 12), more=st.integers(0, 24))
def test_new_layers_are_spread_evenly_and_follow_the_one_they_copy(layers: int, more: int) -> None:
    found = origins(layers, layers + more)
    assert [index for index, new in found if not new] == list(range(layers))
    copies = [sum(new and index == own for index, new in found) for own in range(layers)]
    assert sum(copies) == more
    assert max(copies) - min(copies) <= 1
    assert [index for index, _ in found] == sorted(index for index, _ in found)


def test_rows_of_a_batch_do_not_disturb_each_other(transformer: Transformer) -> None:
    ids, ticks = rows(3, 30)
    with torch.inference_mode():
        together, alone = transformer.new_cache(3), transformer.new_cache(1)
        for row, length in enumerate((10, 25, 17)):
            transformer.prefill(together, row, ids[row, :length], ticks[row, :length])
        transformer.prefill(alone, 0, ids[2, :17], ticks[2, :17])
        some = torch.tensor([0, 2])
        batch = transformer.advance(together, some, ids[some, [10, 17]], ticks[some, [10, 17]])
        single = transformer.advance(alone, torch.tensor([0]), ids[2:3, 17], ticks[2:3, 17])
        torch.testing.assert_close(batch[1], single[0], atol=1e-4, rtol=1e-4)
        assert together.lengths.tolist() == [11, 25, 18]


def test_a_position_sees_nothing_that_comes_after_it(transformer: Transformer) -> None:
    ids, ticks = rows(1, 30)
    with torch.inference_mode():
        before = transformer(ids, ticks)[:, :15]
        ids[:, 15:, 2] = ids[:, 15:, 2].flip(1)
        torch.testing.assert_close(transformer(ids, ticks)[:, :15], before)


def test_padding_prefix_and_empty_slots_cost_nothing(transformer: Transformer) -> None:
    short = example(Prefix(), whole(tokens.encode(tune(1, 4), 100.0)))
    long = example(Prefix(), whole(tokens.encode(tune(2, 8), 100.0)))
    together = [torch.from_numpy(array) for array in padded([short, long])]
    alone = [torch.from_numpy(array) for array in padded([short])]
    with torch.inference_mode():
        both = transformer.losses(*together[:2], tokens.PREFIX_LENGTH, together[2])
        one = transformer.losses(*alone[:2], tokens.PREFIX_LENGTH, alone[2])
    torch.testing.assert_close(both[0].sum(), one.sum(), rtol=1e-4, atol=1e-3)
    end = len(short.positions) - tokens.PREFIX_LENGTH - 1
    assert (both[0, end + 1 :] == 0).all()
    assert both[0, end, 0] > 0
    assert (both[0, end, 1:] == 0).all()


def test_a_draw_keeps_to_the_mask_and_to_the_nucleus() -> None:
    logits = torch.tensor([[0.0, 5.0, 3.0, -2.0]]).repeat(500, 1)
    mask = torch.tensor([[True, False, True, True]]).repeat(500, 1)
    uniform = torch.linspace(0, 0.999, 500)
    one = torch.ones(500)
    everything = draw(logits, mask, one, one, uniform)
    assert set(everything.tolist()) == {0, 2, 3}
    shares = np.exp([0, 3, -2]) / np.exp([0, 3, -2]).sum()
    assert np.bincount(everything, minlength=4)[[0, 2, 3]] / 500 == pytest.approx(shares, abs=0.01)
    assert set(draw(logits, mask, one, one * 0.9, uniform).tolist()) == {2}
    assert set(draw(logits, mask, one * 0.01, one, uniform).tolist()) == {2}


def test_muon_makes_singular_values_alike() -> None:
    torch.manual_seed(1)
    made = orthogonal(torch.randn(2, 40, 24))
    values = torch.linalg.svdvals(made)
    assert values.min() > 0.5
    assert values.max() < 1.3


def test_norm_gives_unit_mean_square() -> None:
    assert norm(torch.randn(5, 32) * 7).square().mean(-1).tolist() == pytest.approx([1.0] * 5, rel=1e-3)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(model(), tmp_path / "model"))


def test_weights_come_back_as_they_were_but_for_their_precision(folder: Path) -> None:
    assert weights.load(folder).config == TINY


@pytest.mark.parametrize("name", [weights.WEIGHTS, weights.CONFIG])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(MissingError, match=name):
        weights.load(folder)


def test_weights_that_do_not_match_the_configuration_are_refused(folder: Path) -> None:
    fields = json.loads((folder / weights.CONFIG).read_text())
    fields["model"]["width"] = 64
    (folder / weights.CONFIG).write_text(json.dumps(fields))
    with pytest.raises(ModelError, match=r"does not match config.json: .*wanted \(.*got \("):
        weights.load(folder)


def test_a_model_of_another_vocabulary_is_refused(folder: Path) -> None:
    fields = json.loads((folder / weights.CONFIG).read_text())
    fields["vocabulary"]["durations"].append(999)
    (folder / weights.CONFIG).write_text(json.dumps(fields))
    with pytest.raises(ModelError, match="durations"):
        weights.load(folder)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"model": 3}'])
def test_a_configuration_that_is_none_is_refused(folder: Path, text: str) -> None:
    (folder / weights.CONFIG).write_text(text)
    with pytest.raises(ModelError, match="not a model's configuration"):
        weights.load(folder)


def test_weights_that_are_garbage_are_refused(folder: Path) -> None:
    (folder / weights.WEIGHTS).write_bytes(b"garbage")
    with pytest.raises(ModelError, match="not a safetensors file"):
        weights.load(folder)
