"""Originality: the shipped index finds copies, names them, says nothing of new music, and survives being stored."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import music
from music import Tune, laid_out, melody
from radio.composer import corpus, memory, originality
from radio.composer.memory import GRAM
from radio.composer.originality import SURE, WINDOW, Certificate, Index, Match, Source, Watch
from radio.errors import MissingError
from radio.music.score import DRUMS, Bar, Meter, Note

UNSEEN = 2 * (WINDOW - 1)
"""Notes that a run may be longer than found."""


def line(own: Tune) -> memory.Tokens:
    return memory.line(laid_out(own))


def source(number: int, own: Tune, style: str = "bach") -> Source:
    return Source(f"Piece {number}", f"work {number}", style, line(own))


@pytest.fixture(scope="module")
def index() -> Index:
    return originality.build([source(number, melody(number)) for number in range(50)])


@pytest.mark.parametrize(
    "bars",
    [
        laid_out(melody(7)),
        laid_out(melody(7), up=-5),
        laid_out(melody(7), late=5, tempo=63.0),
        laid_out(melody(7), up=3, late=7, meter=Meter(3, 4)),
    ],
    ids=["verbatim", "transposed", "from within a bar, at another tempo", "in another meter"],
)
def test_a_copy_is_found_and_named(index: Index, bars: list[Bar]) -> None:
    match = index.longest(bars)
    assert match.title == "Piece 7"
    assert 100 - UNSEEN <= match.length <= 100
    assert 1 - UNSEEN / 100 <= match.coverage <= 1


def test_a_quotation_of_20_notes_within_new_music_is_found_and_named(index: Index) -> None:
    match = index.longest(laid_out(melody(100, 30) + melody(4)[40:60] + melody(101, 50)))
    assert match.title == "Piece 4"
    assert 20 - UNSEEN <= match.length <= 20
    assert match.coverage == match.length / 100


def test_a_changed_note_ends_one_run_and_begins_another(index: Index) -> None:
    changed = melody(7)
    changed[60] = (3, 20)
    match = index.longest(laid_out(changed))
    assert 60 - UNSEEN <= match.length <= 60
    assert match.length == index.heard(Watch(), line(changed)).match.length
    assert 99 - 2 * UNSEEN <= match.coverage * 100 <= 99


def test_a_run_of_one_gram_covers_nothing(index: Index) -> None:
    places = originality.fingerprints(line(melody(7)))[1]
    gram = melody(7)[places[3] : places[3] + memory.GRAM + 1]
    match = index.longest(laid_out(melody(100, 20) + gram + melody(101, 20)))
    assert match == Match(memory.GRAM + 1, "Piece 7", 0.0)


def test_every_quotation_of_sure_length_is_found(index: Index) -> None:
    for start in range(100 - SURE):
        quoting = melody(100, 12) + melody(9)[start : start + SURE] + melody(101, 12)
        assert index.longest(laid_out(quoting)).title == "Piece 9", start


def test_shuffled_music_is_nobodys(index: Index) -> None:
    notes = melody(7)
    random.Random(1).shuffle(notes)
    assert index.longest(laid_out(notes)) == Match()


def test_a_trill_is_nobodys() -> None:
    trill = [(1, 60 + step % 2) for step in range(200)]
    index = originality.build([source(0, trill)])
    assert len(index.hashes) == 0
    assert index.longest(laid_out(trill)) == Match()


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 80), st.integers(2, 40)), min_size=1, max_size=6))
def test_a_found_run_is_never_too_long_and_hardly_too_short(parts: list[tuple[int, int, int]]) -> None:
    works = [source(number, melody(number)) for number in range(10)]
    pasted = line([note for work, start, count in parts for note in melody(work)[start : start + count]])
    exact = memory.Runs((one.work, one.line) for one in works).search(pasted).longest.length
    found = originality.build(works).heard(Watch(), pasted).match.length
    assert found <= exact
    assert found >= (exact - UNSEEN if exact >= SURE else 0)


def test_a_watch_sees_a_run_grow_bar_by_bar(index: Index) -> None:
    bars = laid_out(melody(7))
    watch, seen = Watch(), []
    for bar in bars:
        watch = index.after(watch, bar)
        seen.append(watch.run)
    grown = [run for run in seen if run]
    assert grown == sorted(grown)
    assert grown[-1] == watch.match.length == index.longest(bars).length


def test_a_watch_says_that_the_run_ended_once_the_music_is_new(index: Index) -> None:
    watch = Watch()
    for bar in laid_out(melody(100, 20) + melody(7)[:40]):
        watch = index.after(watch, bar)
    assert watch.run >= 40 - UNSEEN
    for bar in laid_out(melody(101, 40)):
        watch = index.after(watch, bar)
    assert watch.run == 0
    assert watch.match.length >= 40 - UNSEEN


def test_a_bar_can_be_taken_back(index: Index) -> None:
    copied, new = laid_out(melody(7)), laid_out(melody(100))
    watch = Watch()
    for bar in copied[:10]:
        watch = index.after(watch, bar)
    held = dict(watch.open)
    first = index.after(watch, copied[10])
    refused = index.after(watch, new[10])
    assert (watch.open, index.after(watch, copied[10])) == (held, first)
    assert first != refused


def test_bars_without_a_line_neither_break_a_run_nor_count(index: Index) -> None:
    first, second = melody(7)[:50], melody(7)[50:]
    gap, pitch = 16, second[0][1]
    rested = originality.build([source(0, [*first, (gap, pitch), *second[1:]])])
    drums = Bar(music.COMMON, 100.0, (Note(0, DRUMS, 36, 6, 80),))
    watch = Watch()
    for bar in [*laid_out(first), drums, drums, *laid_out(second)]:
        watch = rested.after(watch, bar)
    assert watch.match.length >= 100 - UNSEEN
    assert watch.notes == 100


def test_people_are_measured_without_their_own_work_and_its_versions() -> None:
    works = [
        source(1, melody(1)),
        source(1, melody(1)[:60] + melody(10)[:30]),
        source(2, melody(51, 10) + melody(1)[10:]),
        source(3, melody(2) + melody(1)[30:50] + melody(3)),
        source(4, melody(4)),
    ]
    lengths = originality.human(originality.build(works), works)
    assert all(20 - UNSEEN <= length <= 20 for length in lengths[:4])
    assert lengths[4] == 0


def test_a_limit_is_under_what_people_of_the_style_share_but_no_less_than_a_fingerprint_shows() -> None:
    quoted = melody(1)[20:60]
    works = [
        source(number, melody(100 + number, 90) + quoted + melody(200 + number, 90), "folk") for number in range(6)
    ]
    works += [source(number, melody(number), "jazz") for number in range(50, 56)]
    index = originality.with_limits(originality.build(works), works)
    assert set(index.limits) == {"folk", "jazz"}
    assert 40 - UNSEEN <= index.limits["folk"] <= 40
    assert index.limit("folk") == index.limits["folk"] - 1
    assert index.limits["jazz"] == 0
    assert index.limit("jazz") == GRAM + 1
    assert GRAM < index.limit("unheard of") < 40


def test_what_is_saved_is_what_is_loaded(index: Index, tmp_path: Path) -> None:
    path = tmp_path / "model" / "works.npz"
    limited = originality.with_limits(index, [source(number, melody(number)) for number in range(5)])
    limited.save(path)
    loaded = Index.load(path)
    for name in ("hashes", "pieces", "places"):
        before, after = getattr(limited, name), getattr(loaded, name)
        assert before.dtype == after.dtype
        assert np.array_equal(before, after)
    assert (loaded.titles, loaded.works, loaded.styles) == (limited.titles, limited.works, limited.styles)
    assert loaded.limits == limited.limits
    assert loaded.longest(laid_out(melody(7))) == limited.longest(laid_out(melody(7)))


def test_an_index_of_nothing_can_be_stored_and_asked(tmp_path: Path) -> None:
    originality.build([]).save(tmp_path / "none.npz")
    empty = Index.load(tmp_path / "none.npz")
    assert empty.longest(laid_out(melody(1))) == Match()
    assert empty.limit("bach") == GRAM + 1


def test_a_missing_index_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match=r"works\.npz"):
        Index.load(tmp_path / "works.npz")


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "text", "array"])
def test_a_damaged_index_is_refused(index: Index, tmp_path: Path, damage: str) -> None:
    path = tmp_path / "works.npz"
    index.save(path)
    whole = path.read_bytes()
    middle = len(whole) // 2
    if damage == "array":
        with path.open("wb") as file:
            np.save(file, np.arange(3))
    else:
        broken = {
            "cut": whole[:middle],
            "flipped": whole[:middle] + bytes([whole[middle] ^ 255]) + whole[middle + 1 :],
            "empty": b"",
            "text": b"not an index",
        }
        path.write_bytes(broken[damage])
    with pytest.raises(ValueError, match=r"works\.npz: damaged"):
        Index.load(path)


def test_an_index_of_another_version_is_refused(index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "works.npz"
    index.save(path)
    monkeypatch.setitem(originality._SETTINGS, "window", WINDOW + 1)
    with pytest.raises(ValueError, match="other settings"):
        Index.load(path)


def test_an_index_of_five_million_notes_stays_below_8_megabytes(tmp_path: Path) -> None:
    """Hashes lie farther apart in a smaller index and take more bytes: the real one is smaller than this says."""
    rng = np.random.default_rng(1)
    count, length = 600, 500
    works = [
        Source(f"Title of piece {number}", f"work {number}", "bach", rng.integers(0, 4000, length).astype(np.uint16))
        for number in range(count)
    ]
    originality.build(works).save(tmp_path / "works.npz")
    assert (tmp_path / "works.npz").stat().st_size / (count * length) * 5e6 < 8e6


def test_more_pieces_than_can_be_numbered_are_refused() -> None:
    none = np.zeros(0, dtype=np.uint16)
    with pytest.raises(ValueError, match="65536 at most"):
        originality.build([Source("", "", "", none)] * 65537)


def test_the_training_pieces_of_a_corpus_are_remembered_and_the_others_are_not(tmp_path: Path) -> None:
    corpus.build(music.corpus(tmp_path / "midi"), tmp_path / "data", workers=1)
    data = corpus.Corpus.load(tmp_path / "data")
    sources = originality.training(data)
    kept = data.split(validation=False)
    assert [one.work for one in sources] == [entry.work for entry in kept]
    assert {one.style for one in sources} == {"bach", "ragtime"}
    assert sources[0].title == f"Bach: {kept[0].title}"


def test_a_certificate_says_how_to_check_it() -> None:
    certificate = Certificate.of(Match(14, "Piece 7", 0.12345), model="0f3a", seed=99)
    assert certificate.to_json() == {
        "length": 14,
        "title": "Piece 7",
        "coverage": 0.123,
        "model": "0f3a",
        "seed": 99,
    }
