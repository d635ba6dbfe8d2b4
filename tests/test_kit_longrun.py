"""The kit's long runs: drift, collapse and quotation are caught; music that goes on as it began passes."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from music import COMMON, bars, tune
from radio.composer.kit import collapse
from radio.composer.kit import longrun as kit
from radio.music.score import DRUMS, Bar, Note

LIMITS = collapse.Limits(density=(1.0, 8.0), entropy=(1.0, 3.5))


@lru_cache
def piece(seed: int, count: int = 32) -> tuple[Bar, ...]:
    """A tune whose last bar is known to be the last."""
    made = tune(seed, count)
    return tuple(replace(bar, left=count - index) for index, bar in enumerate(made))


@lru_cache
def run(count: int = 100, seed: int = 0) -> tuple[tuple[Bar, ...], ...]:
    """Two hours and more of different tunes of one kind: 77 seconds each."""
    return tuple(piece(seed + number) for number in range(count))


def joined(pieces: Sequence[Sequence[Bar]]) -> list[Bar]:
    return [bar for one in pieces for bar in one]


def denser(music: Sequence[Bar], share: float, rng: random.Random) -> list[Bar]:
    """Each note of the tune struck again half-way, with a probability of `share`."""
    return [
        replace(
            bar,
            notes=tuple(
                sorted({*bar.notes, *(replace(n, onset=n.onset + 6) for n in bar.notes if rng.random() < share)})
            ),
        )
        for bar in music
    ]


def drifted(found: Sequence[kit.Drift]) -> set[str]:
    return {one.feature for one in found if one.drifted}


def kinds(music: Sequence[Bar], limits: collapse.Limits = LIMITS) -> list[str]:
    return [event.kind for event in collapse.collapses(music, limits)]


def test_the_features_of_four_bars_are_what_they_are_called() -> None:
    beat = tuple(Note(24 * i, DRUMS, 36, 6, 100) for i in range(4))
    chords = [Bar(COMMON, 100.0, tuple(sorted((*(Note(0, 0, p, 48, 60) for p in (60, 64, 67)), *beat))))] * 4
    table = kit.features([*chords, Bar(COMMON, 100.0, ())])
    assert table.shape == (2, 12)
    first = dict(zip(kit.FEATURES, table[0], strict=True))
    assert first["density"] == 7 / 4
    assert first["pitch"] == pytest.approx((60 + 64 + 67) / 3)
    assert (first["range"], first["polyphony"], first["duration"]) == (7, 3, 2)
    assert first["entropy"] == pytest.approx(math.log2(3))
    assert first["rest"] == pytest.approx(36 / 96)
    assert first["velocity"] == pytest.approx((3 * 60 + 4 * 100) / 7)
    assert first["spread"] == pytest.approx(np.std([60] * 3 + [100] * 4))
    assert (first["recurrence"], first["loop"]) == (0.5, 0.75)
    empty = dict(zip(kit.FEATURES, table[1], strict=True))
    assert (empty["density"], empty["rest"], empty["loop"]) == (0, 1, 0)
    assert math.isnan(empty["pitch"])


@settings(max_examples=25, deadline=None)
@given(st.lists(bars(), min_size=1, max_size=10))
def test_any_music_has_features(music: list[Bar]) -> None:
    table = kit.features(music)
    assert table.shape == (-(-len(music) // 4), 12)
    assert np.isfinite(table[:, [0, 6, 9, 10]]).all()
    assert ((table[:, 6] >= 0) & (table[:, 6] <= 1)).all()


def test_music_that_goes_on_as_it_began_does_not_drift() -> None:
    assert [drifted(kit.drift(run(50, seed), draws=499)) for seed in (0, 1000)] == [set()] * 2


def test_density_that_doubles_slowly_from_half_way_is_caught() -> None:
    rng = random.Random(1)
    music = [denser(one, max(0.0, number / 50 - 1), rng) for number, one in enumerate(run())]
    found = {one.feature: one for one in kit.drift(music, draws=499)}
    assert found["density"].drifted
    assert found["density"].low > 0
    assert found["density"].distances[-1] > 0.9
    # What came before the drift is not blamed for it.
    assert min(found["density"].p[:5]) > 0.05
    assert found["density"].trend < 0.03
    assert not found["pitch"].drifted
    assert found["pitch"].low < 0 < found["pitch"].high


def test_the_slope_is_told_in_units_an_hour() -> None:
    pieces = run(100)
    hours = sum(bar.seconds for bar in joined(pieces)) / 3600
    rising = [
        [
            replace(b, notes=tuple(replace(n, velocity=round(n.velocity / 2) + number // 4) for n in b.notes))
            for b in one
        ]
        for number, one in enumerate(pieces)
    ]
    found = next(one for one in kit.drift(rising, draws=199) if one.feature == "velocity")
    assert found.low < 25 / hours < found.high
    assert found.high - found.low < 5


def test_a_piece_without_end_is_judged_by_its_stretches() -> None:
    endless = joined(run(60))
    fading = [replace(bar, notes=bar.notes[: 1 + int(8 * (1 - i / len(endless)))]) for i, bar in enumerate(endless)]
    assert "density" in drifted(kit.drift([fading], draws=499))
    assert drifted(kit.drift([endless], draws=499)) == set()


def test_drift_is_the_same_each_time_it_is_asked() -> None:
    assert kit.drift(run(40), draws=49, seed=3) == kit.drift(run(40), draws=49, seed=3)


def test_drums_alone_do_not_drift_in_pitch() -> None:
    music = [[replace(b, notes=tuple(replace(n, program=DRUMS) for n in b.notes)) for b in one] for one in run(40)]
    found = {one.feature: one for one in kit.drift(music, draws=49)}
    assert set(found["pitch"].distances) == {0.0}
    assert found["pitch"].slope == 0.0
    assert max(found["velocity"].distances) > 0.0


def test_too_short_a_run_is_refused() -> None:
    with pytest.raises(ValueError, match="less than 35 minutes"):
        kit.drift(run(10))


def test_the_limits_of_human_music_let_other_music_of_its_kind_pass() -> None:
    limits = collapse.limits(run(60))
    assert 2.0 < limits.density[0] <= limits.density[1] < 3.0
    assert (limits.loop, limits.silence, limits.held, limits.dynamics) == (8, 4.0, 16.0, True)
    assert kinds(joined(run(60, 500)), limits) == []


def test_limits_widen_where_the_groups_own_music_loops_rests_and_holds() -> None:
    one = piece(1)
    silent = Bar(COMMON, 100.0, ())
    hold = Bar(COMMON, 100.0, (Note(0, 0, 36, 20 * 96, 60), Note(0, 0, 60, 96, 60), Note(48, 0, 64, 48, 60)))
    odd = [hold, *[one[0]] * 20, silent, silent, silent, *(replace(b, notes=b.notes[1:]) for b in one)]
    limits = collapse.limits([odd])
    assert limits.loop >= 20
    assert limits.held == 80.0
    assert collapse.limits([[*one[:8], silent, silent, silent, *one[8:]]]).silence == pytest.approx(7.2)


def test_a_group_of_flat_pieces_has_no_dynamics() -> None:
    flat = [replace(b, notes=tuple(replace(n, velocity=64) for n in b.notes)) for b in piece(1)]
    assert not collapse.limits([flat]).dynamics
    assert not collapse.limits([flat, piece(2)]).dynamics


def test_a_group_whose_pieces_are_flat_for_long_has_no_dynamics() -> None:
    long = joined(run(8))
    flat = [replace(b, notes=tuple(replace(n, velocity=64) for n in b.notes)) for b in long[: collapse.FLAT[1]]]
    assert collapse.limits([long]).dynamics
    assert not collapse.limits([[*long, *flat]]).dynamics


def test_limits_go_through_json() -> None:
    limits = collapse.limits(run(5))
    assert collapse.Limits.from_dict(json.loads(json.dumps(limits.to_dict()))) == limits


@pytest.mark.parametrize(
    "change", [{"loop": "eight"}, {"density": 3}, {"density": [1, 2, 3]}, {"colour": 1}], ids=lambda c: next(iter(c))
)
def test_damaged_limits_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="wanted"):
        collapse.Limits.from_dict({**LIMITS.to_dict(), **change})


def test_limits_of_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="wanted human pieces"):
        collapse.limits([[Bar(COMMON, 100.0, ())]])


def test_healthy_music_does_not_collapse() -> None:
    assert collapse.collapses(joined(run(20)), LIMITS) == []
    assert collapse.collapses([], LIMITS) == []


@pytest.mark.parametrize("period", [1, 2, 4])
def test_a_loop_is_caught_where_it_begins(period: int) -> None:
    music = [*piece(1), *piece(2)[:period] * (12 // period), *piece(3)[:16]]
    found = collapse.collapses(music, LIMITS)
    assert [(event.bar, event.kind) for event in found] == [(32, "loop")]
    assert found[0].seconds == pytest.approx(32 * 2.4)
    assert "12 bars" in found[0].reason


def test_a_figure_may_go_round_as_long_as_the_limits_say() -> None:
    music = [*piece(1), *piece(2)[:1] * 12]
    assert kinds(music, replace(LIMITS, loop=12)) == []


def test_silence_is_caught_within_a_piece() -> None:
    silent = Bar(COMMON, 100.0, ())
    found = collapse.collapses([*piece(1)[:9], silent, silent, *piece(1)[9:]], LIMITS)
    assert [(event.bar, event.kind, event.reason[:5]) for event in found] == [(9, "silence", "4.8 s")]
    assert kinds([*piece(1)[:9], silent, *piece(1)[9:]]) == []


def test_silence_at_a_pieces_end_is_none_but_music_that_never_comes_back_is() -> None:
    silent = Bar(COMMON, 30.0, ())
    assert kinds([*piece(1)[:9], replace(silent, left=1), *piece(2)]) == []
    assert kinds([*piece(1)[:9], silent, silent]) == ["silence"]
    assert kinds([*piece(1)[:9], replace(silent, left=2), replace(silent, left=1)]) == ["silence"]


def test_a_note_that_sounds_on_is_not_silence_but_is_held() -> None:
    silent = Bar(COMMON, 100.0, ())
    held = replace(silent, notes=(Note(0, 0, 60, 6 * 96, 64),))
    music = [*piece(1)[:9], held, *[silent] * 5, *piece(2)]
    assert [(event.bar, event.kind) for event in collapse.collapses(music, LIMITS)] == [(9, "held")]


def test_notes_of_sixteen_beats_may_be_held() -> None:
    held = Bar(COMMON, 100.0, (*piece(1)[0].notes[1:], Note(0, 0, 36, 4 * 96, 64)))
    assert kinds([held, *piece(1)]) == []


def thickened(bar: Bar) -> Bar:
    """Each note with three more above it."""
    return replace(bar, notes=tuple(sorted({replace(n, pitch=n.pitch + up) for n in bar.notes for up in range(4)})))


@pytest.mark.parametrize("thick", [False, True], ids=["thin", "thick"])
def test_density_outside_the_limits_is_caught(thick: bool) -> None:
    odd = [thickened(bar) if thick else replace(bar, notes=bar.notes[:1]) for bar in piece(2)]
    found = [event for event in collapse.collapses([*piece(1), *odd, *piece(3)], LIMITS) if event.kind == "density"]
    assert len(found) == 1
    assert 29 <= found[0].bar <= 32


def test_one_note_repeated_has_too_little_entropy() -> None:
    dull = [replace(b, notes=tuple(sorted({replace(n, pitch=60) for n in b.notes}))) for b in piece(4)]
    assert "entropy" in kinds([*piece(1), *dull])


def test_what_lasts_a_dozen_bars_is_borne() -> None:
    thin = [replace(b, notes=b.notes[:1]) for b in piece(2)[:12]]
    assert "density" not in kinds([*piece(1), *thin, *piece(3)])


def test_flat_velocities_are_caught_on_a_channel_with_dynamics_alone() -> None:
    flat = [replace(b, notes=tuple(replace(n, velocity=64) for n in b.notes)) for b in joined(run(3, 40))]
    music = [*piece(1), *flat]
    found = collapse.collapses(music, LIMITS)
    assert [event.kind for event in found] == ["flat"]
    assert 24 <= found[0].bar <= 32
    assert kinds(music, replace(LIMITS, dynamics=False)) == []


def test_a_channel_lives_until_its_first_collapse() -> None:
    silent = Bar(COMMON, 100.0, ())
    hours, ended = collapse.lifetime([piece(1), [silent] * 8, piece(2)], LIMITS)
    assert (hours, ended) == (pytest.approx(32 * 2.4 / 3600), True)
    hours, ended = collapse.lifetime(run(20), LIMITS)
    assert (hours, ended) == (pytest.approx(20 * 32 * 2.4 / 3600), False)


def test_survival_counts_channels_that_were_not_watched_to_the_end() -> None:
    # By hand: 3/4 after one hour; at two one is lost from sight; of the two left one ends at three.
    found = collapse.survival([(1.0, True), (2.0, False), (3.0, True), (4.0, False)])
    assert found.hours == (1.0, 2.0, 3.0, 4.0)
    assert found.share == pytest.approx((0.75, 0.75, 0.375, 0.375))
    assert found.mean == pytest.approx(1.0 + 0.75 * 2 + 0.375)
    assert found.median == 3.0


def test_channels_that_never_collapse_survive() -> None:
    found = collapse.survival([(4.0, False), (4.0, False)])
    assert (found.share, found.mean, found.median) == ((1.0,), 4.0, math.inf)
    with pytest.raises(ValueError, match="no channel"):
        collapse.survival([])


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.floats(0.01, 24), st.booleans()), min_size=1, max_size=12))
def test_survival_only_falls(lifetimes: list[tuple[float, bool]]) -> None:
    found = collapse.survival(lifetimes)
    assert list(found.share) == sorted(found.share, reverse=True)
    assert 0 <= found.mean <= max(hours for hours, _ in lifetimes) + 1e-9
    if all(ended for _, ended in lifetimes):
        assert found.mean == pytest.approx(np.mean([hours for hours, _ in lifetimes]))
