from __future__ import annotations

import json
import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models import channel, model, writer
from music import tune
from radio.composer import planner, weights
from radio.composer.compose import compose, of_length
from radio.composer.composer import FULL, LOW, Composer
from radio.composer.draft import continued
from radio.composer.engine import Engine, Row, Sampling
from radio.composer.process import ComposerProcess
from radio.composer.window import Context
from radio.composer.writer import CARRIED, FAR, Numbers, Writer, advance
from radio.errors import MissingError, ModelError
from radio.music import grammar, keys, tokens
from radio.music.score import Bar, Meter, Note, Piece, Prefix
from radio.settings import ChannelConfig, SamplingConfig


def pieces(own: ChannelConfig, count: int, seed: int = 1, *, guarded: bool = True) -> list[Piece]:
    return [item for item in compose(model(), own, count, seed, guarded=guarded) if isinstance(item, Piece)]


def test_an_untrained_model_writes_whole_valid_pieces_that_end() -> None:
    made = pieces(channel(), 3, guarded=False)
    assert len(made) == 3
    for piece in made:
        assert len(piece.bars) == piece.prefix.bars
        assert [bar.left for bar in piece.bars] == list(range(len(piece.bars), 0, -1))
        assert piece.bars[0].notes
        for bar in piece.bars:
            assert list(bar.notes) == sorted(bar.notes)
            assert all(note.onset < bar.meter.ticks and note.program == 6 for note in bar.notes)
        pairs = zip(piece.bars, piece.bars[1:], strict=False)
        assert all(a.notes or b.notes for a, b in pairs)


def test_the_same_seed_gives_the_same_music_and_another_seed_other_music() -> None:
    first, again, other = pieces(channel(), 2), pieces(channel(), 2), pieces(channel(), 2, seed=2)
    assert first == again
    assert first != other


def test_titles_are_unique_and_numbered() -> None:
    made = pieces(channel("ragtime"), 6)
    assert len({piece.title for piece in made}) == 6
    assert sorted(piece.number for piece in made) == [1, 2, 3, 4, 5, 6]


def test_a_length_that_is_asked_for_is_kept() -> None:
    for bars in (5, 8, 40):
        made = pieces(of_length(channel(), bars), 2)
        assert [(len(piece.bars), piece.prefix.bars) for piece in made] == [(bars, bars)] * 2


def test_guidance_changes_what_is_written() -> None:
    guided = replace(channel(), sampling=SamplingConfig(guidance=3.0))
    assert pieces(guided, 1)[0].bars != pieces(channel(), 1)[0].bars


def written(own: Writer, bars: int) -> list[Piece | Bar]:
    while len(own.queue) < bars + 1:
        advance(own.engine, [own])
    return list(own.queue)


def test_a_piece_that_is_taken_up_again_goes_on_as_it_would_have() -> None:
    own = of_length(channel(), 8)
    whole = written(writer(own), 8)
    piece = whole[0]
    assert isinstance(piece, Piece)
    begun = piece.with_bars(tuple(item for item in whole[1:4] if isinstance(item, Bar)))
    other = writer(own, seed=99)
    other.resume(begun)
    while len(other.queue) < 2:
        advance(other.engine, [other])
    assert list(other.queue)[:2] == whole[4:6]


def test_an_endless_channels_pieces_go_on_from_one_another_and_no_end_is_in_sight() -> None:
    own = replace(of_length(channel(), 12), endless=True)
    made = writer(own)
    items = written(made, 15)
    row = made.engine.rows[0]
    assert row is not None
    first, second = (item for item in items if isinstance(item, Piece))
    bars = [item for item in items if isinstance(item, Bar)]
    assert [bar.left for bar in bars[:14]] == [*range(12, 0, -1), 12, 11]
    assert abs(np.log2(second.prefix.tempo / first.prefix.tempo)) < 0.07
    assert made.planner.plan(second.seed, second.prefix.key, second.prefix.tempo).prefix == second.prefix
    context = tokens.decode(np.array(row.context.written, dtype=np.int32), second.prefix.tempo)
    assert [bar.notes for bar in context[:CARRIED]] == [bar.notes for bar in bars[12 - CARRIED : 12]]
    assert {bar.left for bar in context} == {FAR}
    assert row.prefix.tolist() == tokens.encode_prefix(replace(second.prefix, bars=0)).tolist()
    assert not [position for position in row.context.written if position[0] == tokens.END]


