"""Distribution: how far composed music lies from works that were kept back, beside how far human music does.

Music is compared as windows of about 400 notes. Windows of one work are alike, so works, never windows, are drawn,
folded and permuted. Each figure stands beside the same figure for human works drawn into two sides: its noise floor.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.distance import cdist

from radio.composer.kit.bootstrap import Indices, Interval, Labels, Spread, around, evenly, half, interval
from radio.composer.style import WINDOW, classifier, features, windows
from radio.music import keys
from radio.music.score import BEAT, DRUMS, Bar, notes_in_time

Matrix = npt.NDArray[np.float64]

AXES = 20
"""Principal axes on which the Fréchet distance is measured."""
SCALE = 0.02
"""The least spread a feature is divided by: a rare one is not blown up."""
FOLDS, FEWEST = 5, 3
"""Folds of the two-sample test; works that each side must have at least."""
SMALLEST = 12
"""Windows that each side must have at least."""
FLOORS = 8
"""Pairs of human sides that the floor of the slower figures is the mean of."""
LENGTHS = (3, 6, 9, 12, 18, 24, 36, 48, 72, 96)
"""Ticks at which the duration histogram goes on to its next bin."""


@dataclass(frozen=True, slots=True, eq=False)
class Windows:
    """Windows of some pieces, as rows."""

    rows: Matrix
    """(n, features), as `style.features` has them."""
    works: Labels
    """(n,), the work each window is of."""
    named: Mapping[str, Matrix]
    """The nine named features, each (n, values)."""

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, index: Indices) -> Windows:
        """The windows of these indices."""
        return Windows(self.rows[index], self.works[index], {n: rows[index] for n, rows in self.named.items()})


def joined(one: Windows, other: Windows) -> Windows:
    """All windows of both."""
    named = {name: np.vstack([rows, other.named[name]]) for name, rows in one.named.items()}
    return Windows(np.vstack([one.rows, other.rows]), np.concatenate([one.works, other.works]), named)


def measure(
    pieces: Sequence[Sequence[Bar]],
    works: Sequence[str],
    *,
    limit: int | None = None,
    notes: int = WINDOW,
    timbre: bool = False,
    seed: int = 0,
) -> Windows:
    """Windows of the pieces, at most `limit`, evenly from all works. `works` names the work of each piece.

    A composed piece is a work of its own. Compare pieces with works of the same styles in the same shares.

    Raises:
        ValueError: no pieces, or not one work name for each.
    """
    if not pieces or len(pieces) != len(works):
        raise ValueError(f"got {len(pieces)} pieces and {len(works)} works, wanted one or more and a work for each")
    cut = [(work, window) for work, bars in zip(works, pieces, strict=True) for window in windows(bars, notes)]
    cut = [cut[index] for index in evenly([work for work, _ in cut], limit, np.random.default_rng(seed))]
    table = [named_features(window) for _, window in cut]
    rows = np.stack([features(window, timbre=timbre) for _, window in cut])
    named = {name: np.stack([row[name] for row in table]) for name in table[0]}
    return Windows(rows, np.array([work for work, _ in cut]), named)


def named_features(bars: Sequence[Bar]) -> dict[str, Matrix]:
    """The nine features compared by name, each (values,); the drum kit is left out, drums alone are all zeros.

    Seven numbers: pitches and pitch classes counted once, semitones from lowest to highest, mean step of the top
    voice in semitones, notes a bar, mean beats between onsets, mean velocity. Two histograms, as shares: pitch
    classes above the key's tonic, durations.
    """
    placed = [(tick, note) for tick, note in notes_in_time(list(bars)) if note.program != DRUMS]
    tops: dict[int, int] = {}
    for tick, note in placed:
        tops[tick] = max(note.pitch, tops.get(tick, 0))
    onsets = sorted(tops)
    pitches = np.array([note.pitch for _, note in placed], dtype=int)
    steps = np.abs(np.diff([tops[tick] for tick in onsets]))
    gaps = np.diff(onsets) / BEAT
    tonic = keys.tonic(keys.estimate(list(bars))[0]) if placed else 0
    lengths = np.digitize([note.duration for _, note in placed], LENGTHS)
    numbers = {
        "pitch count": len(set(pitches.tolist())),
        "pitch-class count": len(set((pitches % 12).tolist())),
        "pitch range": np.ptp(pitches) if placed else 0,
        "mean pitch interval": steps.mean() if len(steps) else 0,
        "notes a bar": len(placed) / max(len(bars), 1),
        "mean IOI": gaps.mean() if len(gaps) else 0,
        "mean velocity": np.mean([note.velocity for _, note in placed]) if placed else 0,
    }
    return {name: np.array([float(number)]) for name, number in numbers.items()} | {
        "pitch-class histogram": np.bincount((pitches - tonic) % 12, minlength=12) / max(len(placed), 1),
        "duration histogram": np.bincount(lengths, minlength=len(LENGTHS) + 1) / max(len(placed), 1),
    }


@dataclass(frozen=True, slots=True, eq=False)
class Space:
    """Where distances are measured: features in standard deviations of human music, and the principal axes of all.

    Axes of human music alone would not show what no human does.
    """

    mean: Matrix
    scale: Matrix
    axes: Matrix
    """(features, at most AXES)."""

    @classmethod
    def fit(cls, human: Matrix, everything: Matrix) -> Space:
        """The space of these rows, (n, features) each."""
        mean, scale = human.mean(axis=0), np.maximum(human.std(axis=0), SCALE)
        rows = (everything - everything.mean(axis=0)) / scale
        return cls(mean, scale, np.linalg.svd(rows, full_matrices=False)[2][:AXES].T)

    def standard(self, rows: Matrix) -> Matrix:
        """Rows in standard deviations: (n, features)."""
        return np.asarray((rows - self.mean) / self.scale)

    def project(self, rows: Matrix) -> Matrix:
        """Rows on the principal axes: (n, axes)."""
        return np.asarray(self.standard(rows) @ self.axes)


def frechet(one: Matrix, other: Matrix) -> float:
    """Squared Fréchet distance of two normal distributions fitted to rows (n, axes): 0 where they are the same.

    Dowson and Landau, Journal of Multivariate Analysis 12 (1982); Heusel et al. 2017 brought it to generated images.
    Covariances are shrunk (Ledoit and Wolf, 2004). It grows as n gets smaller: compare only at equal n.
    """
    from sklearn.covariance import ledoit_wolf

    first, second = ledoit_wolf(one)[0], ledoit_wolf(other)[0]
    values, vectors = np.linalg.eigh(first)
    root = vectors * np.sqrt(np.maximum(values, 0)) @ vectors.T
    cross = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ second @ root), 0)).sum()
    gap = one.mean(axis=0) - other.mean(axis=0)
    return float(gap @ gap + np.trace(first) + np.trace(second) - 2 * cross)


@dataclass(frozen=True, slots=True)
class Told:
    """How well a classifier tells two sides apart that it was not fitted on: 0.5 not at all, 1 always."""

    auc: Interval
    """Never below 0.5: a classifier that is wrong more often than right has found nothing."""
    raw: Interval
    """As it came out; folds of few works push it below 0.5."""


def told_apart(one: Windows, other: Windows, *, seed: int = 0) -> Told:
    """Classifier two-sample test (Lopez-Paz and Oquab, ICLR 2017): AUC of a logistic regression, five folds by work.

    Only windows of one fold are compared with each other. The interval is over works, with the classifiers kept.

    Raises:
        ValueError: a side has fewer than three works.
    """
    wins, pairs = wins_and_pairs(one, other)
    sides = [(side, index) for side in (0, 1) for index in range(wins.shape[side])]

    def auc(drawn: Sequence[tuple[int, int]]) -> float:
        first, second = (np.bincount([i for s, i in drawn if s == side], minlength=wins.shape[side]) for side in (0, 1))
        compared = float(first @ pairs @ second)
        return float(first @ wins @ second) / compared if compared else 0.5

    raw = interval(auc, sides, strata=[side for side, _ in sides], draws=500, seed=seed)
    return Told(Interval(*(max(value, 0.5) for value in (raw.value, raw.low, raw.high))), raw)


def wins_and_pairs(one: Windows, other: Windows) -> tuple[Matrix, Matrix]:
    """For each work of one side and each of the other: wins of the first, and windows compared; both (works, works)."""
    from sklearn.model_selection import GroupKFold

    codes = [np.unique(side.works, return_inverse=True)[1] for side in (one, other)]
    count = [int(code.max()) + 1 for code in codes]
    if min(count) < FEWEST:
        raise ValueError(f"got {count[0]} and {count[1]} works, wanted {FEWEST} or more on each side; give more music")
    folds = GroupKFold(min(FOLDS, *count))
    wins, pairs = np.zeros(count), np.zeros(count)
    splits = [folds.split(side.rows, groups=side.works) for side in (one, other)]
    for (fit_one, test_one), (fit_other, test_other) in zip(*splits, strict=True):
        judge = classifier().fit(
            np.vstack([one.rows[fit_one], other.rows[fit_other]]), [1] * len(fit_one) + [0] * len(fit_other)
        )
        first = judge.decision_function(one.rows[test_one])[:, None]
        second = judge.decision_function(other.rows[test_other])[None, :]
        cells = np.ix_(codes[0][test_one], codes[1][test_other])
        np.add.at(wins, cells, (first > second) + 0.5 * (first == second))
        np.add.at(pairs, cells, 1.0)
    return wins, pairs


@dataclass(frozen=True, slots=True)
class Overlap:
    """How the distances within human music lie to those between it and other music."""

    area: float
    """Of the two densities: 1 where they are the same, 0 where they do not meet."""
    kl: float
    """Kullback–Leibler divergence in nats: 0 where they are the same."""


def overlap(human: Windows, other: Windows) -> dict[str, Overlap]:
    """Overlap of intra- and inter-set distances for each named feature (Yang and Lerch, Neural Computing 32, 2020).

    Distances are Euclidean; two windows of one work are not compared. Both densities have one bandwidth (Scott's,
    for the number of windows) and are reflected at 0, so that a feature which hardly varies does no harm.
    """
    apart = np.triu(human.works[:, None] != human.works[None, :])
    return {
        name: _overlap(cdist(rows, rows)[apart], cdist(rows, other.named[name]).ravel(), len(human))
        for name, rows in human.named.items()
    }


def _overlap(intra: Matrix, inter: Matrix, count: int) -> Overlap:
    both = np.concatenate([intra, inter])
    top, cells = float(both.max()), 512
    if top == 0:
        return Overlap(1.0, 0.0)
    width = max(float(both.std()) * count**-0.2 * cells / top, 1.0)
    p, q = (
        gaussian_filter1d(np.histogram(side, cells, (0, top))[0] / len(side), width, mode="reflect")
        for side in (intra, inter)
    )
    area = float(np.minimum(p, q).sum())
    p, q = ((side + 1e-9) / (side + 1e-9).sum() for side in (p, q))
    return Overlap(min(area, 1.0), float((p * np.log(p / q)).sum()))


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """Maximum mean discrepancy, squared and unbiased (it may lie below 0), and the p of its permutation test."""

    value: float
    p: float


def discrepancy(one: Windows, other: Windows, space: Space, *, permutations: int = 500, seed: int = 0) -> Discrepancy:
    """Maximum mean discrepancy (Gretton et al., JMLR 13, 2012) of standardised features.

    The kernel is Gaussian at the median distance. Two windows of one work are not compared, and whole works are
    permuted, so p is honest where works are of about the same length on both sides.
    """
    rows = space.standard(np.vstack([one.rows, other.rows]))
    names = np.concatenate([np.char.add("one/", one.works), np.char.add("other/", other.works)])
    work = np.unique(names, return_inverse=True)[1]
    squared = cdist(rows, rows, "sqeuclidean")
    median = float(np.median(squared[np.triu_indices(len(rows), 1)])) or 1.0
    member = np.eye(int(work.max()) + 1)[work]
    kernel = member.T @ np.exp(-squared / (2 * median)) @ member
    pairs = np.outer(member.sum(axis=0), member.sum(axis=0))
    np.fill_diagonal(kernel, 0)
    np.fill_diagonal(pairs, 0)
    side = np.zeros(len(pairs))
    side[work[: len(one)]] = 1
    rng = np.random.default_rng(seed)
    sides = np.vstack([side, *(rng.permutation(side) for _ in range(permutations))])

    def mean(first: Matrix, second: Matrix) -> Matrix:
        return np.asarray(((first @ kernel) * second).sum(axis=1) / ((first @ pairs) * second).sum(axis=1))

    values = mean(sides, sides) + mean(1 - sides, 1 - sides) - 2 * mean(sides, 1 - sides)
    return Discrepancy(float(values[0]), float((values >= values[0] - 1e-12).mean()))


@dataclass(frozen=True, slots=True)
class Distances:
    """Every distance between one side and the works kept back."""

    frechet: Spread
    told: Told
    overlaps: dict[str, Overlap]
    discrepancy: Discrepancy


@dataclass(frozen=True, slots=True)
class Floor:
    """What the same figures are between two sides of human works: as near as music can come."""

    frechet: Spread
    auc: Spread
    """Raw AUCs, below 0.5 as well."""
    overlaps: dict[str, Overlap]
    discrepancy: Spread


@dataclass(frozen=True, slots=True)
class Against:
    """Composed music against human music. All figures stand on the same number of windows."""

    generated: Distances
    """From the works kept back to composed music."""
    train: Distances
    """From the works kept back to the works the model was trained on: what a human composer reaches."""
    floor: Floor
    ratio: Interval
    """Fréchet distance of composed music over that of training works: 1 is as near as human works lie."""
    windows: int
    works: tuple[int, int, int]
    """Composed, kept back, trained on."""


def against(generated: Windows, held_out: Windows, train: Windows, *, draws: int = 50, seed: int = 0) -> Against:
    """Every distance of composed music to works kept back, those of training works, and the noise floor.

    Sides are cut evenly to the windows of the smallest. The Fréchet distance is the mean of `draws` half-samples, of
    half as many windows, which also give the interval of the ratio; of two models compare ratios, as the axes differ.
    For the floor, all human works are dealt into two sides of as many works as `generated` and `held_out` have.

    Raises:
        MissingError: scikit-learn is not installed.
        ValueError: a side with fewer than three works or twelve windows, or a work both kept back and trained on.
    """
    for name, side in (("composed", generated), ("kept back", held_out), ("trained on", train)):
        if len(set(side.works)) < FEWEST or len(side) < SMALLEST:
            wanted = f"wanted {FEWEST} works and {SMALLEST} windows or more; give more music"
            raise ValueError(f"{name}: got {len(set(side.works))} works of {len(side)} windows, {wanted}")
    shared = set(held_out.works) & set(train.works)
    if shared:
        raise ValueError(f"got {len(shared)} works both kept back and trained on, such as {min(shared)!r}; wanted none")
    classifier()  # Where scikit-learn is missing this says what to install.
    human = joined(held_out, train)
    size = min(len(generated), len(held_out), len(train))
    cut = [side.take(evenly(side.works, size, np.random.default_rng(seed))) for side in (generated, held_out, train)]
    space = Space.fit(human.rows, np.vstack([side.rows for side in cut]))
    values = np.array([_draw((train, generated), held_out, space, size // 2, (seed, n)) for n in range(draws)])
    works = (len(set(cut[0].works)), len(set(cut[1].works)), len(set(cut[2].works)))
    deals = [_two(human, size, works, np.random.default_rng((seed, n))) for n in range(draws)]
    floors = [_draw((one,), other, space, size // 2, (seed, n))[0] for n, (one, other) in enumerate(deals)]
    return Against(
        _distances(cut[0], cut[1], space, Spread.of(values[:, 1]), seed),
        _distances(cut[2], cut[1], space, Spread.of(values[:, 0]), seed),
        _floor(deals[:FLOORS], space, Spread.of(floors)),
        around(float(values[:, 1].mean() / values[:, 0].mean()), values[:, 1] / values[:, 0]),
        size,
        works,
    )


def _draw(sides: Sequence[Windows], held_out: Windows, space: Space, size: int, seed: tuple[int, int]) -> list[float]:
    """The Fréchet distance of each side to works kept back, in one draw of half-samples of `size` windows."""
    rng = np.random.default_rng(seed)
    kept = space.project(held_out.rows[half(held_out.works, size, rng)])
    return [frechet(space.project(side.rows[half(side.works, size, rng)]), kept) for side in sides]


def _two(human: Windows, size: int, works: Sequence[int], rng: np.random.Generator) -> tuple[Windows, Windows]:
    """Two sides of human works, as many as are composed and kept back, each of `size` windows if they have them."""
    names = rng.permutation(np.unique(human.works))
    halves = (names[works[1] :][: works[0]], names[: works[1]])
    one, other = (human.take(np.flatnonzero(np.isin(human.works, half))) for half in halves)
    size = min(size, len(one), len(other))
    return one.take(evenly(one.works, size, rng)), other.take(evenly(other.works, size, rng))


def _distances(side: Windows, held_out: Windows, space: Space, distance: Spread, seed: int) -> Distances:
    told = told_apart(side, held_out, seed=seed)
    return Distances(distance, told, overlap(held_out, side), discrepancy(side, held_out, space, seed=seed))


def _floor(deals: Sequence[tuple[Windows, Windows]], space: Space, distance: Spread) -> Floor:
    counted = [wins_and_pairs(*deal) for deal in deals]
    overlaps = [overlap(other, one) for one, other in deals]
    return Floor(
        distance,
        Spread.of([float(wins.sum() / pairs.sum()) for wins, pairs in counted]),
        {name: _mean([found[name] for found in overlaps]) for name in overlaps[0]},
        Spread.of([discrepancy(*deal, space, permutations=0).value for deal in deals]),
    )


def _mean(overlaps: Sequence[Overlap]) -> Overlap:
    return Overlap(float(np.mean([o.area for o in overlaps])), float(np.mean([o.kl for o in overlaps])))
