"""Distribution: real music lies as near as real music, changed music is caught, and intervals hold what they should."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from music import COMMON, tune
from radio.composer.kit.bootstrap import evenly, half, interval, replicates
from radio.composer.kit.distribution import (
    Against,
    Overlap,
    Space,
    Windows,
    against,
    discrepancy,
    frechet,
    measure,
    named_features,
    overlap,
    told_apart,
)
from radio.music.score import DRUMS, Bar, Note

MAJOR = (0, 2, 4, 5, 7, 9, 11)
RHYTHMS = ((24,), (12, 12), (18, 6), (8, 8, 8), (6, 6, 12))


def walk(seed: int, count: int = 40) -> list[Bar]:
    """A stepwise melody over a bass, in a key, a register and with a favourite rhythm of its own."""
    rng = random.Random(seed)
    tonic, degree, weights = rng.randrange(60, 72), 0, [rng.uniform(0.5, 2) for _ in RHYTHMS]
    loud = rng.randrange(50, 90)
    bars = []
    for _ in range(count):
        notes = [Note(0, 0, tonic - 24 + rng.choice((0, 5, 7)), 96, loud)]
        onset = 0
        while onset < COMMON.ticks:
            for length in rng.choices(RHYTHMS, weights)[0]:
                degree = max(-5, min(9, degree + rng.choice((-1, -1, 0, 1, 1))))
                pitch = tonic + 12 * (degree // 7) + MAJOR[degree % 7]
                notes.append(Note(onset, 0, pitch, length, loud + rng.randrange(10)))
                onset += length
        bars.append(Bar(COMMON, 100.0, tuple(sorted(notes))))
    return bars


def each_note(bars: list[Bar], change: Callable[[Note], Note]) -> list[Bar]:
    return [replace(bar, notes=tuple(sorted({change(note) for note in bar.notes}))) for bar in bars]


def same(bars: list[Bar], rng: random.Random) -> list[Bar]:
    return bars


def shuffled(bars: list[Bar], rng: random.Random) -> list[Bar]:
    return rng.sample(bars, len(bars))


def tritone_quantised(bars: list[Bar], rng: random.Random) -> list[Bar]:
    return each_note(
        bars,
        lambda n: replace(n, pitch=n.pitch + 6, onset=n.onset // 12 * 12, duration=max(12, n.duration // 12 * 12)),
    )


def random_pitches(bars: list[Bar], rng: random.Random) -> list[Bar]:
    return each_note(bars, lambda n: replace(n, pitch=rng.randrange(n.pitch - 2, n.pitch + 3)))


def music(first: int, change: Callable[[list[Bar], random.Random], list[Bar]] = same, works: int = 20) -> Windows:
    rng = random.Random(first)
    pieces = [change(walk(seed), rng) for seed in range(first, first + works)]
    return measure(pieces, [str(seed) for seed in range(first, first + works)], notes=130)


@cache
def compared(change: Callable[[list[Bar], random.Random], list[Bar]]) -> Against:
    return against(music(2000, change), music(0), music(1000), draws=16)


def noise(works: int, each: int, *, seed: int, moved: float = 0.0, apart: float = 1.0) -> Windows:
    """Windows of noise; those of one work lie `apart` from those of others, and all are moved in one feature."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(works * each, 6)) + np.repeat(rng.normal(size=(works, 6)) * apart, each, axis=0)
    rows[:, 0] += moved
    names = np.repeat([f"{seed}/{work}" for work in range(works)], each)
    return Windows(rows, names, {"first": rows[:, :1], "second": rows[:, 1:2]})


def space_of(side: Windows) -> Space:
    return Space.fit(side.rows, side.rows)


# --- the whole comparison ---


def test_real_music_lies_as_near_as_real_music() -> None:
    found = compared(same)
    assert found.generated.told.raw.low < 0.5 < found.generated.told.raw.high
    assert abs(found.floor.auc.mean - 0.5) < 0.1
    assert found.generated.frechet.mean < found.floor.frechet.mean + 3 * found.floor.frechet.sd
    assert found.ratio.low < 1 < found.ratio.high
    assert found.generated.discrepancy.p > 0.05
    assert min(o.area for o in found.generated.overlaps.values()) > 0.75


