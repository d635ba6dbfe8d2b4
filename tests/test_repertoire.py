from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from music import tune
from radio.composer import repertoire
from radio.composer.guard import Guard, Heard
from radio.composer.originality import Certificate, build
from radio.composer.repertoire import Repertoire
from radio.music.score import Bar, Piece, Prefix


def piece(seed: int, title: str = "") -> Piece:
    return Piece(Prefix(), title or f"Tune No. {seed}", number=seed, seed=seed).with_bars(tuple(tune(seed, 24)))


def moved(bars: Sequence[Bar], semitones: int) -> list[Bar]:
    return [replace(bar, notes=tuple(replace(n, pitch=n.pitch + semitones) for n in bar.notes)) for bar in bars]


def faults(own: Guard, bars: Sequence[Bar]) -> Iterator[str]:
    heard = Heard()
    for bar in bars:
        heard, fault = own.judge(heard, bar)
        yield fault


def guarded(own: Repertoire) -> Guard:
    return Guard("bach", None, build([]), repertoire=own)


@pytest.mark.parametrize("semitones", [0, 5, -3])
def test_a_piece_that_was_played_does_not_come_again_in_any_key(tmp_path: Path, semitones: int) -> None:
    own = guarded(Repertoire(tmp_path, "bach"))
    assert not any(faults(own, piece(1).bars))
    own.finish(Heard(), piece(1))
    assert "again" in list(faults(own, moved(piece(1).bars, semitones)))
    assert not any(faults(own, piece(2).bars))


def test_what_was_played_is_known_after_a_restart(tmp_path: Path) -> None:
    for seed in (1, 2):
        guarded(Repertoire(tmp_path, "bach")).finish(Heard(), piece(seed))
    own = Repertoire(tmp_path, "bach")
    assert len(own) == 2
    for seed in (1, 2):
        assert own.index.longest(piece(seed).bars).title == f"Tune No. {seed}"
    assert not own.index.longest(piece(3).bars).title
    assert len(Repertoire(tmp_path, "jazz")) == 0


def test_the_log_says_of_each_piece_what_it_was(tmp_path: Path) -> None:
    own = Repertoire(tmp_path, "bach")
    own.add(piece(7, "Gigue à la “Été”"), Certificate(9, "A work", 0.01, "0123456789abcdef", 7))
    told = json.loads((tmp_path / "bach.pieces.jsonl").read_text(encoding="utf-8"))
    assert told["title"] == "Gigue à la “Été”"
    assert (told["seed"], told["number"], told["bars"], told["model"]) == (7, 7, 24, "0123456789abcdef")
    assert (told["length"], told["with"]) == (9, "A work")
    assert told["at"].endswith("+00:00")


def test_a_damaged_line_costs_its_own_piece_only(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    own = Repertoire(tmp_path, "bach")
    for seed in (1, 2, 3):
        own.add(piece(seed), None)
    path = tmp_path / "bach.pieces.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join([lines[0], lines[1][:-40], lines[2]]) + "\n", encoding="utf-8")
    again = Repertoire(tmp_path, "bach")
    assert len(again) == 2
    assert "not usable" in caplog.text
    assert again.index.longest(piece(3).bars).title == "Tune No. 3"


def test_the_oldest_are_forgotten_and_the_file_does_not_grow_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repertoire, "MOST", 3)
    own = Repertoire(tmp_path, "bach")
    for seed in range(1, 9):
        own.add(piece(seed), None)
    assert len(own) == 3
    assert not own.index.longest(piece(5).bars).title
    assert own.index.longest(piece(6).bars).title == "Tune No. 6"
    assert len((tmp_path / "bach.pieces.jsonl").read_text(encoding="utf-8").splitlines()) < 8


def test_without_a_folder_pieces_are_remembered_until_the_end() -> None:
    own = Repertoire(None, "bach")
    own.add(piece(1), None)
    assert own.index.longest(piece(1).bars).title == "Tune No. 1"
