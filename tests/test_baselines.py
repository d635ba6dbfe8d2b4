from __future__ import annotations

import functools
import itertools
import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import models
import music
from benchmarks.baselines import __main__ as command
from benchmarks.baselines import attention, flat, lstm, ours, registry
from benchmarks.baselines.attention import MEMORY, STRETCH, Attention, stretched
from benchmarks.baselines.baseline import FIELDS, PRIME, Baseline, ordered
from benchmarks.baselines.biaxial import BiaxialRolls, Climb, told
from benchmarks.baselines.chains import chains
from benchmarks.baselines.counts import Table, hashed, keys_of
from benchmarks.baselines.flat import OFFSETS, FlatTokens
from benchmarks.baselines.lstm import Lstm
from benchmarks.baselines.markov import Markov, distribution
from benchmarks.baselines.measure import measured, rolls, whole
from benchmarks.baselines.network import Network
from benchmarks.baselines.ours import Ours
from benchmarks.baselines.roll import CELL, KEYS, fits, quantised, rolled, unrolled
from radio.composer import sections
from radio.composer.corpus import Corpus
from radio.composer.evaluate import bits_per_note
from radio.composer.model import ModelConfig
from radio.errors import MissingError
from radio.music import tokens
from radio.music.score import DRUMS, Bar, Note, Prefix

N = TypeVar("N", bound=Network[Any])
STEPS = 25
"""Updates of a training in these tests."""


def quick(made: N, rate: float = 0.01) -> N:
    """Warms up in three steps; each step takes a second by its clock, so that a budget is a number of steps."""
    made.settings = replace(made.settings, rate=rate, warmup=3)
    seconds = itertools.count()
    made.clock = lambda: next(seconds)
    return made


NARROW = ModelConfig(width=32, layers=2, heads=2, head_width=32, context=100, intervals=False)
TINY: dict[str, Callable[[], Baseline]] = {
    "markov": lambda: Markov(shard=1000),
    "lstm": lambda: quick(Lstm(NARROW, batch=4)),
    "attention": lambda: quick(Attention(NARROW, units=24, batch=4)),
    "biaxial": lambda: quick(BiaxialRolls(16, (12, 8), segment=32), rate=0.05),
    "flat": lambda: quick(FlatTokens(replace(NARROW, context=300), batch=4)),
}
NETWORKS = [name for name in TINY if name != "markov"]
IN_POSITIONS = [name for name in TINY if name != "biaxial"]


@functools.lru_cache
def corpus() -> Corpus:
    """The small corpus of tunes."""
    return Corpus.load(models.data())


@functools.lru_cache
def folder(name: str) -> Path:
    """Where a small baseline was trained, in a folder of all."""
    out = models.data().parent / "baselines" / name
    with torch.inference_mode(False):  # whichever test asks first
        TINY[name]().train(corpus(), STEPS / 60, 1, out)
    return out


def trained(name: str) -> Baseline:
    """A small baseline, trained a little."""
    made = TINY[name]()
    made.load(folder(name))
    return made


def total(made: Baseline) -> float:
    """Bits of one validation piece."""
    entry = corpus().split(validation=True)[0]
    return sum(made.bits(entry.prefix(), corpus().of(entry)).values())