@pytest.mark.parametrize("change", [shuffled, tritone_quantised, random_pitches])
def test_changed_music_is_caught(change: Callable[[list[Bar], random.Random], list[Bar]]) -> None:
    found = compared(change)
    assert found.generated.told.auc.low > 0.8
    assert found.generated.told.auc.value > found.floor.auc.mean + 3 * found.floor.auc.sd
    assert found.generated.frechet.mean > found.floor.frechet.mean + 3 * found.floor.frechet.sd
    assert found.ratio.low > 1
    assert found.generated.discrepancy.p < 0.01


def test_what_human_works_reach_hardly_depends_on_the_composed_music() -> None:
    """Only the Fréchet distance does: its axes are of all music compared."""
    real, changed = compared(same), compared(random_pitches)
    assert real.train.told == changed.train.told
    assert real.train.overlaps == changed.train.overlaps
    assert real.train.discrepancy == changed.train.discrepancy
    assert real.floor.auc == changed.floor.auc
    assert real.train.frechet.mean == pytest.approx(changed.train.frechet.mean, rel=0.3)


def test_a_comparison_is_the_same_under_one_seed_and_not_under_another() -> None:
    sides = noise(6, 3, seed=0), noise(6, 3, seed=1), noise(6, 3, seed=2)
    assert against(*sides, draws=4, seed=1) == against(*sides, draws=4, seed=1)
    assert against(*sides, draws=4, seed=1) != against(*sides, draws=4, seed=2)


def test_sides_are_compared_at_the_size_of_the_smallest() -> None:
    found = against(noise(30, 3, seed=0), noise(5, 4, seed=1), noise(40, 2, seed=2), draws=4)
    assert (found.windows, found.works) == (20, (20, 5, 20))