def test_a_skip_and_a_piece_that_the_guard_ended_are_not_gone_on_from() -> None:
    own = replace(of_length(channel(), 12), endless=True)
    made = writer(own)
    written(made, 11)
    assert made.draft is not None
    made.draft.stopped = True
    while len(made.queue) < 15:
        advance(made.engine, [made])
    assert made.draft is not None
    assert made.draft.before == ()
    while len(made.queue) < 28:
        advance(made.engine, [made])
    assert len(made.draft.before) == CARRIED
    made.skip()
    made.prepare()
    assert made.draft.before == ()


def test_a_finished_piece_is_not_taken_up_again() -> None:
    made = writer(channel())
    piece = Piece(Prefix("bach", meter=Meter(4, 4), tempo=100.0), "Over", (replace(tune(1)[0], left=1),))
    made.resume(piece)
    advance(made.engine, [made])
    assert isinstance(made.queue[0], Piece)


def test_every_bar_of_a_section_that_returns_resembles_one_of_its_first_statement_but_for_an_ending() -> None:
    prefix = Prefix("bach", meter=Meter(4, 4), tempo=100.0)
    plan = planner.returning(planner.Plan(prefix, "AABBAACCAA", (0, 0, 0, 0, 4, 0, 0, 0, 0, 0), ()))
    assert plan.repeats == (0, 0, 0, 0, 4, 4, 0, 0, 0, 0)
    assert plan.sections == "AABBAACCCC"  # an ending that resembles nothing, or the bar before it, is no return
    assert planner.returning(replace(plan, sections="AABBAACCCA", repeats=(0,) * 9 + (1,))).sections == "AABBAACCCC"
    assert planner.returning(replace(plan, sections="AABBAACCAA", repeats=(0,) * 9 + (8,))).repeats[8:] == (0, 8)
    later = planner.returning(planner.Plan(prefix, "AAAABBAABB", (0, 0, 0, 0, 0, 0, 4, 0, 0, 0), ()))
    assert later.repeats[6:8] == (4, 4)  # with its neighbour, at the first statement's second unit
    astray = planner.returning(planner.Plan(prefix, "AAAABBBBAABB", (0, 0, 0, 0, 0, 0, 0, 0, 7, 6, 7, 0), ()))
    assert astray.repeats[8:11] == (8, 8, 6)  # not bars beside its own, nor of another section
    onwards = planner.returning(planner.Plan(prefix, "AAAABBBBAAAACC", (0, 1, 1, 1, 0, 0, 0, 0, 8, 1, 1, 1, 0, 0), ()))
    assert onwards.repeats[8:12] == (8, 8, 8, 8)  # what went on as the bar before is not found again by going on


def test_a_bar_of_a_section_that_returns_may_resemble_its_own_by_way_of_another() -> None:
    prefix = Prefix("bach", meter=Meter(4, 4), tempo=100.0)
    plan = planner.Plan(prefix, "AABBAABBAABB", (0, 0, 0, 0, 4, 4, 4, 4, 4, 8, 4, 4), ())
    assert planner.returning(plan) == plan


@given(st.text("ABCH", min_size=4, max_size=60), st.data())
def test_a_plan_made_to_return_has_bars_resemble_earlier_ones_only_and_is_made_so_once(
    sections: str, data: st.DataObject
) -> None:
    repeats = tuple(data.draw(st.integers(0, min(bar, 64))) for bar in range(len(sections)))
    prefix = Prefix("bach", meter=Meter(4, 4), tempo=100.0)
    plan = planner.returning(planner.Plan(prefix, sections, repeats, ()))
    found = plan.repeats
    assert all(0 <= back <= bar for bar, back in enumerate(found))
    assert all(back for back, was in zip(found, repeats, strict=True) if was)
    again = replace(plan, repeats=found)
    assert planner.returning(again) == again


