"""Style fidelity: how often a classifier that knows human works takes composed music for the style it was told.

The classifier is fitted on works that the composer was trained on and judges windows of about 400 notes. What human
works reach under it is the ceiling, and style fidelity is the share of the ceiling that composed music reaches.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from radio.composer.kit.bootstrap import Interval, Labels, Values, around, evenly, interval, replicates
from radio.composer.style import WINDOW, classifier, features, windows
from radio.music.score import Bar

Matrix = npt.NDArray[np.float64]

LIMIT = 300
"""Windows of a style that are used, evenly from its works."""
FOLDS = 5


@dataclass(frozen=True, slots=True)
class Labelled:
    """A piece, the style it was written in or told, and the work it is of; a composed piece is a work of its own."""

    style: str
    work: str
    bars: Sequence[Bar]
    channel: str = ""
    """The channel that it was composed for, or, of a human work, that it is compared with; "": none."""

    @property
    def group(self) -> str:
        """What it is counted under: its channel, or its style if it has none."""
        return self.channel or self.style


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Windows of labelled pieces."""

    rows: Matrix
    """(n, features), as `style.features` has them."""
    styles: Labels
    """(n,)."""
    works: Labels
    """(n,), the work with its group before it: works of two styles may have one name."""
    groups: Labels
    """(n,)"""
    notes: int = WINDOW
    """About how many notes a window holds."""
    timbre: bool = False
    """Whether programs are among the features."""


def tabulate(
    pieces: Sequence[Labelled], *, limit: int = LIMIT, notes: int = WINDOW, timbre: bool = False, seed: int = 0
) -> Table:
    """Features of the pieces' windows, at most `limit` of each group.

    Raises:
        ValueError: no pieces.
    """
    if not pieces:
        raise ValueError("got no pieces, wanted pieces of two styles or more")
    chosen: list[tuple[Labelled, Sequence[Bar]]] = []
    for number, group in enumerate(sorted({piece.group for piece in pieces})):
        own = [piece for piece in pieces if piece.group == group]
        cut = [(piece, window) for piece in own for window in windows(piece.bars, notes)]
        index = evenly([piece.work for piece, _ in cut], limit, np.random.default_rng((seed, number)))
        chosen += [cut[i] for i in index]
    return Table(
        np.stack([features(window, timbre=timbre) for _, window in chosen]),
        np.array([piece.style for piece, _ in chosen]),
        np.array([f"{piece.group}/{piece.work}" for piece, _ in chosen]),
        np.array([piece.group for piece, _ in chosen]),
        notes,
        timbre,
    )


def judged(pieces: Sequence[Labelled]) -> set[str]:
    """The styles with works enough to be judged in folds."""
    works = {(piece.style, piece.work) for piece in pieces}
    counts = Counter(style for style, _ in works)
    return {style for style, count in counts.items() if count >= FOLDS}


@dataclass(frozen=True, slots=True)
class Judge:
    """A classifier of styles."""

    model: Any
    styles: tuple[str, ...]
    """In the order of the columns of all that it says."""
    notes: int
    timbre: bool

    def probabilities(self, bars: Sequence[Bar]) -> Values:
        """How likely an excerpt is each style, the mean over its windows: (styles,)."""
        rows = np.stack([features(window, timbre=self.timbre) for window in windows(bars, self.notes)])
        return np.asarray(self.model.predict_proba(rows).mean(axis=0))


def fit(train: Table) -> Judge:
    """A judge fitted on all of the table.

    Raises:
        MissingError: scikit-learn is not installed.
        ValueError: fewer than two styles.
    """
    styles = tuple(np.unique(train.styles).tolist())
    if len(styles) < 2:
        raise ValueError(f"got the style {', '.join(styles)}, wanted two styles or more to tell apart")
    return Judge(classifier().fit(train.rows, train.styles), styles, train.notes, train.timbre)


def cross_judged(train: Table) -> Labels:
    """What each window is taken for by a judge fitted on other works of the table, in five folds: (n,).

    Raises:
        ValueError: a style has fewer works than folds.
    """
    from sklearn.model_selection import GroupKFold

    fold = np.zeros(len(train.rows), dtype=int)
    for style in np.unique(train.styles):
        # Folds are made of each style on its own, so that every judge knows every style.
        own = np.flatnonzero(train.styles == style)
        works = len(np.unique(train.works[own]))
        if works < FOLDS:
            raise ValueError(f"{style}: got {works} works, wanted {FOLDS} or more; leave the style out")
        for number, (_, held) in enumerate(GroupKFold(FOLDS).split(own, groups=train.works[own])):
            fold[own[held]] = number
    told = np.empty_like(train.styles)
    for number in range(FOLDS):
        judge = classifier().fit(train.rows[fold != number], train.styles[fold != number])
        told[fold == number] = judge.predict(train.rows[fold == number])
    return told


@dataclass(frozen=True, slots=True)
class Figures:
    """How often music is told right: of each work or piece the share of its windows, and of these the mean."""

    generated: Interval
    """Composed music, A_g."""
    ceiling: Interval
    """Human works in five folds by work, A_h."""
    held_back: Interval | None
    """Human works kept back, by the judge of the composed music; None where there are fewer than two."""
    fidelity: Interval
    """A_g / A_h. A ceiling below chance counts as chance. It may lie above 1: composed music can be more typical."""


@dataclass(frozen=True, slots=True, eq=False)
class Fidelity:
    """Style fidelity of all that was composed."""

    groups: dict[str, Figures]
    """By channel, or by style of music that is of no channel."""
    mean: Figures
    """Of all these groups alike; its fidelity is the mean A_g over the mean A_h."""
    columns: tuple[str, ...]
    """The styles the judge knows, in the order of both axes of `human` and of the columns of `generated`."""
    generated: Matrix
    """(groups, columns): what composed music is taken for; each row adds up to 1."""
    human: Matrix
    """(columns, columns): what human works are taken for in five folds."""


