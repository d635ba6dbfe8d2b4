"""The panel: human music scores as human beside human music, and shuffled, looped and plagiarised pieces are caught."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

import models
from music import laid_out, melody, tune
from radio.composer import planner, plots
from radio.composer.corpus import Corpus
from radio.composer.kit import panel as kit
from radio.composer.kit.fidelity import Labelled
from radio.composer.kit.panel import Panel
from radio.composer.memory import Runs, line
from radio.errors import MidiError, MissingError
from radio.music import smf
from radio.music.score import Bar, Meter


def air(seed: int) -> list[Bar]:
    """A melody that comes back whole."""
    return 2 * laid_out(melody(seed, 60))


def waltz(seed: int) -> list[Bar]:
    """A tune in 3/4 of the same plan."""
    return tune(seed, 24, meter=Meter(3, 4), low=40)


STYLES: dict[str, Callable[[int], list[Bar]]] = {"air": air, "waltz": waltz}


def works(first: int, count: int, change: Callable[[list[Bar]], list[Bar]] = list) -> list[Labelled]:
    return [
        Labelled(style, f"{style} {n}", change(make(n)))
        for style, make in STYLES.items()
        for n in range(first, first + count)
    ]


@cache
def human() -> tuple[Sequence[Labelled], Sequence[Labelled], Runs]:
    """Works kept back, works trained on, and the runs of these."""
    train = works(0, 16)
    return works(100, 8), train, Runs((piece.work, line(piece.bars)) for piece in train)


def measured(generated: Sequence[Labelled], workers: int = 1) -> Panel:
    held_out, train, runs = human()
    return kit.panel(generated, held_out, train, runs, workers=workers)


def shuffled(bars: list[Bar]) -> list[Bar]:
    return random.Random(5).sample(bars, len(bars))


def looped(bars: list[Bar]) -> list[Bar]:
    return [*bars[:4], *[bars[4]] * (len(bars) - 4)]


@pytest.fixture(scope="module")
def real() -> Panel:
    return measured(works(200, 8))


def test_human_music_scores_as_human(real: Panel) -> None:
    assert set(real.groups) == set(STYLES)
    assert real.fidelity is not None
    assert real.fidelity.mean.fidelity.value > 0.9
    for own in real.groups.values():
        recurrence = own.figures["recurrence"]
        assert recurrence.generated is not None
        assert recurrence.human is not None
        assert recurrence.generated.value == pytest.approx(recurrence.human.value, abs=0.1)
        assert own.memory.longest.generated is not None
        assert own.memory.longest.generated.value < 20


def test_shuffled_bars_lose_the_form(real: Panel) -> None:
    made, before = (
        found.groups["air"].figures["compression"].generated for found in (measured(works(200, 8, shuffled)), real)
    )
    assert made is not None
    assert before is not None
    assert made.high < before.low


def test_a_looped_bar_is_caught(real: Panel) -> None:
    made = measured(works(200, 8, looped)).groups["waltz"]
    loops, human_loops = made.figures["loops"].generated, real.groups["waltz"].figures["loops"].human
    assert loops is not None
    assert human_loops is not None
    assert loops.low > human_loops.high + 0.5
    assert made.collapses[0] > 10 * made.collapses[1]


def climbing(bars: list[Bar]) -> list[Bar]:
    return [
        replace(bar, notes=tuple(replace(note, pitch=note.pitch + at // 4) for note in bar.notes))
        for at, bar in enumerate(bars)
    ]


def test_pieces_that_climb_are_caught() -> None:
    figures = measured(works(200, 8, climbing)).groups["air"].figures["rise"]
    assert figures.generated is not None
    assert figures.human is not None
    assert figures.generated.low > figures.human.high + 1


def moved_up(bars: list[Bar]) -> list[Bar]:
    return [replace(bar, notes=tuple(replace(note, pitch=note.pitch + 4) for note in bar.notes)) for bar in bars]


def test_a_plagiarised_piece_is_caught_in_another_key() -> None:
    memory = measured(works(0, 4, moved_up)).groups["air"].memory
    assert memory.longest.generated is not None
    assert memory.longest.human is not None
    assert memory.longest.generated.low > 3 * memory.longest.human.high
    assert memory.coverage.generated is not None
    assert memory.coverage.generated.value > 0.9


def test_music_in_the_other_style_is_told_so() -> None:
    swapped = [replace(piece, style={"air": "waltz", "waltz": "air"}[piece.style]) for piece in works(200, 4)]
    found = measured(swapped).fidelity
    assert found is not None
    assert found.mean.generated.value < 0.1


def test_too_few_works_leave_figures_out_and_say_why() -> None:
    _, train, runs = human()
    found = kit.panel(works(200, 1)[:1], [], train[:4], runs).groups["air"]
    assert found.against is None
    assert "wanted" in found.missing
    assert found.figures["recurrence"].generated is None
    assert found.figures["recurrence"].human is not None


def test_a_style_without_human_works_is_named() -> None:
    held_out, train, runs = human()
    with pytest.raises(ValueError, match="'polka', of which there are no human works"):
        kit.panel([Labelled("polka", "1", air(1))], held_out, train, runs)


def test_a_panel_is_plain_json_and_is_drawn(real: Panel, tmp_path: Path) -> None:
    fields = json.loads(json.dumps(real.to_json(), allow_nan=False))
    assert fields["groups"]["air"]["figures"]["recurrence"]["generated"]["value"] > 0
    plots.page(fields, tmp_path / "page.png")
    assert (tmp_path / "page.png").read_bytes().startswith(b"\x89PNG")


def test_figures_are_the_same_however_many_processes_make_them(real: Panel) -> None:
    assert measured(works(200, 8), workers=2).to_json() == real.to_json()


def test_one_piece_of_each_work_is_taken() -> None:
    found = kit.works(Corpus.load(models.data()), validation=False, most=3)
    assert len(found) == 6
    assert len({(piece.style, piece.work) for piece in found}) == 6


def test_each_channel_of_a_style_stands_beside_its_own_human_works() -> None:
    held_out, train, runs = human()
    airs = [piece for piece in works(200, 6) if piece.style == "air"]
    made = [replace(piece, channel=("morning", "evening")[n % 2]) for n, piece in enumerate(airs)]
    own = [replace(piece, channel="morning") for piece in train if piece.style == "air"][:5]
    found = kit.panel(made, held_out, [*train, *own], runs)
    assert set(found.groups) == {"morning", "evening"}
    assert {group.style for group in found.groups.values()} == {"air"}
    assert (found.groups["morning"].works, found.groups["evening"].works) == (8 + 5, 8 + 16)
    assert found.fidelity is not None
    assert set(found.fidelity.groups) == {"morning", "evening"}


def test_a_channel_is_given_works_that_it_might_have_planned_or_those_of_its_style(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(kit, "ENOUGH", 3)
    styles = planner.load(models.model())
    wanted = {
        "preludes": models.channel("bach", forms=("prelude",)),
        "fugues": models.channel("bach", forms=("fugue",)),
    }
    planners = {name: planner.Planner(channel, styles) for name, channel in wanted.items()}
    for side in kit.works_for(Corpus.load(models.data()), planners):
        assert {piece.group for piece in side} == {"bach", "ragtime", "preludes"}
        assert {piece.style for piece in side if piece.channel} == {"bach"}


def test_a_folder_of_midi_files_is_read_by_style(tmp_path: Path) -> None:
    for style, make in STYLES.items():
        (tmp_path / style).mkdir()
        smf.write(make(1), tmp_path / style / "one.mid")
    found = kit.folder(tmp_path)
    assert [(piece.style, piece.work, len(piece.bars)) for piece in found] == [
        (style, "one", len(make(1))) for style, make in STYLES.items()
    ]


def test_a_folder_that_cannot_be_measured_says_what_was_wanted(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="wanted a folder for each style"):
        kit.folder(tmp_path)
    (tmp_path / "air").mkdir()
    (tmp_path / "air" / "broken.mid").write_bytes(b"MThd")
    with pytest.raises(MidiError, match=r"broken\.mid"):
        kit.folder(tmp_path)
