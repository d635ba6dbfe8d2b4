"""Constancy: excerpts of streams at a minute, and whether they are still taken for their style."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import pytest

from models import channel, data, model
from music import tune
from radio.composer import endurance, sections
from radio.composer.constancy import Ear, excerpt
from radio.composer.corpus import Corpus
from radio.composer.style import WINDOW
from radio.music import tokens


@lru_cache
def ear() -> Ear:
    return Ear(Corpus.load(data()))


def test_an_excerpt_begins_with_the_bar_at_the_minute_and_goes_on_into_the_next_piece() -> None:
    pieces = [[replace(bar, left=100 * seed + n) for n, bar in enumerate(tune(seed, 16))] for seed in range(12)]
    bars = [bar for piece in pieces for bar in piece]
    before = [sum(bar.seconds for bar in bars[:n]) for n in range(len(bars))]
    found = excerpt(pieces, 1)
    begun = bars.index(found[0])
    assert before[begun] <= 60 < before[begun] + found[0].seconds
    assert found == bars[begun : begun + len(found)]
    assert WINDOW <= sum(len(bar.notes) for bar in found) < WINDOW + len(found[-1].notes)


def test_a_stream_too_short_for_the_minute_has_no_excerpt() -> None:
    assert excerpt([tune(1, 16)], 60) == []
    taken = ear().taken([[tune(1, 16)]])
    assert taken == {"1": [], "60": []}


def test_music_of_the_corpus_is_taken_for_its_style_and_fidelity_says_so() -> None:
    corpus = Corpus.load(data())
    styles = ("bach", "ragtime")
    streams = {
        style: [[tokens.decode(corpus.of(entry), entry.tempo)] * 40 for entry in corpus.entries if entry.style == style]
        for style in styles
    }
    taken = {style: ear().taken(own)["1"] for style, own in streams.items()}
    assert all(len(own) > 2 for own in taken.values())
    right = ear().fidelity({style: style for style in styles}, taken)
    swapped = ear().fidelity(dict(zip(styles, reversed(styles), strict=True)), taken)
    assert right.mean.fidelity.value > 0.9 > 0.3 > swapped.mean.fidelity.value


def test_a_run_tells_what_its_streams_are_taken_for(tmp_path: Path) -> None:
    out = tmp_path / "endurance.json"
    own = channel("bach", bars=(4, 4))
    found = endurance.run(model(), (own,), 0.001, 1, out, ear=ear())["bach"]
    assert found.taken is not None
    assert set(found.taken) == {"1", "60"}
    told = json.loads(out.read_text())
    assert told["channels"]["bach"]["taken"] == found.taken
    assert "\n| bach | 0.0 | " in sections.endurance(told)
    assert "\n| bach | 0.0 | " in sections.unguarded(told)


def test_streams_are_composed_of_pieces_that_follow_each_other() -> None:
    from radio.composer.compose import streams
    from radio.music.score import Piece

    own = channel("bach", bars=(4, 4))
    pieces = [(row, item) for row, item in streams(model(), own, 6, 1, abreast=2) if isinstance(item, Piece)]
    assert {row for row, _ in pieces} == {0, 1}
    for row in (0, 1):
        numbers = [piece.number for one, piece in pieces if one == row]
        assert numbers == sorted(numbers)


@pytest.mark.parametrize("minute", [1, 60])
def test_no_streams_no_excerpts(minute: int) -> None:
    assert ear().taken([])[str(minute)] == []
