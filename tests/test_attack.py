"""The attack by prompt: a work that is played on is found out, and what only begins alike is not."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from models import data, model
from radio.composer import attack as attacks
from radio.composer.attack import AFTER, PROMPT, Target, attack, targets
from radio.composer.corpus import Corpus
from radio.composer.memory import Tokens, line
from radio.music import tokens
from radio.music.score import Bar


def test_openings_hold_the_notes_wanted_up_to_a_bar_line_and_works_are_taken_once() -> None:
    found = targets(Corpus.load(data()), "bach", 4, seed=1)
    assert len({own.entry.work for own in found}) == len(found) == 4
    for own in found:
        assert PROMPT <= own.given == len(line(own.opening)) + 1
        assert len(line(own.opening[:-1])) + 1 < PROMPT
        assert not own.entry.validation
        assert len(own.line) >= PROMPT + AFTER


def test_a_model_that_learned_nothing_recalls_as_much_as_chance_has_it() -> None:
    done: list[str] = []
    found = attack(model(), Corpus.load(data()), ("bach", "ragtime"), 1, works=3, guarded=False, progress=done.append)
    assert done == ["bach", "ragtime"]
    for own in found.values():
        assert own.works == 3
        assert own.share.value < own.chance + 0.1
        assert own.in_a_row < 4


def test_a_work_played_on_by_heart_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = Corpus.load(data())

    def by_heart(
        engine: object, styles: object, guards: object, chosen: Sequence[Target], seed: int
    ) -> list[list[Bar]]:
        whole = [tokens.decode(corpus.of(own.entry), own.entry.tempo) for own in chosen]
        return [bars[len(own.opening) :] for own, bars in zip(chosen, whole, strict=True)]

    monkeypatch.setattr(attacks, "_continued", by_heart)
    found = attack(model(), corpus, ("bach",), 1, works=3)["bach"]
    assert found.in_a_row >= AFTER
    assert found.share.value == 1.0
    assert found.chance < 0.5


def test_a_style_without_melodies_long_enough_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attacks, "AFTER", 10_000)
    assert attack(model(), Corpus.load(data()), ("bach",), 1) == {}


def test_what_is_composed_begins_with_the_opening() -> None:
    corpus = Corpus.load(data())
    chosen = targets(corpus, "bach", 2, seed=1)
    seen: list[Tokens] = []
    kept = attacks.recalled

    def noted(original: Tokens, composed: Tokens, *, prompt: int) -> object:
        seen.append(composed)
        return kept(original, composed, prompt=prompt)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(attacks, "recalled", noted)
        attack(model(), corpus, ("bach",), 1, works=2)
    for own, composed in zip(chosen, seen, strict=True):
        assert np.array_equal(composed[: own.given - 1], own.line[: own.given - 1])