def test_a_changed_plan_keeps_the_length_and_goes_plainly_on() -> None:
    prefix = Prefix("bach", meter=Meter(4, 4), tempo=100.0, key="C major")
    bars = tuple(replace(bar, left=8 - n, section="B") for n, bar in enumerate(tune(1)[:3]))
    plan = planner.Plan(prefix, "A" * 20, (0,) * 20, (6,))
    plain = continued(plan, Piece(prefix, "Title", bars))
    assert plain.sections == "B" * 8
    assert plain.bars == 8
    assert plain.programs == (0, 6)


def test_a_piece_goes_on_with_programs_that_its_channel_does_not_have_any_more() -> None:
    own = replace(of_length(channel(), 8), allowed=(0,))
    made = writer(own)
    # After a note at the bar's last tick comes another one there, or the bar line.
    late = Note(95, 24, 60, 80, 19)
    bars = tuple(replace(bar, left=8 - n, notes=(late,)) for n, bar in enumerate(tune(1)[:3]))
    for seed in range(10):
        made.resume(Piece(Prefix("bach", meter=Meter(4, 4), tempo=100.0), "Begun", bars, 1, seed))
        assert len(written(made, 5)) == 6


def test_the_engine_runs_past_its_window_without_losing_its_place() -> None:
    engine = Engine(weights.load(model()), 1)
    piece = [tuple(p) for p in tokens.encode(tune(3, 16), 100.0, ended=False).tolist()]
    state = grammar.State(Meter(4, 4), Meter(4, 4), grammar.allowed_programs(()))
    row = Row(
        tokens.any_prefix(), Sampling(), state, np.random.default_rng(1), Context(engine.model.config.room, piece[:1])
    )
    engine.open(0, row)
    for position in piece[1:]:
        if position[0] >= tokens.BAR:
            engine.begin_bar(0, grammar.State(Meter(4, 4), Meter(4, 4), state.programs), row.rng, Sampling(), None)
        engine.write([0], [position])
        assert len(row.prefix) + len(row.context.held().positions) <= engine.model.config.context
    assert row.context.written == piece
    assert row.state.onset == piece[-1][0] - tokens.RANGES["onset"].start


def test_a_shadow_keeps_time_with_its_row_however_often_their_windows_begin_anew() -> None:
    engine = Engine(weights.load(model()), 1)
    piece = [tuple(p) for p in tokens.encode(tune(3, 40), 100.0, ended=False).tolist()]
    state = grammar.State(Meter(4, 4), Meter(4, 4), grammar.allowed_programs(()))
    sampling = Sampling(guidance=2.0)
    prefix = tokens.encode_prefix(Prefix("bach"))
    row = Row(prefix, sampling, state, np.random.default_rng(1), Context(engine.model.config.room, piece[:40]))
    engine.open(0, row)
    assert len(row.voices) == 2
    assert sum(voice.weight for voice in row.voices) == 1
    begun = set()
    for position in piece[40:]:
        if position[0] >= tokens.BAR:
            engine.begin_bar(0, grammar.State(Meter(4, 4), Meter(4, 4), state.programs), row.rng, sampling, None)
        engine.write([0], [position])
        begun.add(row.voices[0].origin)
    assert len(begun) > 3
    assert row.tick == int(tokens.times(np.array(piece))[-1])
    plain = Row(prefix, Sampling(), state, np.random.default_rng(1), Context(engine.model.config.room, piece))
    other = Engine(weights.load(model()), 1)
    other.open(0, plain)
    assert (plain.tick, plain.bar_tick, plain.bar_ticks) == (row.tick, row.bar_tick, row.bar_ticks)


def test_a_row_that_is_not_open_is_refused() -> None:
    with pytest.raises(ValueError, match="row 0 is not open"):
        Engine(weights.load(model()), 1).draw([0])


# --- the planner ---


