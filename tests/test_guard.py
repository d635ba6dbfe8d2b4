"""The guard: what it refuses, and what the writer then does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from models import UNGUARDED, channel, data, model, writer
from music import tune
from radio.composer import guard
from radio.composer.corpus import Corpus
from radio.composer.guard import SPAN, Guard, Heard
from radio.composer.kit import collapse
from radio.composer.kit.collapse import Limits
from radio.composer.originality import build, training
from radio.composer.writer import CLOSE, Writer, advance
from radio.errors import MissingError, ModelError
from radio.music import grammar, tokens
from radio.music.score import BEAT, Bar, Meter, Note, Piece

LIMITS = Limits(density=(0.5, 6.0), entropy=(0.5, 3.6), loop=6)
BLANK = Bar(Meter(4, 4), 60.0, ())


def faults(own: Guard, bars: Sequence[Bar]) -> Iterator[str]:
    """What is wrong with each bar, all of them accepted."""
    heard = Heard()
    for bar in bars:
        heard, fault = own.judge(heard, bar)
        yield fault


def plain() -> Guard:
    return Guard("bach", LIMITS, None)


def fresh(count: int) -> list[Bar]:
    """Bars that do not repeat each other."""
    return tune(5, 2 * count)[:count]


def test_music_within_the_limits_passes() -> None:
    assert not any(faults(plain(), fresh(40)))


@pytest.mark.parametrize("period", [1, 2, 3, 4])
def test_a_figure_that_goes_round_too_long_is_refused(period: int) -> None:
    found = list(faults(plain(), fresh(period) * 12))
    assert found.index("loop") == max(LIMITS.loop, 2 * period - 1)
    assert not any(found[: LIMITS.loop])


def test_a_bar_that_comes_back_from_afar_is_no_loop() -> None:
    assert not any(faults(plain(), fresh(8) * 4))


def test_silence_is_refused_however_it_is_made() -> None:
    short = replace(BLANK, notes=(Note(0, 0, 60, BEAT, 64),))
    late = replace(BLANK, notes=(Note(3 * BEAT, 0, 60, BEAT, 64),))
    brief = replace(short, tempo=120.0)
    assert list(faults(plain(), [short])) == ["silence"]  # 3 s at its end
    assert list(faults(plain(), [brief, late])) == ["", "silence"]  # 1.5 s and 3 s
    inside = replace(BLANK, notes=(short.notes[0], Note(3 * BEAT + 18, 0, 62, 6, 64)))
    assert list(faults(plain(), [inside])) == ["silence"]  # 2.75 s between its notes
    assert not any(faults(plain(), [replace(BLANK, notes=(Note(0, 19, 60, 6 * BEAT, 64),)), late]))


def test_a_piece_may_end_in_silence() -> None:
    assert not any(faults(plain(), [replace(BLANK, left=1, notes=(Note(0, 0, 60, BEAT, 64),))]))


def test_a_plucked_note_is_not_heard_for_as_long_as_it_is_held() -> None:
    held = replace(BLANK, tempo=30.0, notes=(Note(0, 6, 60, 4 * BEAT, 64),))  # 8 s
    assert list(faults(plain(), [held])) == ["silence"]
    assert not any(faults(plain(), [replace(held, notes=(replace(held.notes[0], program=19),))]))


def test_a_note_held_too_long_is_refused() -> None:
    held = replace(BLANK, notes=(Note(0, 0, 60, 17 * BEAT, 64),))
    assert list(faults(plain(), [held])) == ["held"]


@pytest.mark.parametrize(("kind", "pitches"), [("density", range(40, 70)), ("entropy", [60, 60, 60])])
def test_what_stays_outside_the_styles_range_is_refused_in_time(kind: str, pitches: Sequence[int]) -> None:
    bars = [
        replace(BLANK, notes=tuple(Note(n % 4 * BEAT + index % 7, 0, p, 12, 64) for n, p in enumerate(pitches)))
        for index in range(3 + 3 * SPAN)
    ]
    found = list(faults(plain(), bars))
    assert [index for index, fault in enumerate(found) if fault] == [3 + SPAN - 1, 3 + 2 * SPAN - 1]
    assert (found[3 + SPAN - 1], found[3 + 2 * SPAN - 1]) == (kind, "collapse")
    # The bars of the end, and those of the next piece that are taken together with it, may lie outside as well.
    assert 2 * SPAN + (CLOSE - 1) + (collapse.GROUP - 1) + collapse.GROUP - 1 < collapse.SPAN


def test_a_copy_of_a_training_work_is_refused_in_any_key_before_it_is_long() -> None:
    corpus = Corpus.load(data())
    index = build(training(corpus))
    own = Guard("bach", None, index)
    entry = corpus.split(validation=False)[0]
    bars = tokens.decode(corpus.of(entry), entry.tempo)
    moved = [replace(bar, notes=tuple(replace(note, pitch=note.pitch + 3) for note in bar.notes)) for bar in bars]
    found = list(faults(own, moved))
    assert "copy" in found
    notes = sum(len({note.onset for note in bar.notes}) for bar in moved[: found.index("copy") + 1])
    assert notes <= own.longest + 2 * 8
    assert not any(faults(own, tune(77, 40)))


class Strict(Guard):
    """Refuses the bar of one number, so many times."""

    def __init__(self, bar: int, times: int, fault: str = "copy") -> None:
        super().__init__("bach", None, None)
        self.bar, self.times, self.fault = bar, times, fault
        self.refused: list[Bar] = []

    def judge(self, heard: Heard, bar: Bar) -> tuple[Heard, str]:
        number = int(heard.quiet)
        if number == self.bar and len(self.refused) < self.times:
            self.refused.append(bar)
            return replace(heard, quiet=number + 1.0), self.fault
        return replace(heard, quiet=number + 1.0), ""


def written(own: Guard, **prefix: object) -> tuple[Piece, list[Bar], Writer]:
    """A piece of the untrained model."""
    made = writer(channel(**prefix), heeds=own)
    while not any(isinstance(item, Bar) and item.left == 1 for item in made.queue):
        advance(made.engine, [made])
    items = list(made.queue)
    assert isinstance(items[0], Piece)
    return items[0], [item for item in items if isinstance(item, Bar)], made


def test_a_refused_bar_is_drawn_again_and_the_music_before_it_stays() -> None:
    _, straight, _ = written(UNGUARDED)
    own = Strict(3, 2)
    _, mended, made = written(own)
    assert mended[:3] == straight[:3]
    assert own.refused[0].notes == straight[3].notes
    assert mended[3].notes not in [bar.notes for bar in own.refused]
    assert len(mended) == len(straight)
    assert made.repairs == {"copy": 2, "redrawn": 2}


def test_a_bar_that_is_drawn_again_is_not_empty() -> None:
    own = Strict(3, 1)
    made = writer(channel(), heeds=own)
    empty = {}
    while not own.refused:
        advance(made.engine, [made])
        row = made.engine.rows[made.number]
        assert row is not None
        if not row.state.notes:
            assert made.draft is not None
            empty[len(made.draft.piece.bars), made.draft.attempts] = grammar.first(row.state)[tokens.BAR :].any()
    assert empty[3, 0]
    assert not empty[3, 1]


def test_a_finished_piece_has_a_certificate() -> None:
    corpus = Corpus.load(data())
    found = guard.load(model())
    own = found.of("bach")
    entry = corpus.split(validation=False)[0]
    heard = Heard()
    for bar in tokens.decode(corpus.of(entry), entry.tempo):
        heard, _ = own.judge(heard, bar)
    said = own.finish(heard, Piece(entry.prefix(), "A copy", number=7, seed=99))
    assert said is not None
    assert said.seed == 99
    assert said.length > 40
    assert said.title.endswith(entry.title)
    assert said.coverage > 0.5
    assert len(said.model) == 16
    assert f"{said.length}, with “{said.title}”" in str(said)
    piece, _, made = written(own)
    assert made.finished is not None
    assert made.finished.title == piece.title
    assert made.certificate is not None
    assert made.certificate.length < 20


def test_a_bar_that_cannot_be_mended_ends_the_piece() -> None:
    own = Strict(3, 5)
    _, mended, made = written(own)
    assert len(mended) == 3 + CLOSE
    assert [bar.left for bar in mended[-CLOSE:]] == [2, 1]
    assert made.repairs == {"copy": 5, "redrawn": 3, "anchored": 1, "ended": 1}


def test_music_that_is_too_thin_is_not_ended_before_it_has_collapsed() -> None:
    _, straight, _ = written(UNGUARDED)
    _, mended, made = written(Strict(3, 100, "density"))
    assert len(mended) == len(straight)
    assert made.repairs == {"density": 3, "redrawn": 1, "anchored": 1, "passed": 1}
    _, mended, made = written(Strict(3, 100, "collapse"))
    assert len(mended) == 3 + CLOSE
    assert made.repairs == {"collapse": 2, "ended": 1, "passed": 1}


def test_a_piece_of_the_one_length_asked_for_is_not_ended() -> None:
    _, mended, made = written(Strict(3, 100), bars=(8, 8))
    assert len(mended) == 8
    assert made.repairs == {"copy": 5, "redrawn": 3, "anchored": 1, "passed": 1}


def test_after_every_remedy_a_bar_passes() -> None:
    own = Strict(3, 100)
    _, mended, made = written(own)
    assert len(mended) == 3 + CLOSE
    assert made.repairs["passed"] == 1


def test_a_silence_that_nothing_mends_is_the_pieces_last_bar() -> None:
    _, mended, made = written(Strict(3, 6, "silence"))
    assert [bar.left for bar in mended[3:]] == [1]
    assert made.repairs == {"silence": 6, "redrawn": 3, "anchored": 1, "ended": 1, "last": 1}
    _, mended, made = written(Strict(3, 100, "silence"), bars=(8, 8))
    assert len(mended) == 8
    assert made.repairs["passed"] == 1


def test_the_same_seed_is_mended_the_same_way() -> None:
    assert written(Strict(2, 4))[1] == written(Strict(2, 4))[1]


def test_a_piece_taken_up_again_is_judged_by_what_came_before() -> None:
    piece, straight, _ = written(UNGUARDED)
    own = Strict(4, 1)
    made = writer(channel(), heeds=own, seed=9)
    made.resume(piece.with_bars(tuple(straight[:4])))
    while len(made.queue) < 1:
        advance(made.engine, [made])
    assert own.refused[0].notes == straight[4].notes


def test_what_a_guard_needs_is_kept_beside_the_model() -> None:
    found = guard.load(model())
    assert set(found.limits) == {"bach", "ragtime"}
    own = found.of("bach")
    assert own.index is not None
    assert own.longest == own.index.limit("bach") > 0


def test_guard_files_that_are_missing_or_damaged_are_named(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match=r"limits\.json"):
        guard.load(tmp_path)
    (tmp_path / guard.LIMITS).write_text("{}")
    with pytest.raises(MissingError, match=r"originality\.npz"):
        guard.load(tmp_path)
    (tmp_path / guard.INDEX).write_bytes(b"not an index")
    with pytest.raises(ModelError, match="damaged"):
        guard.load(tmp_path)
    (tmp_path / guard.LIMITS).write_text('{"bach": {"density": 1}}')
    with pytest.raises(ModelError, match="limits"):
        guard.load(tmp_path)