def fidelity(judge: Judge, train: Table, held_out: Table, generated: Table, *, seed: int = 0) -> Fidelity:
    """Style fidelity with bootstrap intervals over works and pieces.

    `judge` was fitted on `train`. `generated` needs two pieces of each group, `train` five works of each style. Styles
    of `held_out` that were not composed are left aside.

    Raises:
        ValueError: too few works or pieces of a style, or a style the judge does not know.
    """
    style_of = dict(zip(generated.groups.tolist(), generated.styles.tolist(), strict=True))
    _known(judge, style_of)
    told = _told(generated, generated.groups, judge.model.predict(generated.rows), judge.styles)
    return compared(judge, style_of, told, train, held_out, seed=seed)


def _known(judge: Judge, style_of: Mapping[str, str]) -> None:
    strange = set(style_of.values()) - set(judge.styles)
    if strange:
        raise ValueError(f"got the style {min(strange)!r}, wanted one of those fitted: {', '.join(judge.styles)}")


def compared(
    judge: Judge, style_of: Mapping[str, str], told: Mapping[str, Matrix], train: Table, held_out: Table, *, seed: int
) -> Fidelity:
    """`fidelity`, where it is known what composed music is taken for.

    Args:
        style_of: the style of each group.
        told: for each group, what share of each piece's windows is taken for each of the judge's styles:
            (pieces, styles).

    Raises:
        ValueError: as `fidelity`.
    """
    _known(judge, style_of)
    ceiling = _told(train, train.styles, cross_judged(train), judge.styles)
    held = _told(held_out, held_out.styles, judge.model.predict(held_out.rows), judge.styles)
    drawn: dict[str, tuple[_Drawn, _Drawn, _Drawn | None]] = {}
    for group, style in sorted(style_of.items()):
        column = judge.styles.index(style)
        sides = ((told, group), (ceiling, style), (held, style))
        own = [found[name][:, column] if name in found else np.zeros(0) for found, name in sides]
        if len(own[0]) < 2:
            raise ValueError(f"{group}: got {len(own[0])} composed piece, wanted two or more")
        first, second = (_Drawn.of(shares, (seed, column, side)) for side, shares in enumerate(own[:2]))
        drawn[group] = first, second, _Drawn.of(own[2], (seed, column, 2)) if len(own[2]) > 1 else None
    chance = 1 / len(judge.styles)
    known = [kept for _, _, kept in drawn.values() if kept]
    all_of = (_Drawn.mean([g for g, _, _ in drawn.values()]), _Drawn.mean([c for _, c, _ in drawn.values()]))
    return Fidelity(
        {group: _figures(*of_group, chance) for group, of_group in drawn.items()},
        _figures(*all_of, _Drawn.mean(known) if known else None, chance),
        judge.styles,
        np.stack([told[group].mean(axis=0) for group in drawn]),
        np.stack([ceiling[style].mean(axis=0) for style in judge.styles]),
    )


def _told(table: Table, labels: Labels, told: Labels, styles: Sequence[str]) -> dict[str, Matrix]:
    """By label, what share of each work's windows is taken for each style: (works, styles)."""
    found: dict[str, list[Matrix]] = {}
    taken = (told[:, None] == np.array(styles)[None, :]).astype(float)
    for work in np.unique(table.works):
        own = table.works == work
        found.setdefault(str(labels[own][0]), []).append(taken[own].mean(axis=0))
    return {style: np.stack(rows) for style, rows in found.items()}


@dataclass(frozen=True, slots=True, eq=False)
class _Drawn:
    """A mean share and its bootstrap replicates, of which those of different styles may be put together."""

    value: float
    values: Values

    @classmethod
    def of(cls, shares: Values, seed: Sequence[int]) -> _Drawn:
        number = int(np.random.default_rng(seed).integers(2**31))
        return cls(float(shares.mean()), replicates(_mean, shares.tolist(), seed=number))

    @classmethod
    def mean(cls, many: Sequence[_Drawn]) -> _Drawn:
        return cls(_mean([one.value for one in many]), np.mean([one.values for one in many], axis=0))

    def interval(self) -> Interval:
        return around(self.value, self.values)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _figures(generated: _Drawn, ceiling: _Drawn, held: _Drawn | None, chance: float) -> Figures:
    ratio = generated.value / max(ceiling.value, chance)
    ratios = generated.values / np.maximum(ceiling.values, chance)
    return Figures(generated.interval(), ceiling.interval(), held.interval() if held else None, around(ratio, ratios))


@dataclass(frozen=True, slots=True)
class Pair:
    """Two excerpts composed from one seed and one opening: told the right style, and told another."""

    style: str
    """The right style."""
    right: Sequence[Bar]
    other: Sequence[Bar]


def tag_swap(judge: Judge, pairs: Sequence[Pair], *, seed: int = 0) -> Interval:
    """How much likelier the right tag makes its style: the mean of P(style | right) − P(style | other), −1 to 1.

    The interval is over pairs; where it lies above 0, the tag is heard.

    Raises:
        ValueError: fewer than two pairs, or a style the judge does not know.
    """
    strange = {pair.style for pair in pairs} - set(judge.styles)
    if strange:
        raise ValueError(f"got the style {min(strange)!r}, wanted one of those fitted: {', '.join(judge.styles)}")
    changes = [
        float((judge.probabilities(pair.right) - judge.probabilities(pair.other))[judge.styles.index(pair.style)])
        for pair in pairs
    ]
    return interval(_mean, changes, seed=seed)