def test_neighbouring_pieces_are_in_related_keys() -> None:
    own = planner.Planner(channel(), planner.load(model()))
    for seed in range(20):
        key = own.key(seed, "G major")
        assert key in (own.plan(seed, "").prefix.key, *keys.related("G major"))


def test_a_plan_keeps_to_what_the_channel_wants() -> None:
    own = planner.Planner(channel(tempo=(60.0, 70.0), bars=(8, 12), keys=("A minor",)), planner.load(model()))
    for seed in range(10):
        plan = own.plan(seed, own.key(seed, ""))
        assert 60 <= plan.prefix.tempo <= 70
        assert plan.bars == plan.prefix.bars <= 12
        assert plan.prefix.key == "A minor"
        assert len(plan.repeats) == plan.bars


def test_neighbouring_pieces_contrast_more_than_pieces_drawn_blindly() -> None:
    own = planner.Planner(channel(), planner.load(model()))
    skeletons = [
        replace(own.plans[0], prefix=replace(own.plans[0].prefix, tempo=tempo)) for tempo in (60.0, 90.0, 140.0)
    ]
    own.plans = skeletons
    rng = np.random.default_rng(1)
    recent: list[Prefix] = []
    for _ in range(60):
        recent.append(own.plan(own.next(rng, recent), "").prefix)
    blind = [own.plan(int(seed), "").prefix for seed in rng.integers(2**31, size=60)]

    def contrast(pieces: list[Prefix]) -> float:
        return float(np.mean([abs(np.log2(a.tempo / b.tempo)) for a, b in pairwise(pieces)]))

    assert contrast(recent) > 1.3 * contrast(blind)