def slot_bits(made: Baseline, positions: tokens.Positions) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Bits of each slot of each position, without a prefix."""
    if isinstance(made, Attention):
        return made.slot_bits(positions)
    if isinstance(made, Lstm):
        return ours.slot_bits(made.model, Prefix(), positions)
    assert isinstance(made, FlatTokens | Markov)
    return made.slot_bits(Prefix(), positions)


def piece() -> tokens.Positions:
    """A piece of some two hundred positions: longer than the windows of the small models."""
    entry = max(corpus().entries, key=lambda e: e.count)
    return corpus().of(entry)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_trained_a_little_finds_a_piece_cheaper(name: str) -> None:
    torch.manual_seed(0)
    # The biaxial network knows from the start how seldom keys sound.
    assert total(trained(name)) < (0.93 if name == "biaxial" else 0.75) * total(TINY[name]())


@pytest.mark.parametrize("name", NETWORKS)
def test_training_goes_on_from_its_checkpoint(name: str, tmp_path: Path) -> None:
    first = TINY[name]().train(corpus(), 4 / 60, 1, tmp_path)
    steps: list[int] = []
    again = TINY[name]()
    done = again.train(corpus(), 6 / 60, 1, tmp_path, resume=True, report=lambda progress: steps.append(progress.step))
    assert (first.step, steps, done.step) == (4, [5, 6], 6)
    assert done.positions > first.positions
    loaded = TINY[name]()
    loaded.load(tmp_path)
    assert total(loaded) == pytest.approx(total(again), rel=1e-6)
    assert TINY[name]().train(corpus(), 2 / 60, 1, tmp_path).step == 2


@pytest.mark.parametrize("name", NETWORKS)
def test_the_same_seed_trains_the_same_network(name: str, tmp_path: Path) -> None:
    both = [TINY[name]() for _ in range(2)]
    for made, part in zip(both, "ab", strict=True):
        made.train(corpus(), 3 / 60, 7, tmp_path / part)
    assert total(both[0]) == pytest.approx(total(both[1]), rel=1e-6)


def test_counting_goes_on_where_it_stopped_and_comes_to_the_same(tmp_path: Path) -> None:
    once = Markov(shard=800)
    whole_run = once.train(corpus(), 1, 1, tmp_path / "once")
    Markov(shard=800).train(corpus(), 0, 1, tmp_path / "twice")
    twice = Markov(shard=800)
    second = twice.train(corpus(), 1, 1, tmp_path / "twice", resume=True)
    assert whole_run.step == second.step > 1
    assert total(twice) == total(once) < total(one_shard(tmp_path))


def one_shard(path: Path) -> Markov:
    """A chain that has counted one shard only."""
    made = Markov(shard=800)
    assert made.train(corpus(), 0, 1, path / "short").step == 1
    return made


@settings(deadline=None, max_examples=25)
@given(st.lists(music.bars(), min_size=1, max_size=3), st.sampled_from(["", "bach", "ragtime"]), st.data())
def test_probabilities_of_the_chain_sum_to_one_and_give_the_bits(
    bars: list[Bar], style: str, data: st.DataObject
) -> None:
    made = trained("markov")
    assert isinstance(made, Markov)
    positions = tokens.encode(bars, 120.0)
    number = tokens.STYLES.index(style) if style else len(tokens.STYLES)
    own = [chain for chain in chains(positions, number) if len(chain.rows)]
    chain = data.draw(st.sampled_from(own))
    place = data.draw(st.integers(0, len(chain.rows) - 1))
    ids, shares = distribution(made, chain, place)
    assert shares.sum() == pytest.approx(1, abs=1e-9)
    assert (shares > 0).all()
    bits = made.slot_bits(Prefix(style=style), positions)[chain.rows[place], tokens.RANGES[chain.name].slot]
    assert bits == pytest.approx(-math.log2(shares[ids == chain.ids[place]][0]))


def test_chains_tell_every_slot_of_a_piece_once() -> None:
    positions = piece()
    told_by = np.zeros(positions.shape, dtype=int)
    for chain in chains(positions, 0):
        slot = tokens.RANGES[chain.name].slot
        told_by[chain.rows, slot] += 1
        assert (positions[chain.rows, slot] == chain.ids).all()
        assert all(((chain.ids + shift >= 0) & (chain.ids + shift < 512)).all() for shift in chain.shifts)
    assert (told_by == (positions > 0)).all()


def test_the_chain_knows_a_melody_in_another_key() -> None:
    def melody(low: int) -> tokens.Positions:
        notes = tuple(Note(24 * k, 0, low + step, 24, 64) for k, step in enumerate((0, 4, 7, 12)))
        return tokens.encode([Bar(music.COMMON, 100.0, notes)], 100.0)

    here, there = (next(c for c in chains(melody(low), 0) if c.name == "pitch") for low in (60, 65))
    assert here.contexts[-1][-1] == there.contexts[-1][-1]
    assert here.contexts[2][-1] != there.contexts[2][-1]
    assert (here.ids + here.shifts[-1])[-1] == (there.ids + there.shifts[-1])[-1]


def test_counts_of_parts_add_up_and_unknown_contexts_fall_back() -> None:
    contexts, symbols = hashed([np.array([1, 1, 2, 1])]), np.array([5, 5, 5, 7])
    keys = keys_of(contexts, symbols)
    halves = [Table.of(part) for part in (keys[:2], keys[2:])]
    joined = Table.of(np.concatenate([t.keys for t in halves]), np.concatenate([t.counts for t in halves]))
    together = Table.of(keys)
    assert (joined.keys == together.keys).all()
    assert (joined.before == together.before).all()
    asked = hashed([np.array([1, 1, 1, 3])])
    shares = together.found(asked, np.array([5, 7, 9, 5])).interpolated(np.full(4, 0.1), 1.0)
    assert shares == pytest.approx([(2 + 2 * 0.1) / 5, (1 + 2 * 0.1) / 5, 2 * 0.1 / 5, 0.1])


@pytest.mark.parametrize("name", ["lstm", "attention", "flat"])
def test_an_untrained_network_finds_all_ids_alike_in_just_the_slots_that_are_told(name: str) -> None:
    positions = piece()
    sizes = [int(OFFSETS[-1])] * tokens.SLOTS if name == "flat" else tokens.SIZES
    assert slot_bits(TINY[name](), positions) == pytest.approx((positions > 0) * np.log2(sizes), abs=1e-4)


@pytest.mark.parametrize("name", IN_POSITIONS)
def test_what_comes_later_does_not_change_the_bits_before(name: str) -> None:
    made, positions = trained(name), piece()
    place = next(i for i in range(110, len(positions)) if positions[i, 0] < tokens.BAR)
    other = positions.copy()
    other[place, 2:] = tokens.note_position(Note(0, 0, 100, 384, 1))[2:]
    before, after = slot_bits(made, positions), slot_bits(made, other)
    assert before[:place] == pytest.approx(after[:place], abs=1e-4)
    assert before[place, :2] == pytest.approx(after[place, :2], abs=1e-4)
    assert abs(before[place, 2] - after[place, 2]) > 1e-3
    assert np.abs(before[place + 1 :] - after[place + 1 :]).max() > 1e-3


def test_a_key_of_the_biaxial_network_hears_what_was_and_the_keys_below() -> None:
    made = trained("biaxial")
    assert isinstance(made, BiaxialRolls)
    roll = rolled(quantised(music.tune(3)))
    seen, cells = told(roll)
    time, key = (int(index) for index in np.argwhere(roll.strike)[40])
    roll.play[time, key] = roll.strike[time, key] = False
    changed, other = told(roll)
    with torch.inference_mode():
        before, after = (made.model.losses(s[None], c[None])[0][0] for s, c in ((seen, cells), (changed, other)))
    assert torch.equal(before[:time], after[:time])
    assert torch.equal(before[time, :key], after[time, :key])
    assert not torch.equal(before[time, key + 1 :], after[time, key + 1 :])
    assert not torch.equal(before[time + 1 :], after[time + 1 :])


@pytest.mark.parametrize("name", TINY)
@pytest.mark.parametrize("style", ["bach", "ragtime"])
def test_a_baseline_composes_as_many_valid_bars_as_ordered(name: str, style: str) -> None:
    made = trained(name)
    order = ordered(corpus(), style, 3, seed=5)
    bars = made.compose(order)
    assert [bar.left for bar in bars] == [3, 2, 1]
    assert {bar.meter for bar in bars} == {order.prefix.meter}
    notes = [note for bar in bars for note in bar.notes]
    assert {note.program for note in notes} <= set(order.programs)
    assert all(
        0 <= n.onset < b.meter.ticks and n.duration >= 1 and 1 <= n.velocity <= 127 for b in bars for n in b.notes
    )
    assert all(list(bar.notes) == sorted(set(bar.notes)) for bar in bars)
    assert tokens.decode(tokens.encode(bars, order.prefix.tempo), order.prefix.tempo)
    assert made.compose(order) == bars
    assert made.compose(replace(order, seed=6)) != bars


def voice(made: Baseline) -> lstm.Voice | attention.Voice | flat.Voice:
    """A piece that is begun without prefix or prime."""
    if isinstance(made, Lstm):
        return lstm.Voice(made.model, tokens.any_prefix())
    if isinstance(made, Attention):
        return attention.Voice(made.model, np.zeros((0, tokens.SLOTS), dtype=np.int32))
    assert isinstance(made, FlatTokens)
    return flat.Voice(made.model, tokens.any_prefix(), made.room)


@pytest.mark.parametrize("name", ["lstm", "attention", "flat"])
@torch.inference_mode()
def test_a_network_composing_hears_what_it_is_measured_with(name: str) -> None:
    made, positions = trained(name), piece()
    own = voice(made)
    found = np.zeros(positions.shape)
    for row, position in enumerate(positions.tolist()):
        for slot in range(tokens.SLOTS if position[0] < tokens.END else 1):
            logits, place = own.scores(position[:slot]), position[slot]
            if isinstance(own, flat.Voice):
                # When flat tokens are measured, they are told from those of the other slots too.
                logits, place = own.model.head_logits(own.out, 0), place + OFFSETS[slot]
            found[row, slot] = -float(torch.log_softmax(logits, dim=-1)[place]) / math.log(2)
        own.hear(tuple(position))
    # A Compiled decoder rounds what it was filled with, and what it keeps.
    assert found == pytest.approx(slot_bits(made, positions), abs=5e-3)


def test_climbing_key_by_key_is_what_the_biaxial_network_was_trained_for() -> None:
    made = trained("biaxial")
    assert isinstance(made, BiaxialRolls)
    rng = np.random.default_rng(1)
    heard = rng.standard_normal((KEYS, 16))
    # Keys are struck freely, so that what lies below makes a difference.
    done, likely = Climb(made.model).climbed(heard, rng.random((KEYS, 2)), boldness=9.0)
    assert 5 < done[:, 0].sum() < KEYS
    below = torch.from_numpy(np.pad(done, ((1, 0), (0, 0)))[:-1].astype(np.float32))
    with torch.inference_mode():
        wanted = torch.sigmoid(made.model.along_keys(torch.from_numpy(heard).float()[None], below[None]))[0]
    assert likely == pytest.approx(wanted.numpy(), abs=1e-5)


def test_stretches_hold_what_came_before_and_are_filled_up() -> None:
    positions = piece()
    first = stretched(positions, 0)
    assert (first[:MEMORY, 0] == tokens.END).all()
    assert (first[MEMORY:] == positions[:STRETCH]).all()
    last = stretched(positions, len(positions) - 3)
    assert (last[:MEMORY] == positions[-3 - MEMORY : -3]).all()
    assert (last[MEMORY : MEMORY + 3] == positions[-3:]).all()
    assert not last[MEMORY + 3 :].any()


def test_an_order_is_primed_with_whole_bars_of_a_training_piece() -> None:
    for seed in range(5):
        order = ordered(corpus(), "bach", 12, seed)
        assert (order.prefix.style, order.prefix.bars) == ("bach", 12)
        assert len(order.prime) >= PRIME
        assert tokens.BAR <= order.prime[0, 0] < tokens.END
        rows = [corpus().of(entry).tolist() for entry in corpus().split(validation=False)]
        assert any(order.prime.tolist() == own[i : i + len(order.prime)] for own in rows for i in range(len(own)))
        assert order.prime[-1, 0] != tokens.END
    with pytest.raises(MissingError, match="polka"):
        ordered(corpus(), "polka", 12, 0)


@settings(deadline=None, max_examples=50)
@given(st.lists(music.bars(programs=(0, DRUMS)), min_size=1, max_size=4))
def test_quantised_bars_and_their_roll_say_the_same(bars: list[Bar]) -> None:
    bars = [replace(bar, meter=music.COMMON, notes=tuple(n for n in bar.notes if n.onset < 96)) for bar in bars]
    snapped = quantised(bars)
    roll = rolled(snapped)
    back = unrolled(roll, music.COMMON, 120.0, 0, 64)
    wanted = [[(n.onset, n.pitch, n.duration) for n in bar.notes] for bar in snapped]
    assert [[(n.onset, n.pitch, n.duration) for n in bar.notes] for bar in back] == wanted
    assert roll.strike.sum() == sum(len(notes) for notes in wanted)
    assert tokens.decode(tokens.encode(snapped, 120.0), 120.0) == snapped
    assert quantised(snapped) == snapped


def test_a_roll_holds_one_program_on_sixteenths() -> None:
    def positions(*notes: Note) -> tokens.Positions:
        return tokens.encode([Bar(music.COMMON, 100.0, notes)], 100.0)

    plain = Note(CELL, 0, 60, 24, 64)
    assert fits(positions(plain))
    assert not fits(positions(replace(plain, onset=8)))
    assert not fits(positions(plain, replace(plain, program=40)))
    assert not fits(positions(replace(plain, program=DRUMS)))


def test_measured_pieces_and_figures_of_our_model_are_those_of_its_evaluation() -> None:
    from radio.composer import weights

    evaluated = bits_per_note(weights.load(models.model()), corpus(), budget=400, seed=3)
    found = measured(Ours(models.model()), list(whole(corpus(), 400, 3)), roll=False, told=lambda: None)
    assert set(found) == set(evaluated)
    for style, own in found.items():
        assert (own.notes, own.pieces, own.works) == (
            evaluated[style].notes,
            evaluated[style].pieces,
            evaluated[style].works,
        )
        assert own.bits["right"] == pytest.approx(evaluated[style].bits["right"], rel=1e-5)
        assert own.bits["none"] == pytest.approx(evaluated[style].bits["none"], rel=1e-5)
        assert sum(own.fields["none"].values()) == pytest.approx(own.bits["none"])


def test_a_rolls_figures_leave_out_program_velocity_and_plan() -> None:
    parts = list(rolls(corpus(), 400, 3))
    done: list[None] = []
    own_model = measured(Ours(models.model()), parts, roll=True, told=lambda: done.append(None))
    biaxial = measured(trained("biaxial"), parts, roll=True, told=lambda: None)
    assert len(done) == len(parts) == 2
    for style, own in own_model.items():
        assert set(own.fields["right"]) == {"onset", "pitch", "duration"}
        assert own.plan["right"] > 0
        assert set(biaxial[style].fields["none"]) == {"play", "articulate"}
        assert biaxial[style].notes == own.notes
        assert 0 < biaxial[style].bits["none"] < 100


def test_commands_train_measure_and_compose(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(registry, "BASELINES", TINY)
    monkeypatch.setattr(command, "BASELINES", TINY)
    shared = ["--data", str(models.data()), "--runs", str(tmp_path / "runs")]
    assert command.main(["measure", "lstm", *shared]) == 1
    assert "nothing trained there" in capsys.readouterr().err
    for name in ("markov", "biaxial"):
        assert command.main(["train", name, *shared, "--minutes", "0.03"]) == 0
        figures = tmp_path / "out" / "figures.json"
        words = ["measure", name, *shared, "--model", str(models.model()), "-o", str(figures), "--budget", "200"]
        assert command.main(words) == 0
        music = tmp_path / "music"
        words = ["compose", name, *shared, "--bars", "4", "--pieces", "2", "--style", "bach", "-o", str(music)]
        assert command.main(words) == 0
        written = sorted((music / name / "bach").iterdir())
        assert [path.read_bytes()[:4] for path in written] == [b"MThd"] * 2
        before = [path.stat().st_mtime_ns for path in written]
        assert command.main([*words, "--model", str(models.model())]) == 0
        assert [path.stat().st_mtime_ns for path in written] == before
    words = ["compare", "none", *shared, "--music", str(music), "--figures", str(figures)]
    table = tmp_path / "out" / "baselines.json"
    assert command.main([*words, "-o", str(table)]) == 0
    compared = json.loads(table.read_text())
    assert set(compared["music"]) == {"markov", "biaxial", "ours"}
    assert compared["music"]["ours"]["groups"]["bach"]["pieces"] == 2
    assert "| bach |" in sections.baselines(compared)
    found = json.loads(figures.read_text())
    assert set(found) == {"markov", "biaxial", "ours"}
    assert set(found["biaxial"]) == {"roll"}
    assert set(found["markov"]["whole"]["styles"]["bach"]["fields"]["right"]) == set(FIELDS)
    assert set(found["markov"]["whole"]["mean"]) == {"right", "none"}


def test_our_model_is_trained_on_the_same_clock_and_can_be_measured_and_compose(tmp_path: Path) -> None:
    done = ours.train(corpus(), 2 / 60, 1, tmp_path, shape=NARROW, fuse=False)
    assert 2 <= done.seconds < 6
    again = ours.train(corpus(), (done.seconds + 1) / 60, 1, tmp_path, resume=True, shape=NARROW, fuse=False)
    assert again.step > done.step
    assert math.isfinite(sum(Ours(tmp_path).bits(Prefix(), piece()).values()))


def test_registered_baselines_are_the_five_and_what_is_not_trained_is_named(tmp_path: Path) -> None:
    assert list(registry.BASELINES) == list(TINY)
    for name in ("markov", "biaxial"):
        with pytest.raises(MissingError, match="train it"):
            registry.trained(name, tmp_path)
