"""What a bar under way is held to."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from models import ANYTHING, channel, model, writer
from radio.composer import guard, planner
from radio.composer.compose import of_length
from radio.composer.draft import ASTRAY, Draft
from radio.composer.kit.collapse import Limits
from radio.composer.planner import Plan
from radio.composer.writer import advance
from radio.music.score import DRUMS, Bar, Meter, Note, Piece, Prefix

PREFIX = Prefix("bach", meter=Meter(4, 4), tempo=90.0, bars=9)


def bar(pitch: int, repeat: int = 0, notes: int = 3, program: int = 0) -> Bar:
    """One of quarters that are all told by their pitch."""
    return Bar(Meter(4, 4), 90.0, tuple(Note(24 * k, program, pitch, 24, 80) for k in range(notes)), repeat=repeat)


@pytest.mark.parametrize(
    ("behind", "own", "stutters"),
    [
        ([60, 62], bar(62), True),
        ([60, 62], bar(62, 2), True),
        ([60, 62], bar(62, 1), True),  # it was to resemble it
        ([60, 62], bar(64, 2), False),
        ([60, 62, 62, 64, 62], bar(62, 3), False),  # 62 62 comes back
        ([60, 62, 62, 64, 62], bar(62, 4), True),
        ([62, 64, 62], bar(62, 3), True),  # what comes back was the first bar
        ([62, 64, 62], bar(62, 9), True),
        ([60, 62], bar(62, notes=2), False),
        ([], bar(62), False),
    ],
)
def test_a_bar_stutters_if_it_copies_the_one_before_as_what_comes_back_did_not(
    behind: list[int], own: Bar, stutters: bool
) -> None:
    piece = Piece(PREFIX, "Begun", tuple(bar(pitch) for pitch in behind))
    assert Draft(piece, Plan(PREFIX, "A" * 9, (0,) * 9, ()), own).stutters(own) is stutters


@pytest.mark.parametrize(
    ("full", "back", "strays"),
    [
        (0, 2, False),  # nothing is amiss
        (ASTRAY + 3, 2, True),  # fuller than may be, and so would that be
        (ASTRAY + 3, 9, True),  # emptier, but not by enough
        (ASTRAY + 3, 12, False),  # a rest
        (ASTRAY + 3, 0, False),  # nothing is to come back
        (ASTRAY + 3, 99, False),
    ],
)
def test_music_strays_if_what_is_to_come_back_would_keep_it_outside_the_limits(
    full: int, back: int, strays: bool
) -> None:
    own = guard.Guard("bach", replace(ANYTHING, density=(0.0, 0.8)), None)
    behind = (*[bar(60, notes=0)] * 6, *[bar(60)] * 6, *[bar(60, notes=4)] * full)
    draft = Draft(Piece(PREFIX, "Begun", behind), Plan(PREFIX, "A" * 30, (0,) * 30, ()), bar(60))
    for one in behind:
        draft.heard, _ = own.judge(draft.heard, one)
    assert draft.strays(bar(60, back), own) is strays


def test_a_drum_kit_may_go_on_as_it_does() -> None:
    piece = Piece(PREFIX, "Begun", (bar(36, program=DRUMS),))
    assert not Draft(piece, Plan(PREFIX, "A" * 9, (0,) * 9, ()), bar(36)).stutters(bar(36, program=DRUMS))


@pytest.mark.parametrize("limits", [ANYTHING, None])
def test_a_bar_that_stutters_is_counted_and_drawn_again_if_there_is_a_guard(limits: Limits | None) -> None:
    own = of_length(channel(), 8)
    own = replace(own, sampling=replace(own.sampling, echo=8.0))
    known = planner.load(model())["bach"]
    # The fourth bar is to be the first again, as the third is.
    plans = tuple(replace(plan, repeats=(0, 0, 2, 3, 0, 0, 0, 0), ending="open") for plan in known.plans)
    made = writer(own, replace(known, plans=plans), heeds=guard.Guard("bach", limits, None))
    while made.numbers.total < 6:
        advance(made.engine, [made])
    assert (made.counted(faults=True).get(guard.STUTTER, 0) > 0) is (limits is not None)
    bars = [item for item in made.queue if isinstance(item, Bar)]
    fourths = [(one, two) for one, two in pairwise(bars) if two.left == 5]
    copied = sum(guard.alike(guard.cells(one), guard.cells(two)) for one, two in fourths)
    assert (copied == 0) is (limits is not None)