def test_a_channels_shapes_are_given_to_its_pieces() -> None:
    own = planner.Planner(channel(shapes=("ternary", "free")), planner.load(model()))
    plans = [own.plan(seed, "") for seed in range(20)]
    returning = [plan for plan in plans if plan.sections[: plan.bars // 3] == plan.sections[-(plan.bars // 3) :]]
    assert 3 < len(returning) < 17
    assert all(plan.bars == len(plan.repeats) == plan.prefix.bars for plan in plans)


def test_a_style_the_model_does_not_know_is_refused() -> None:
    with pytest.raises(ModelError, match=r"channel polka: prefix.style: .*it has bach, ragtime"):
        planner.Planner(channel("polka"), planner.load(model()))


def test_missing_or_broken_plans_are_named(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match=r"plans\.json"):
        planner.load(tmp_path)
    (tmp_path / planner.PLANS).write_text('{"bach": 3}')
    with pytest.raises(ModelError, match="not a list of plans"):
        planner.load(tmp_path)


# --- all channels together ---


def test_channels_that_wait_are_written_for_by_seconds_not_by_notes() -> None:
    own = Composer(model(), [channel("bach"), channel("ragtime")], seed=1)
    bach, ragtime = own.writers.values()
    bach.written = ragtime.written + 10.0
    assert own.hungry() == [ragtime]
    ragtime.written = bach.written
    assert own.hungry() == [bach, ragtime]


def filled(composer: Composer) -> Composer:
    while composer.hungry():
        composer.advance()
    return composer


def test_every_queue_is_filled_and_nothing_more_is_written_until_one_is_low() -> None:
    composer = filled(Composer(model(), [channel("bach"), channel("ragtime")], seed=1))
    writers = composer.writers
    assert all(writer.seconds_ahead() >= FULL for writer in writers.values())
    given = list(composer.news())
    assert list(composer.news()) == []
    assert isinstance(given[0][1], Piece)
    drawn = composer.engine.drawn
    while writers["bach"].seconds_ahead() >= LOW:
        assert composer.hungry() == []
        composer.taken("bach")
    assert composer.hungry() == [writers["bach"]]
    filled(composer)
    assert writers["bach"].seconds_ahead() >= FULL
    assert composer.engine.drawn > drawn


# --- its process ---


@contextmanager
def running(*names: str, **settings: Any) -> Iterator[ComposerProcess]:
    composer = ComposerProcess(model(), seed=1, **settings)
    composer.start()
    for name in names:
        composer.open(channel(name))
    try:
        yield composer
    finally:
        composer.stop()


def test_the_process_gives_what_the_composer_writes_and_numbers_outlive_it(tmp_path: Path) -> None:
    own = Composer(model(), [channel("bach"), channel("ragtime")], seed=1)
    wanted = [item for name, item in filled(own).news() if name == "ragtime"]
    with running("bach", "ragtime", state=tmp_path) as composer:
        assert [composer.take("ragtime", 60.0) for _ in wanted] == wanted
        assert isinstance(composer.take("bach", 60.0), Piece)
    with running("bach", "ragtime", state=tmp_path) as composer:
        opening = composer.take("bach", 60.0)
        assert isinstance(opening, Piece)
        assert opening.number == json.loads((tmp_path / "bach.numbers.json").read_text())[""] > 1


def test_a_skip_begins_another_piece_and_a_resume_goes_on_with_one() -> None:
    with running("bach") as composer:
        first = composer.take("bach", 60.0)
        bars = [composer.take("bach", 60.0) for _ in range(3)]
        assert isinstance(first, Piece)
        composer.skip("bach")
        second = composer.take("bach", 60.0)
        assert isinstance(second, Piece)
        assert second.number > first.number
        composer.resume("bach", first.with_bars(tuple(bar for bar in bars[:2] if isinstance(bar, Bar))))
        assert composer.take("bach", 60.0) == bars[2]
        assert composer.trouble is None


def test_nothing_in_time_is_none() -> None:
    with running("bach") as composer:
        assert composer.take("jazz", 0.01) is None


def test_channels_come_change_and_go_while_others_are_written_as_they_would_have_been() -> None:
    own = Composer(model(), [channel("bach")], seed=1)
    wanted = [item for _, item in filled(own).news()]
    with running("bach") as composer:
        got = [composer.take("bach", 60.0)]
        composer.open(channel("ragtime"))
        assert isinstance(composer.take("ragtime", 60.0), Piece)
        composer.open(replace(channel("ragtime"), allowed=(6,)))
        changed = composer.take("ragtime", 60.0)
        assert isinstance(changed, Piece)
        bar = composer.take("ragtime", 60.0)
        assert isinstance(bar, Bar)
        assert {note.program for note in bar.notes} <= {6}
        composer.keep(["bach"])
        composer.skip("ragtime")
        assert composer.take("ragtime", 0.01) is None
        got += [composer.take("bach", 60.0) for _ in wanted[1:]]
        assert got == wanted
        assert composer.trouble is None


def test_a_channel_the_model_knows_nothing_of_is_refused_and_others_are_written() -> None:
    with running("bach") as composer:
        composer.open(channel("polka"))
        with pytest.raises(ModelError, match=r"no plans for 'polka'"):
            composer.take("polka", 60.0)
        assert isinstance(composer.take("bach", 60.0), Piece)
        composer.open(replace(channel("ragtime"), name="polka"))
        assert isinstance(composer.take("polka", 60.0), Piece)


def ended(composer: ComposerProcess) -> BaseException | None:
    """What it died of, once its process has ended."""
    composer._reader.join(60.0)
    return composer.trouble


def test_a_process_that_dies_is_the_trouble() -> None:
    with running("bach") as composer:
        assert isinstance(composer.take("bach", 60.0), Piece)
        next(process for process in multiprocessing.active_children() if process.name == "composer").kill()
        assert "exit status -9" in str(ended(composer))


def test_a_model_that_cannot_be_used_is_the_trouble(tmp_path: Path) -> None:
    composer = ComposerProcess(tmp_path)
    composer.start()
    trouble = ended(composer)
    assert isinstance(trouble, MissingError)
    assert str(tmp_path) in str(trouble)
    composer.stop()


def test_unusable_numbers_are_begun_anew(tmp_path: Path) -> None:
    (tmp_path / "bach.numbers.json").write_text("[1]")
    assert Numbers(tmp_path, "bach").total == 0
