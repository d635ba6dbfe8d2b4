from __future__ import annotations

import itertools
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from numba.core.dispatcher import Dispatcher

from models import TINY, model
from music import tune, whole
from radio.composer import blocks, weights
from radio.composer.compiled import compiled
from radio.composer.dataset import example, padded
from radio.composer.decoding import Compiled, Decoder, Masked
from radio.composer.growth import origins, with_layers
from radio.composer.model import ModelConfig, Transformer, attended, norm, rotate, rotations
from radio.composer.muon import orthogonal
from radio.composer.sampling import draw
from radio.errors import MissingError, ModelError
from radio.music import tokens
from radio.music.score import Prefix


@pytest.fixture(scope="module")
def transformer() -> Transformer:
    return weights.load(model())


def rows(count: int, length: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Ids and times of real music: (count, length, SLOTS) and (count, length)."""
    made = [example(Prefix(style="bach"), whole(tokens.encode(tune(seed, 16), 100.0))) for seed in range(count)]
    ids = torch.stack([torch.from_numpy(e.positions[:length].astype(np.int64)) for e in made])
    return ids, torch.stack([torch.from_numpy(e.ticks[:length].astype(np.int64)) for e in made])


@pytest.mark.parametrize(("decoding", "near"), [(Compiled, 0.02), (Masked, 1e-4)])
def test_position_by_position_gives_what_a_whole_pass_gives(
    transformer: Transformer, decoding: type[Decoder], near: float
) -> None:
    ids, ticks = rows(3, 40)
    with torch.inference_mode():
        whole = transformer(ids, ticks)
        decoder = decoding(transformer, 3)
        for row in range(3):
            out = decoder.prefill(row, ids[row, :20], ticks[row, :20])
            torch.testing.assert_close(out, whole[row, 19], atol=near, rtol=near)
        for at in range(20, 40):
            stepped = decoder.advance(range(3), ids[:, at], ticks[:, at])
            torch.testing.assert_close(stepped, whole[:, at], atol=near, rtol=near)


@pytest.mark.parametrize("decoding", [Compiled, Masked])
def test_a_full_row_takes_no_more(transformer: Transformer, decoding: type[Decoder]) -> None:
    room = TINY.context
    ids, ticks = torch.zeros((room + 1, tokens.SLOTS), dtype=torch.long), torch.arange(room + 1)
    with torch.inference_mode():
        decoder = decoding(transformer, 1)
        with pytest.raises(IndexError):
            decoder.prefill(0, ids, ticks)
        decoder.prefill(0, ids[:room], ticks[:room])
        with pytest.raises(IndexError):
            decoder.advance([0], ids[room:], ticks[room:])


@pytest.mark.parametrize(("decoding", "near"), [(Compiled, 0.02), (Masked, 1e-4)])
def test_a_row_that_forgets_sees_its_prefix_and_the_latest_positions_alone(
    transformer: Transformer, decoding: type[Decoder], near: float
) -> None:
    """One layer deep: further up, what was seen earlier is remembered by those that saw it."""
    shallow = with_layers(transformer, 1)
    prefix, sight, last = tokens.PREFIX_LENGTH, tokens.PREFIX_LENGTH + 13, 60
    ids, ticks = rows(2, last + 1)
    with torch.inference_mode():
        decoder = decoding(shallow, 2)
        decoder.prefill(0, ids[0, :sight], ticks[0, :sight], sight)
        decoder.prefill(1, ids[1, :sight], ticks[1, :sight])
        for at in range(sight, last + 1):
            out = decoder.advance([0, 1], ids[:, at], ticks[:, at])
        seen = [*range(prefix), *range(last + 1 - (sight - prefix), last + 1)]
        index = torch.tensor(seen)[None]
        cos, sin = (r[:, None] for r in rotations(index, ticks[:1, seen], TINY.width // TINY.heads))
        x = shallow.embedded(ids[:1], shallow.near(ids[:1], ticks[:1]))[:, seen]
        block = shallow.blocks[0]
        q, k, v = block.project(x, cos, sin)
        wanted = norm(block.finish(x, attended(q, k, v)))[0, -1]
        torch.testing.assert_close(out[0], wanted, atol=near, rtol=near)
        torch.testing.assert_close(out[1], shallow(ids[1:], ticks[1:])[0, -1], atol=near, rtol=near)


@pytest.mark.parametrize(("width", "heads"), [(36, 2), (48, 8)])
def test_a_model_whose_widths_the_compiled_loops_cannot_take_is_refused(width: int, heads: int) -> None:
    with pytest.raises(ModelError, match=f"width {width} with {heads} heads; wanted"):
        Compiled(Transformer(replace(TINY, width=width, heads=heads)), 1)


@settings(deadline=None)  # the first call compiles
@given(
    lengths=st.lists(st.integers(0, 149), min_size=1, max_size=5),
    heads=st.integers(1, 3),
    dim=st.sampled_from([4, 8, 32]),
    loud=st.floats(0.01, 30),
    seed=st.integers(0, 2**32 - 1),
)
def test_a_head_looks_over_what_its_row_holds_and_nothing_else(
    lengths: list[int], heads: int, dim: int, loud: float, seed: int
) -> None:
    random = np.random.default_rng(seed)
    cache = blocks.Cache.empty(2, len(lengths) + 1, heads, 150, dim)
    for left_over in (cache.keys, cache.values):  # by pieces before: it must not be seen
        left_over[...] = random.integers(-127, 128, left_over.shape)
    held = [random.standard_normal((2, 2, heads, length, dim), np.float32) for length in lengths]
    for row, (keys, values) in enumerate(held, start=1):
        blocks.fill(cache, row, keys, loud * values)
    q, k, v = random.standard_normal((3, len(lengths), heads, dim), np.float32)
    angles = random.uniform(0, 6, (len(lengths), dim // 2)).astype(np.float32)
    cos, sin, out = np.cos(angles), np.sin(angles), np.empty((len(lengths), heads * dim), np.float32)
    blocks.attend(np.stack((q, k, loud * v), axis=1), cos, sin, cache, 1, np.arange(1, len(lengths) + 1), out)

    for row, (keys, values) in enumerate(held, start=1):
        for h in range(heads):
            new = np.stack([own[row - 1, h] for own in (q, k, loud * v)])
            turns = torch.from_numpy(cos[row - 1]), torch.from_numpy(sin[row - 1])
            query, key = rotate(norm(torch.from_numpy(new[:2])), *turns)
            all_keys = torch.cat((torch.from_numpy(keys[1, h]), key[None]))
            all_values = torch.cat((torch.from_numpy(loud * values[1, h]), torch.from_numpy(new[2:])))
            expected = F.scaled_dot_product_attention(query[None], all_keys, all_values)[0]
            seen = torch.from_numpy(out[row - 1, h * dim : (h + 1) * dim])
            torch.testing.assert_close(seen, expected, atol=0.05 * loud, rtol=0.05)


@pytest.mark.parametrize("layers", [2, 3, 5])
def test_a_deeper_model_begins_by_saying_what_the_shallower_one_says(transformer: Transformer, layers: int) -> None:
    ids, ticks = rows(2, 40)
    grown = with_layers(transformer, layers)
    assert (grown.config.layers, len(grown.blocks)) == (layers, layers)
    pad = torch.zeros(ids.shape[:2], dtype=torch.bool)
    said = transformer.losses(ids, ticks, tokens.PREFIX_LENGTH, pad)
    torch.testing.assert_close(grown.losses(ids, ticks, tokens.PREFIX_LENGTH, pad), said)


def test_a_model_without_intervals_says_the_same_when_it_is_given_them(transformer: Transformer) -> None:
    ids, ticks = rows(2, 40)
    plain = Transformer(replace(TINY, intervals=False))
    plain.load_state_dict(transformer.state_dict(), strict=False)
    told = {name: value for name, value in TINY.to_json().items() if name != "intervals"}
    assert ModelConfig.from_json(told) == plain.config
    pad = torch.zeros(ids.shape[:2], dtype=torch.bool)
    said = plain.losses(ids, ticks, tokens.PREFIX_LENGTH, pad)
    given_ = with_layers(plain, TINY.layers)
    assert given_.config == TINY
    torch.testing.assert_close(given_.losses(ids, ticks, tokens.PREFIX_LENGTH, pad), said)


@given(layers=st.integers(1, 12), more=st.integers(0, 24))
def test_new_layers_are_spread_evenly_and_follow_the_one_they_copy(layers: int, more: int) -> None:
    found = origins(layers, layers + more)
    assert [index for index, new in found if not new] == list(range(layers))
    copies = [sum(new and index == own for index, new in found) for own in range(layers)]
    assert sum(copies) == more
    assert max(copies) - min(copies) <= 1
    assert [index for index, _ in found] == sorted(index for index, _ in found)


@given(layers=st.integers(2, 24), data=st.data())
def test_a_shallower_model_keeps_the_first_layer_and_others_evenly_spread(layers: int, data: st.DataObject) -> None:
    found = origins(layers, data.draw(st.integers(1, layers - 1)))
    assert found[0] == (0, False)
    assert not any(new for _, new in found)
    steps = [after - before for (before, _), (after, _) in itertools.pairwise([*found, (layers, False)])]
    assert min(steps) >= 1
    assert max(steps) - min(steps) <= 1


@pytest.mark.parametrize("decoding", [Compiled, Masked])
def test_rows_of_a_batch_do_not_disturb_each_other(transformer: Transformer, decoding: type[Decoder]) -> None:
    ids, ticks = rows(3, 30)
    with torch.inference_mode():
        together, alone = decoding(transformer, 3), decoding(transformer, 1)
        for row, length in enumerate((10, 25, 17)):
            together.prefill(row, ids[row, :length], ticks[row, :length])
        alone.prefill(0, ids[2, :17], ticks[2, :17])
        batch = together.advance([0, 2], ids[[0, 2], [10, 17]], ticks[[0, 2], [10, 17]])
        single = alone.advance([0], ids[2:3, 17], ticks[2:3, 17])
    torch.testing.assert_close(batch[1:], single, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("decoding", [Compiled, Masked])
def test_rows_go_on_as_room_is_made_for_more(transformer: Transformer, decoding: type[Decoder]) -> None:
    ids, ticks = rows(2, 30)
    with torch.inference_mode():
        wide, narrow = decoding(transformer, 2), decoding(transformer, 1)
        for own in (wide, narrow):
            own.prefill(0, ids[0, :17], ticks[0, :17])
        narrow.widen(1)
        for own in (wide, narrow):
            own.prefill(1, ids[1, :9], ticks[1, :9])
        places = ids[[0, 1], [17, 9]], ticks[[0, 1], [17, 9]]
        torch.testing.assert_close(narrow.advance([0, 1], *places), wide.advance([0, 1], *places), atol=0, rtol=0)


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
    logits = np.tile(np.array([0.0, 5.0, 3.0, -2.0], np.float32), (500, 1))
    mask = np.tile(np.array([True, False, True, True]), (500, 1))
    uniform = np.linspace(0, 0.999, 500)
    one = np.ones(500)
    everything = draw(logits, mask, one, one, uniform)
    assert set(everything.tolist()) == {0, 2, 3}
    shares = np.exp([0, 3, -2]) / np.exp([0, 3, -2]).sum()
    assert np.bincount(everything, minlength=4)[[0, 2, 3]] / 500 == pytest.approx(shares, abs=0.01)
    assert set(draw(logits, mask, one, one * 0.9, uniform).tolist()) == {2}
    assert set(draw(logits, mask, one * 0.01, one, uniform).tolist()) == {2}
    mask[-1] = False
    with pytest.raises(ValueError, match="nothing is allowed"):
        draw(logits, mask, one, one, uniform)


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


def test_a_loop_is_compiled_too_where_nothing_can_be_kept_on_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere(function: Any, *, cache: bool = False, **options: Any) -> Any:
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return njit(function, **options)

    njit = numba.njit
    monkeypatch.setattr(numba, "njit", nowhere)

    def doubled(x: float) -> float:
        return 2 * x

    made = compiled(doubled)
    assert isinstance(made, Dispatcher)
    assert made(1.5) == 3.0
