"""Shapes: the forms that return, as plans of section letters and repeat distances.

A shape is written as sections of equal length: in a rondo, A B A C A. Each section is made of the units that
`radio.music.form` gives letters to; a section that returns has the letters it had before, and each of its bars the
distance to the one it returns to. How it returns, whole or varied, is the composer's to say.
"""

from __future__ import annotations

from collections.abc import Sequence

from radio.music.form import unit_bars
from radio.music.tokens import MAX_REPEAT, SECTIONS

SHAPES = {
    "binary": "AABB",
    "ternary": "ABA",
    "rondo": "ABACA",
    "strophic": "AAA",
    "variations": "AAAAA",
    "aaba": "AABA",
    "verse-chorus": "ABABCB",
}
"""By name."""
FREE = "free"
"""No shape: the form is a work's of the corpus."""


def shaped(name: str, repeats: Sequence[int]) -> tuple[str, tuple[int, ...], tuple[int, ...]]:
    """Section letters and repeat distances of a shape, about as many bars long as `repeats`, and not longer.

    The last is each bar's place in the skeleton: that of its section's first statement.

    Within a section that is new, bars return as `repeats` has it, as far as they return within that section.

    Raises:
        KeyError: no such shape.
        ValueError: there is not a bar for each section.
    """
    plan = SHAPES[name]
    if len(repeats) < len(plan):
        raise ValueError(f"{name}: got {len(repeats)} bars, wanted {len(plan)} or more")
    length = _section(len(repeats), plan)
    unit = min(unit_bars(length * len(plan)), length)
    letters: list[str] = []
    returns: list[int] = []
    places: list[int] = []
    known: dict[str, int] = {}
    used = 0
    for letter in plan:
        start = len(returns)
        if letter in known:
            back = start - known[letter]
            letters += letters[known[letter] : known[letter] + length]
            places += places[known[letter] : known[letter] + length]
            returns += [back] * length
        else:
            letters += [SECTIONS[min(used + bar // unit, len(SECTIONS) - 1)] for bar in range(length)]
            used += -(-length // unit)
            places += range(start, start + length)
            returns += [own if 0 < own <= bar else 0 for bar, own in enumerate(repeats[start : start + length])]
        known[letter] = start
    return "".join(letters), tuple(returns), tuple(places)


def _section(bars: int, plan: str) -> int:
    """Bars of a section: whole units if there is room, and no return further back than a bar line can say."""
    furthest = max(
        index - max((earlier for earlier in range(index) if plan[earlier] == letter), default=index)
        for index, letter in enumerate(plan)
    )
    length = min(bars // len(plan), MAX_REPEAT // furthest)
    unit = unit_bars(length * len(plan))
    return length // unit * unit or length