@pytest.mark.parametrize(
    ("generated", "held_out", "train", "said"),
    [
        (noise(2, 20, seed=0), noise(5, 4, seed=1), noise(5, 4, seed=2), "composed: got 2 works"),
        (noise(5, 4, seed=0), noise(2, 20, seed=1), noise(5, 4, seed=2), "kept back: got 2 works"),
        (noise(5, 4, seed=0), noise(5, 4, seed=1), noise(5, 2, seed=2), "5 works of 10 windows"),
        (noise(5, 4, seed=0), noise(5, 4, seed=1), noise(5, 4, seed=1), "both kept back and trained on"),
    ],
)
def test_too_little_or_mixed_up_music_is_refused(
    generated: Windows, held_out: Windows, train: Windows, said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        against(generated, held_out, train)


# --- each distance ---


def test_the_frechet_distance_of_moved_rows_is_the_square_of_the_move() -> None:
    rows = np.random.default_rng(0).normal(size=(50, 4))
    assert frechet(rows, rows) == pytest.approx(0, abs=1e-9)
    assert frechet(rows, rows + np.array([3, 4, 0, 0])) == pytest.approx(25)


def test_the_frechet_distance_of_wider_rows_is_that_of_their_deviations() -> None:
    rows = np.random.default_rng(0).normal(size=(20000, 3))
    assert frechet(rows, rows * 3) == pytest.approx(3 * (3 - 1) ** 2, rel=0.05)


@given(st.integers(0, 2**32 - 1), st.integers(3, 30), st.integers(1, 8))
def test_the_frechet_distance_is_symmetric_and_not_negative(seed: int, count: int, axes: int) -> None:
    rng = np.random.default_rng(seed)
    one, other = rng.normal(size=(count, axes)), rng.exponential(size=(count, axes))
    assert frechet(one, other) == pytest.approx(frechet(other, one), abs=1e-9)
    assert frechet(one, other) > -1e-9


def test_a_feature_that_hardly_varies_is_not_blown_up() -> None:
    rows = np.random.default_rng(0).normal(size=(50, 3)) * [1.0, 1e-6, 0.0]
    moved = rows + np.array([0, 0.01, 0.01])
    assert np.abs(Space.fit(rows, rows).standard(moved)[:, 1:]).max() < 1


def test_what_no_human_does_is_seen() -> None:
    human = np.random.default_rng(0).normal(size=(50, 30)) * ([1.0] * 29 + [0.0])
    strange = human + np.eye(30)[29]
    space = Space.fit(human, np.vstack([human, strange]))
    assert frechet(space.project(human), space.project(strange)) > 100


def test_a_classifier_wrong_more_often_than_right_is_no_evidence() -> None:
    told = told_apart(noise(4, 8, seed=1, apart=3), noise(4, 8, seed=2, apart=3))
    assert told.raw.value < 0.5
    assert told.auc.value == 0.5
    assert told.auc.low == 0.5 <= told.auc.high


def test_windows_of_one_work_are_never_on_both_sides_of_a_fold() -> None:
    """Works far apart from each other, but drawn alike: by window they would be told apart without fail."""
    aucs = [told_apart(noise(10, 8, seed=s, apart=5), noise(10, 8, seed=s + 50, apart=5)).raw.value for s in range(6)]
    assert 0.3 < np.mean(aucs) < 0.65


def test_the_more_music_is_moved_the_better_it_is_told_apart() -> None:
    aucs = [told_apart(noise(30, 2, seed=1, moved=by), noise(30, 2, seed=2)).raw.value for by in (0.0, 1.0, 2.0, 6.0)]
    assert aucs == sorted(aucs)
    assert aucs[-1] > 0.97


def test_too_few_works_to_fold_are_refused() -> None:
    with pytest.raises(ValueError, match="got 2 and 5 works, wanted 3"):
        told_apart(noise(2, 9, seed=1), noise(5, 9, seed=2))


def test_alike_works_are_seldom_called_different_however_alike_their_own_windows_are() -> None:
    space = space_of(noise(40, 5, seed=99, apart=3))
    found = [
        discrepancy(noise(12, 5, seed=s, apart=3), noise(12, 5, seed=s + 100, apart=3), space, permutations=99)
        for s in range(30)
    ]
    assert sum(d.p <= 0.05 for d in found) <= 5
    assert abs(np.mean([d.value for d in found])) < 0.02


def test_moved_music_has_a_discrepancy_that_permuted_works_have_not() -> None:
    space = space_of(noise(40, 5, seed=99))
    found = discrepancy(noise(15, 4, seed=1, moved=3), noise(15, 4, seed=2), space)
    assert found.p < 0.01
    assert found.value > 0.05


def test_only_the_feature_that_was_changed_loses_overlap() -> None:
    human, other = noise(60, 1, seed=1), noise(60, 1, seed=2, moved=4)
    found = overlap(human, other)
    assert found["first"].area < 0.6 < 0.9 < found["second"].area
    assert found["first"].kl > 5 * found["second"].kl


def test_two_windows_of_one_work_say_nothing_of_how_human_works_differ() -> None:
    human, other = noise(40, 1, seed=1), noise(40, 1, seed=2)
    twice = human.take(np.repeat(np.arange(40), 2))
    assert overlap(twice, other)["second"].area == pytest.approx(overlap(human, other)["second"].area, abs=0.03)


def test_a_feature_that_never_varies_overlaps_wholly() -> None:
    flat = Windows(np.zeros((4, 1)), np.array(list("abcd")), {"flat": np.ones((4, 1))})
    assert overlap(flat, flat) == {"flat": Overlap(1.0, 0.0)}


def test_distances_that_are_all_alike_overlap_wholly() -> None:
    corners = Windows(np.eye(3), np.array(list("abc")), {"corner": np.eye(4)[:3]})
    other = replace(corners, named={"corner": np.eye(4)[3:]})
    assert overlap(corners, other)["corner"].area == pytest.approx(1)
    assert overlap(corners, other)["corner"].kl == pytest.approx(0)


# --- windows and named features ---


def test_named_features_of_a_bar_are_those_one_counts() -> None:
    notes = (
        Note(0, 0, 48, 48, 60),
        Note(0, 0, 60, 24, 80),
        Note(24, 0, 64, 24, 80),
        Note(48, 0, 55, 48, 100),
        Note(0, DRUMS, 36, 6, 127),
    )
    found = named_features([Bar(COMMON, 90.0, tuple(sorted(notes))), Bar(COMMON, 90.0, ())])
    numbers = {name: values[0] for name, values in found.items() if len(values) == 1}
    assert numbers == {
        "pitch count": 4,
        "pitch-class count": 3,
        "pitch range": 16,
        "mean pitch interval": 6.5,
        "notes a bar": 2,
        "mean IOI": 1,
        "mean velocity": 80,
    }
    assert found["pitch-class histogram"][[0, 4, 7]].tolist() == [0.5, 0.25, 0.25]
    assert found["duration histogram"].max() == 0.5
    assert len(found) == 9


def test_named_features_of_drums_alone_are_zero() -> None:
    found = named_features([Bar(COMMON, 90.0, (Note(0, DRUMS, 36, 6, 127),))])
    assert not any(values.any() for values in found.values())


def test_windows_are_taken_evenly_from_works() -> None:
    pieces = [walk(0, 60), walk(1, 12), walk(2, 12), walk(3, 12)]
    taken = measure(pieces, ["long", "a", "b", "c"], notes=60, limit=6)
    assert len(taken) == 6
    assert sorted(np.unique(taken.works, return_counts=True)[1].tolist()) == [1, 1, 2, 2]
    with pytest.raises(ValueError, match="a work for each"):
        measure(pieces, ["a"])


def test_a_tune_is_measured_with_and_without_timbre() -> None:
    assert measure([tune(1)], ["x"], timbre=True).rows.shape[1] > measure([tune(1)], ["x"]).rows.shape[1]


# --- draws of works ---


def test_intervals_hold_the_true_mean_about_as_often_as_they_say() -> None:
    rng = np.random.default_rng(0)
    held = 0
    for trial in range(200):
        found = interval(lambda v: sum(v) / len(v), rng.exponential(size=40).tolist(), draws=200, seed=trial)
        held += found.low <= 1.0 <= found.high
    assert 0.88 <= held / 200 <= 0.99


def test_an_interval_over_works_is_wider_than_one_over_their_windows() -> None:
    works = [[value] * 10 for value in np.random.default_rng(1).normal(size=20).tolist()]
    by_work = interval(lambda groups: float(np.mean([x for g in groups for x in g])), works, draws=300)
    by_window = interval(lambda xs: float(np.mean(xs)), [x for g in works for x in g], draws=300)
    assert by_work.value == pytest.approx(by_window.value)
    assert by_work.high - by_work.low > 2 * (by_window.high - by_window.low)


def test_every_stratum_keeps_its_number_of_groups() -> None:
    drawn = replicates(lambda v: float(sum(v)), [1, 1, 1, 100, 100], strata=list("aaabb"), draws=50)
    assert set(drawn.tolist()) == {203.0}


def test_an_interval_reads_as_a_figure_and_its_range() -> None:
    assert str(interval(lambda v: max(v) / 8, [7, 7, 7])) == "0.88 [0.88, 0.88]"


def test_what_cannot_be_drawn_or_is_no_number_is_refused() -> None:
    with pytest.raises(ValueError, match="got 1 works or pieces"):
        interval(lambda v: float(sum(v)), [1])
    with pytest.raises(ValueError, match="got 1 works or pieces"):
        interval(lambda v: float(sum(v)), [1, 2, 3], strata=list("aab"))
    with pytest.raises(ValueError, match="a stratum for each"):
        interval(lambda v: float(sum(v)), [1, 2, 3], strata=["a"])
    with pytest.raises(ValueError, match="not a finite number"):
        interval(lambda v: float("nan"), [1, 2])


@given(st.lists(st.integers(1, 6), min_size=2, max_size=12), st.integers(0, 1000), st.data())
def test_half_samples_come_from_half_of_the_works_and_have_their_size(
    sizes: list[int], seed: int, data: st.DataObject
) -> None:
    works = np.repeat([f"w{n}" for n in range(len(sizes))], sizes)
    size = data.draw(st.integers(1, len(works)))
    taken = half(works, size, np.random.default_rng(seed))
    assert len(set(taken.tolist())) == len(taken) == size
    assert len(set(works[taken])) >= min(size, (len(sizes) + 1) // 2)


@given(st.lists(st.sampled_from("abcd"), min_size=1, max_size=30), st.integers(1, 40))
def test_no_work_gives_two_windows_more_than_one_that_has_some_left(works: list[str], limit: int) -> None:
    taken = evenly(works, limit, np.random.default_rng(0)).tolist()
    assert len(taken) == min(limit, len(works))
    given_ = {work: sum(works[index] == work for index in taken) for work in works}
    for work, count in given_.items():
        assert count == works.count(work) or count >= max(given_.values()) - 1
