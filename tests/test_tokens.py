from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from radio.music import tokens
from radio.music.keys import KEYS
from radio.music.score import Bar, Meter, Note, Prefix
from radio.music.titles import FORMS
from tests.music import bars


@given(st.lists(bars(), min_size=1, max_size=6))
def test_bars_come_back_exactly_from_their_positions(written: list[Bar]) -> None:
    assert tokens.decode(tokens.encode(written, 120.0), 120.0) == written


@given(st.integers(0, 191), st.integers(0, 128), st.integers(0, 127), st.integers(1, 2000), st.integers(1, 127))
def test_a_snapped_note_is_one_that_a_position_holds(onset: int, program: int, pitch: int, length: int, v: int) -> None:
    snapped = tokens.snap(Note(onset, program, pitch, length, v))
    assert tokens.decode_note(tokens.note_position(snapped)) == snapped
    assert tokens.snap(snapped) == snapped
    assert 1 <= snapped.velocity <= 127


@given(st.integers(1, 400))
def test_a_duration_goes_to_the_nearest_in_ratio(ticks: int) -> None:
    chosen = tokens.DURATIONS[tokens.nearest_duration(ticks)]
    ratios = {d: max(d, ticks) / min(d, ticks) for d in tokens.DURATIONS}
    assert ratios[chosen] == min(ratios.values())


def test_ranges_of_a_slot_follow_each_other_without_gap() -> None:
    for slot, size in enumerate(tokens.SIZES):
        spans = sorted(span for span in tokens.RANGES.values() if span.slot == slot)
        edges = [1, *(span.stop for span in spans)]
        assert [span.start for span in spans] == edges[:-1]
        assert edges[-1] == size


def test_a_prefix_has_one_position_a_field_and_any_is_not_a_value() -> None:
    full = Prefix("bach", "bach", "prelude", "G minor", Meter(3, 4), 84.0, 32, True, 1, "played")
    given_, unsaid = tokens.encode_prefix(full), tokens.any_prefix()
    assert given_.shape == unsaid.shape == (tokens.PREFIX_LENGTH, tokens.SLOTS)
    assert (given_[:, 1] != unsaid[:, 1]).all()


def test_every_key_has_its_own_place_in_the_prefix() -> None:
    assert len({tokens.encode_prefix(Prefix(key=key))[3, 1] for key in KEYS}) == 24


@pytest.mark.parametrize("form", FORMS)
def test_a_model_is_told_of_a_form_with_enough_works_and_of_others_nothing(form: str) -> None:
    told = (tokens.encode_prefix(Prefix(form=form)) != tokens.any_prefix()).any()
    assert told == (form in tokens.FORMS)


def test_every_form_that_a_model_is_told_of_is_one_that_titles_name() -> None:
    assert set(tokens.FORMS) < set(FORMS)
    assert not {"rag", "two-step", ""} & set(tokens.FORMS)


def test_an_unknown_name_in_a_prefix_is_any() -> None:
    assert (tokens.encode_prefix(Prefix(composer="nobody")) == tokens.any_prefix()).all()


def test_times_run_on_from_bar_to_bar() -> None:
    written = [
        Bar(Meter(3, 4), 90.0, (Note(0, 0, 60, 24, 66), Note(48, 0, 62, 24, 66))),
        Bar(Meter(2, 4), 90.0, (Note(24, 0, 64, 24, 66),)),
    ]
    positions = np.concatenate((tokens.any_prefix(), tokens.encode(written, 90.0)))
    assert tokens.times(positions)[tokens.PREFIX_LENGTH :].tolist() == [0, 0, 48, 72, 96, 120]


def test_a_note_without_a_bar_line_is_refused() -> None:
    with pytest.raises(ValueError, match="bar line"):
        tokens.decode(np.array([tokens.note_position(Note(0, 0, 60, 24, 64))]), 100.0)


def test_an_id_outside_its_range_is_refused() -> None:
    line = tokens.bar_line(Bar(Meter(4, 4), 100.0, ()), 100.0)
    with pytest.raises(ValueError, match="tempo: wanted an id from"):
        tokens.decode(np.array([(line[0], 1, *line[2:])]), 100.0)


@pytest.mark.parametrize(
    ("name", "flat"),
    [("Żeleński, Władysław", "zelenski_wladyslaw"), ("J. S. Bach", "j_s_bach"), ("Łodwigowski", "lodwigowski")],
)
def test_names_are_flattened_to_ascii(name: str, flat: str) -> None:
    assert tokens.plain(name) == flat
