"""From a folder of MIDI files to a model with its card and pieces, as the commands do it."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import mido
import numpy as np
import pytest

from models import TINY, channel, data, model
from music import corpus, tune
from radio.composer import commands, evaluating, weights
from radio.composer.apart import tell_apart
from radio.composer.card import lineage
from radio.composer.compose import compose
from radio.composer.corpus import Corpus
from radio.composer.style import classifier, features, windows
from radio.composer.train import TrainConfig
from radio.composer.unfinished import Unfinished
from radio.config import Config
from radio.music import smf
from radio.music.score import Meter, Piece
from radio.settings import StationConfig

SHORT = TrainConfig(minutes=0.01)
APART = (channel("bach", bars=(8, 8)), channel("ragtime", bars=(8, 8)))


def train(data: Path, out: Path, *, start: Path | None = None, layers: int | None = None, resume: bool = False) -> None:
    commands.train(data, out, SHORT, start=start, layers=layers, resume=resume, device="cpu", threads=1, fuse=False)


@pytest.mark.timeout(300)
def test_a_folder_of_midi_files_becomes_a_model_with_a_card_and_pieces(tmp_path: Path) -> None:
    folder = corpus(tmp_path / "corpus")
    commands.corpus_build(folder, tmp_path / "data", 1)
    out = tmp_path / "model"
    for resume in (False, True):
        train(tmp_path / "data", out, resume=resume)
    assert (out / "curve.png").read_bytes().startswith(b"\x89PNG")
    with (out / "curve.csv").open(newline="") as file:
        assert list(csv.DictReader(file))
    kept = tmp_path / "kept"
    evaluating.evaluate(out, tmp_path / "data", APART, ("bach", "ragtime"), 1, 1, kept, None)
    figures = json.loads((out / "evaluation.json").read_text())
    assert set(figures["bits_per_note"]) == {"bach", "ragtime"}
    assert figures["apart"]["pieces"] == 2
    assert set(figures["panel"]["groups"]) == {"bach", "ragtime"}
    assert -1 <= figures["tag_swap"]["value"] <= 1
    assert set(figures["attack"]) == {"guarded", "unguarded"}
    assert (out / "evaluation.png").read_bytes().startswith(b"\x89PNG")
    evaluating.evaluate_music(kept, tmp_path / "data", 1, None)
    again = json.loads((kept / "evaluation.json").read_text())["panel"]
    assert again["groups"]["bach"]["pieces"] == 1
    text = (out / "README.md").read_text()
    assert "| bach | 10 |" in text
    assert "radio train --data data/corpus --out models/model --fuse --minutes 0.01" in text
    config = Config(StationConfig(model=out, seed=3), {own.name: own for own in APART})
    commands.compose(config, APART[0], 2, 6, tmp_path / "pieces")
    made = sorted((tmp_path / "pieces").iterdir())
    assert [path.suffix for path in made] == [".mid", ".mid"]
    assert [len(smf.read(path).bars) for path in made] == [6, 6]
    told = [message.text for message in mido.MidiFile(made[0], charset="utf-8").tracks[0] if message.type == "text"]
    assert f"Composed by model {weights.digest(out)} from seed " in told[0]


def test_a_run_that_is_over_is_not_trained_further(tmp_path: Path) -> None:
    train(data(), tmp_path)
    before = weights.load(tmp_path).state_dict()
    train(data(), tmp_path, resume=True)
    after = weights.load(tmp_path).state_dict()
    assert all((before[name] == after[name]).all() for name in before)


def test_a_model_is_made_deeper_goes_on_and_tells_where_it_is_from(tmp_path: Path) -> None:
    train(data(), tmp_path / "deep", start=model(), layers=3)
    train(data(), tmp_path / "deep", start=model(), layers=3, resume=True)
    assert weights.load(tmp_path / "deep").config == replace(TINY, layers=3)
    runs = lineage(json.loads((tmp_path / "deep" / "config.json").read_text()))
    assert [layers for layers, _ in runs] == [TINY.layers, 3]


def test_a_model_is_made_shallower_and_trained_further(tmp_path: Path) -> None:
    train(data(), tmp_path, start=model(), layers=1)
    assert weights.load(tmp_path).config == replace(TINY, layers=1)


# --- telling styles apart ---


def test_windows_hold_every_bar_once_and_enough_notes_each() -> None:
    bars = tune(1, 100)
    cut = windows(bars, 90)
    assert [bar for window in cut for bar in window] == bars
    assert all(sum(len(bar.notes) for bar in window) >= 45 for window in cut)


def test_features_do_not_change_with_the_key_nor_with_the_program() -> None:
    bars = tune(4, 16)
    up = [replace(bar, notes=tuple(replace(n, pitch=n.pitch + 3, program=40) for n in bar.notes)) for bar in bars]
    same = features(bars) - features(up)
    registers = slice(-14, -3)
    same[registers] = 0
    assert np.abs(same).max() < 1e-9
    assert len(features(bars, timbre=True)) > len(features(bars))


def test_two_kinds_of_music_are_told_apart_and_one_kind_is_not() -> None:
    waltzes = [features(tune(n, 8, meter=Meter(3, 4), low=40)) for n in range(40)]
    marches = [features(tune(n, 8, low=60)) for n in range(40, 80)]
    labels = [0] * 20 + [1] * 20
    judge = classifier().fit(waltzes[:20] + marches[:20], labels)
    assert (judge.predict(waltzes[20:] + marches[20:]) == np.array(labels)).mean() == 1.0
    judge = classifier().fit(waltzes, [0, 1] * 20)
    others = [features(tune(n, 8, meter=Meter(3, 4), low=40)) for n in range(200, 300)]
    assert 0.3 < judge.predict(others).mean() < 0.7


def test_every_composed_piece_is_judged_and_seen_to_end() -> None:
    first, second = ([item for item in compose(model(), channel, 2, 1) if isinstance(item, Piece)] for channel in APART)
    told = tell_apart(Corpus.load(data()), (APART[0], first), (APART[1], second), 1)
    assert (told.channels, told.pieces, told.ended) == (("bach", "ragtime"), 4, 4)
    assert 0 <= told.right <= 4
    assert told.real > 0.9


def test_a_measurement_that_was_stopped_goes_on_after_the_last_part(tmp_path: Path) -> None:
    path, of = tmp_path / "figures.part", {"model": "1", "apart": ("a", "b")}

    def stopped() -> float:
        raise KeyboardInterrupt

    first = Unfinished(path, of)
    assert first.part("bits", lambda: {"bach": 3.0}) == {"bach": 3.0}
    with pytest.raises(KeyboardInterrupt):
        first.part("panel", stopped)
    again = Unfinished(path, of)
    assert list(again.parts) == ["bits"]
    assert again.part("bits", stopped) == {"bach": 3.0}
    assert again.part("panel", lambda: 1.5) == 1.5
    assert not Unfinished(path, {**of, "model": "2"}).parts
    again.close()
    assert list(tmp_path.iterdir()) == []
