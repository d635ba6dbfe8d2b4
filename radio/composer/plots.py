"""Pictures for a model's card: its learning curve, and a page of what the evaluation found."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from radio.errors import MissingError

CURVE, PAGE = "curve.png", "evaluation.png"
COMPOSED, HUMAN = "#d1495b", "#30638e"
Interval = Mapping[str, float]
"""value, low and high, of an evaluation's JSON."""


def _pyplot() -> Any:
    try:
        import matplotlib

        matplotlib.use("agg")
        from matplotlib import pyplot
    except ImportError as error:
        raise MissingError("matplotlib is not installed; run `pip install matplotlib`") from error
    return pyplot


def curve(folder: Path) -> None:
    """Draws a model's `curve.csv`.

    Raises:
        MissingError: matplotlib is not installed.
    """
    pyplot = _pyplot()
    with (folder / "curve.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    positions = [int(row["positions"]) / 1e6 for row in rows]
    figure, axes = pyplot.subplots(figsize=(8, 4.5), layout="constrained")
    names = [name for name in rows[0] if name not in ("step", "seconds", "positions", "bits")]
    bottom = [0.0] * len(rows)
    for name in names:
        top = [b + float(row[name]) for b, row in zip(bottom, rows, strict=True)]
        axes.fill_between(positions, bottom, top, label=name, alpha=0.75, linewidth=0)
        bottom = top
    axes.set(xlabel="million positions", ylabel="bits a position", xlim=(0, positions[-1]), ylim=(0, 20))
    axes.set_title("Training loss by slot")
    handles, labels = axes.get_legend_handles_labels()
    axes.legend(handles[::-1], labels[::-1], frameon=False)
    figure.savefig(folder / CURVE, dpi=110)
    pyplot.close(figure)


def page(panel: Mapping[str, Any], path: Path) -> None:
    """Draws a panel, as `kit.panel.Panel.to_json` gives it: by channel, composed music beside human works.

    Raises:
        MissingError: matplotlib is not installed.
    """
    pyplot = _pyplot()
    groups = list(panel["groups"])
    figure, grid = pyplot.subplots(3, 3, figsize=(16, 0.9 * len(groups) + 5), layout="constrained")
    told = panel["fidelity"]["groups"] if panel["fidelity"] else {}
    _rows(grid[0, 0], "Pieces told to be of their style", groups, {
        s: (own["generated"], own["ceiling"]) for s, own in told.items()
    })  # fmt: skip
    _rows(grid[0, 1], "Told apart from works kept back (AUC)", groups, {
        s: (a["generated"]["told"]["auc"], _around(a["floor"]["auc"])) for s, a in _compared(panel)
    })  # fmt: skip
    _rows(grid[0, 2], "Fréchet distance to works kept back", groups, {
        s: (_around(a["generated"]["frechet"]), _around(a["train"]["frechet"])) for s, a in _compared(panel)
    })  # fmt: skip
    _rows(grid[1, 0], "Longest shared run, 95th percentile (notes)", groups, {
        s: (own["memory"]["longest"]["generated"], own["memory"]["longest"]["human"])
        for s, own in panel["groups"].items()
    })  # fmt: skip
    names = ("recurrence", "loops", "in scale", "entropy of four bars", "velocity spread")
    for axes, name in zip((*grid[1, 1:], *grid[2]), names, strict=True):
        _rows(axes, name.capitalize(), groups, {
            s: (own["figures"][name]["generated"], own["figures"][name]["human"]) for s, own in panel["groups"].items()
        })  # fmt: skip
    grid[0, 0].legend(loc="lower left", frameon=False)
    figure.suptitle("Composed music beside human works; lines are 95 % intervals", fontsize=14)
    figure.savefig(path, dpi=80)
    pyplot.close(figure)


def _compared(panel: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return [(style, own["against"]) for style, own in panel["groups"].items() if own["against"]]


def _around(spread: Mapping[str, float]) -> Interval:
    """Mean and standard deviation as an interval of two deviations."""
    mean, sd = spread["mean"], spread["sd"]
    return {"value": mean, "low": mean - 2 * sd, "high": mean + 2 * sd}


def _rows(
    axes: Any, title: str, groups: list[str], values: Mapping[str, tuple[Interval | None, Interval | None]]
) -> None:
    """A row for each style: composed music and human works, each a dot on its interval."""
    for side, (colour, label) in enumerate(((COMPOSED, "composed"), (HUMAN, "human"))):
        known = [(groups.index(style), pair[side]) for style, pair in values.items()]
        drawn = [(row + 0.15 * (2 * side - 1), own) for row, own in known if own is not None]
        axes.hlines([y for y, _ in drawn], [o["low"] for _, o in drawn], [o["high"] for _, o in drawn], colour, lw=2)
        axes.plot([o["value"] for _, o in drawn], [y for y, _ in drawn], "o", color=colour, ms=5, label=label)
    axes.set_yticks(range(len(groups)), groups)
    axes.invert_yaxis()
    axes.set_title(title, loc="left", fontsize=11)
    axes.grid(axis="x", alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
