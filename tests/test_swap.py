"""The tag swap: openings are played on twice, by the tag that is right and by another."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from models import data, model
from radio.composer import swap
from radio.composer.corpus import Corpus
from radio.composer.kit import panel as kit
from radio.composer.kit.fidelity import Judge, fit, tabulate
from radio.composer.prompted import Prompt
from radio.composer.swap import tag_swaps
from radio.music import tokens
from radio.music.score import Bar


@pytest.fixture(scope="module")
def judge() -> Judge:
    return fit(tabulate(kit.works(Corpus.load(data()), validation=False), notes=60))


def test_a_model_that_does_not_hear_the_tag_is_found_out(judge: Judge) -> None:
    done: list[str] = []
    found = tag_swaps(model(), Corpus.load(data()), judge, ("bach", "ragtime"), 1, pairs=2, progress=done.append)
    assert done == ["bach", "ragtime"]
    assert -1 <= found.low <= 0.2
    assert found.low <= found.value <= found.high


def test_a_tag_that_is_heard_shows(judge: Judge, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = Corpus.load(data())
    asked: list[Prompt] = []

    def as_told(
        engine: object, styles: object, guards: object, prompts: Sequence[Prompt], seed: int, enough: object
    ) -> list[list[Bar]]:
        asked.extend(prompts)
        works = {e.style: tokens.decode(corpus.of(e), e.tempo) for e in corpus.split(validation=False)}
        return [works[prompt.prefix.style] for prompt in prompts]

    monkeypatch.setattr(swap, "played_on", as_told)
    found = tag_swaps(model(), corpus, judge, ("bach", "ragtime"), 1, pairs=2)
    assert found.low > 0.5
    for right, other in zip(asked[::2], asked[1::2], strict=True):
        assert right.opening == other.opening
        assert right.prefix.style != other.prefix.style
        assert sum(len(bar.notes) for bar in right.opening) >= swap.OPENING


def test_one_style_cannot_be_swapped(judge: Judge) -> None:
    with pytest.raises(ValueError, match="wanted two or more to swap"):
        tag_swaps(model(), Corpus.load(data()), judge, ("bach",), 1)
