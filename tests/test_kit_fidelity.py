"""Style fidelity: right music reaches the human ceiling, wrong music does not, and the ceiling is of unseen works."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from music import tune
from radio.composer.kit.fidelity import Judge, Labelled, Pair, Table, cross_judged, fidelity, fit, tabulate, tag_swap
from radio.music.score import Bar, Meter

NOTES = 60
STYLES: dict[str, Callable[[int], list[Bar]]] = {
    "air": lambda seed: tune(seed, low=60),
    "march": lambda seed: tune(seed, low=36),
    "waltz": lambda seed: tune(seed, meter=Meter(3, 4), low=36),
}
"""Marches and waltzes lie in one register, airs and marches share a meter."""


def works(first: int, count: int, style: str, *, told: str = "") -> list[Labelled]:
    """Pieces of a style, labelled with the one they were told."""
    return [Labelled(told or style, str(n), STYLES[style](n)) for n in range(first, first + count)]


def table(*parts: Sequence[Labelled]) -> Table:
    return tabulate([piece for part in parts for piece in part], notes=NOTES)


@cache
def train() -> Table:
    return table(*(works(0, 8, style) for style in STYLES))


@cache
def held_out() -> Table:
    return table(*(works(100, 3, style) for style in STYLES))


@cache
def judge() -> Judge:
    return fit(train())


def test_music_as_told_reaches_the_human_ceiling() -> None:
    found = fidelity(judge(), train(), held_out(), table(*(works(200, 5, style) for style in STYLES)))
    assert found.columns == tuple(found.groups) == ("air", "march", "waltz")
    for figures in (*found.groups.values(), found.mean):
        assert figures.ceiling.value > 0.9
        assert figures.held_back is not None
        assert figures.held_back.value > 0.9
        assert figures.fidelity.low <= 1.0 <= figures.fidelity.high + 0.1
    assert np.diag(found.generated).min() > 0.9


def test_music_of_another_style_is_found_out_and_named() -> None:
    composed = table(works(200, 4, "air"), works(200, 4, "waltz", told="march"))
    found = fidelity(judge(), train(), held_out(), composed)
    assert tuple(found.groups) == ("air", "march")
    assert found.groups["march"].fidelity.high < 0.2
    assert found.generated[1, found.columns.index("waltz")] > 0.9
    assert found.mean.fidelity.value == pytest.approx(0.5, abs=0.1)
    assert found.generated.sum(axis=1) == pytest.approx(1)
    assert found.human.shape == (3, 3)


def test_every_piece_counts_alike_however_long() -> None:
    long = Labelled("march", "long", [bar for n in range(9) for bar in STYLES["waltz"](n)])
    found = fidelity(judge(), train(), held_out(), table(works(200, 3, "march"), [long]))
    assert found.groups["march"].generated.value == pytest.approx(0.75, abs=0.03)


def test_the_interval_narrows_with_more_pieces() -> None:
    def width(count: int) -> float:
        composed = table(works(200, count, "march"), works(300, count, "waltz", told="march"))
        found = fidelity(judge(), train(), held_out(), composed).mean.fidelity
        assert found.low < found.value < found.high
        return found.high - found.low

    assert width(12) < 0.7 * width(3)


def test_the_ceiling_is_of_works_the_judge_was_not_fitted_on() -> None:
    """Two labels on one kind of music: learnt by heart, they are told apart; on other works they are not."""
    labels = [Labelled(("heads", "tails")[n % 2], str(n), tune(n, 8)) for n in range(24)]
    mixed = table(labels)
    assert (fit(mixed).model.predict(mixed.rows) == mixed.styles).mean() > 0.9
    assert 0.25 < (cross_judged(mixed) == mixed.styles).mean() < 0.75


def test_a_ceiling_below_chance_counts_as_chance() -> None:
    labels = [Labelled(("heads", "tails")[n % 2], str(n), tune(n)) for n in range(10)]
    mixed = table(labels)
    swapped = replace(mixed, styles=np.array([{"heads": "tails", "tails": "heads"}[s] for s in mixed.styles.tolist()]))
    found = fidelity(fit(mixed), swapped, swapped, mixed)
    assert found.mean.fidelity.high <= 2.0


def test_one_work_kept_back_gives_no_interval() -> None:
    few = table(works(100, 1, "air"), works(100, 3, "march"))
    found = fidelity(judge(), train(), few, table(works(200, 2, "air"), works(200, 2, "march")))
    assert found.groups["air"].held_back is None
    assert found.groups["march"].held_back is not None
    assert found.mean.held_back == found.groups["march"].held_back


def test_figures_are_the_same_under_one_seed() -> None:
    composed = table(works(200, 3, "march"), works(200, 3, "waltz", told="march"))
    one, same, other = (fidelity(judge(), train(), held_out(), composed, seed=seed) for seed in (1, 1, 2))
    assert one.groups == same.groups
    assert one.mean == same.mean
    assert one.mean.generated.value == other.mean.generated.value


def test_windows_are_limited_by_style_and_taken_from_every_work() -> None:
    pieces = [*works(0, 6, "air"), Labelled("air", "long", tune(9, 96)), *works(0, 2, "march")]
    limited = tabulate(pieces, notes=NOTES, limit=10)
    assert (limited.styles == "air").sum() == 10
    assert len(set(limited.works[limited.styles == "air"])) == 7
    assert set(limited.works) >= {"air/0", "march/0"}


@pytest.mark.parametrize(
    ("action", "said"),
    [
        (lambda: tabulate([]), "got no pieces"),
        (lambda: fit(table(works(0, 5, "air"))), "got the style air, wanted two styles"),
        (lambda: cross_judged(table(works(0, 5, "air"), works(0, 4, "march"))), "march: got 4 works, wanted 5"),
        (lambda: fidelity(judge(), train(), held_out(), table(works(9, 2, "air", told="polka"))), "'polka', wanted"),
        (lambda: fidelity(judge(), train(), held_out(), table(works(9, 1, "air"))), "air: got 1 composed piece"),
        (lambda: tag_swap(judge(), [Pair("polka", tune(1), tune(2))] * 2), "'polka', wanted"),
        (lambda: tag_swap(judge(), [Pair("air", tune(1), tune(2))]), "wanted 2 or more"),
    ],
)
def test_what_cannot_be_judged_is_refused(action: Callable[[], object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        action()


# --- the tag swap ---


def pairs(right: str, other: str) -> list[Pair]:
    """Six pairs told "march" and another style, and what was composed for both."""
    return [Pair("march", STYLES[right](n), STYLES[other](n + 50)) for n in range(300, 306)]


def test_a_tag_that_is_heard_makes_its_style_likelier() -> None:
    heard = tag_swap(judge(), pairs("march", "waltz"))
    assert heard.low > 0.5
    assert heard.high <= 1.0


def test_a_tag_that_is_not_heard_changes_nothing() -> None:
    assert tag_swap(judge(), [replace(p, other=p.right) for p in pairs("march", "march")]).high == 0
    assert abs(tag_swap(judge(), pairs("march", "march")).value) < 0.2


def test_a_tag_that_makes_the_other_style_counts_against() -> None:
    assert tag_swap(judge(), pairs("waltz", "march")).high < -0.5


def test_an_excerpt_is_judged_by_all_of_its_windows() -> None:
    half = [*STYLES["march"](400), *STYLES["waltz"](401)]
    found = judge().probabilities(half)
    assert found.sum() == pytest.approx(1)
    assert min(found[judge().styles.index("march")], found[judge().styles.index("waltz")]) > 0.3
