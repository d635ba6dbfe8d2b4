from __future__ import annotations

import csv
import functools
import itertools
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from models import TINY, data
from radio.composer import corpus
from radio.composer.corpus import Corpus, composer_of, style_of, timing_of, trimmed, validation_works, work_of
from radio.composer.dataset import Windows, recast, shift_range, thinned, transposed
from radio.composer.evaluate import DEALT, KINDS, bits_per_note, dealt, prefixes, windows
from radio.composer.model import Transformer
from radio.composer.train import TrainConfig, Trainer
from radio.composer.watch import WINDOWS, Standing, Watch
from radio.errors import MissingError, ModelError
from radio.music import tokens
from radio.music.meters import METERS
from radio.music.score import Bar, Note, Prefix


def test_the_corpus_becomes_training_data_and_broken_files_are_named() -> None:
    found = Corpus.load(data())
    assert len(found.entries) == 20
    assert {entry.style for entry in found.entries} == {"bach", "ragtime"}
    assert list(json.loads((data() / "skipped.json").read_text())) == ["midi/bach/all/broken.mid"]
    entry = found.entries[0]
    assert (entry.composer, entry.form, entry.bars, entry.sections) == ("bach", "prelude", 16, "AAAABBBB" * 2)
    positions = found.of(entry)
    assert positions[-1, 0] == tokens.END
    assert len(tokens.decode(positions, entry.tempo)) == 16


def test_no_work_is_on_both_sides_of_the_split() -> None:
    found = Corpus.load(data())
    sides = [{(e.style, e.work) for e in found.split(validation=side)} for side in (False, True)]
    assert sides[0].isdisjoint(sides[1])
    assert all(sides)


def test_a_work_that_is_a_tenth_of_its_style_stays_in_training() -> None:
    sizes = {"large": 500, **{f"small {n}": 5 for n in range(100)}}
    kept = validation_works(sizes)
    assert "large" not in kept
    assert len(kept) >= 3
    assert 40 <= sum(sizes[work] for work in kept) <= 120


@pytest.mark.parametrize(
    ("title", "work"),
    [
        ("Prelude op. 28 no. 4", "chopin_op_28"),
        ("Prelude Opus 28 No. 7", "chopin_opus_28"),
        ("Sonata No. 17 (2nd Movement: Adagio)", "chopin_sonata"),
        ("Nocturne in C - Lento", "chopin_nocturne_in_c"),
    ],
)
def test_movements_share_a_work(title: str, work: str) -> None:
    assert work_of("Chopin", title) == work


def test_tunes_without_a_composer_are_works_of_their_own() -> None:
    assert work_of("Traditional", "Nottingham jigs110") != work_of("Traditional", "Nottingham jigs111")


@pytest.mark.parametrize(
    ("name", "collection", "known"),
    [
        ("Johann Sebastian Bach", "BachJS", "bach"),
        ('"Żeleński, Władysław"', "Zelenski", "zelenski"),
        ("Wolfgang Amadeus Mozart", "string_quartets_Mozart", "mozart"),
        ("Nobody Known", "freedoom", "freedoom"),
        ("Franz Schubert", "SchubertF", "schubert"),
        ("A Stranger", "StrangerA", ""),
    ],
)
def test_composers_are_known_by_their_many_spellings(name: str, collection: str, known: str) -> None:
    assert composer_of(name, collection) == known


def test_synthetic_music_is_split_by_collection() -> None:
    assert style_of("midi/electronic_synthetic/lofi/1.mid", "electronic_synthetic") == "lofi"
    assert style_of("midi/bach/BachJS/1.mid", "bach") == "bach"


def test_empty_bars_are_trimmed_at_the_ends_and_long_rests_shortened() -> None:
    empty = Bar(METERS[0], 100.0, ())
    full = Bar(METERS[0], 100.0, (Note(0, 0, 60, 24, 64),))
    assert trimmed([empty, full, *[empty] * 9, full, empty]) == [full, empty, empty, full]


def test_windows_begin_at_a_bar_line_and_fit_the_context() -> None:
    found = Corpus.load(data())
    drawn = Windows(found, found.split(validation=False), 100, seed=1)
    for example in drawn.batch(40):
        assert tokens.PREFIX_LENGTH < len(example.positions) <= 100
        assert (example.positions[: tokens.PREFIX_LENGTH, 0] == tokens.PREFIX).all()
        assert tokens.BAR <= example.positions[tokens.PREFIX_LENGTH, 0] < tokens.END
        assert example.ticks[tokens.PREFIX_LENGTH] == 0
    assert {example.style for example in drawn.batch(40)} == {"bach", "ragtime"}


@pytest.mark.parametrize(("openings", "fit"), [(1.0, 1.0), (0.0, 0.5)])
def test_a_doubted_prefix_is_another_pieces_but_never_where_a_piece_opens(openings: float, fit: float) -> None:
    found = Corpus.load(data())
    drawn = Windows(found, found.split(validation=False), 40, seed=1, openings=openings, doubt=1.0)
    styles = {style: int(tokens.encode_prefix(Prefix(style=style))[0, 1]) for style in ("bach", "ragtime")}
    told = [(int(e.positions[0, 1]), styles[e.style]) for e in drawn.batch(300)]
    assert np.mean([said == own for said, own in told if said in styles.values()]) == pytest.approx(fit, abs=0.12)


def test_transposition_moves_pitches_and_leaves_drums() -> None:
    bar = Bar(METERS[0], 100.0, (Note(0, 0, 60, 24, 66), Note(0, 128, 36, 24, 66)))
    moved = tokens.decode(transposed(tokens.encode([bar], 100.0), 5), 100.0)[0]
    assert [note.pitch for note in moved.notes] == [65, 36]
    low, high = shift_range(tokens.encode([bar], 100.0))
    assert (low, high) == (-6, 6)


def test_music_recast_has_other_programs_in_the_order_that_the_grammar_wants() -> None:
    notes = (Note(0, 0, 60, 24, 66), Note(0, 0, 64, 24, 66), Note(0, 40, 55, 24, 66), Note(0, 128, 36, 24, 66))
    bars = [Bar(METERS[0], 100.0, notes), Bar(METERS[0], 100.0, (Note(24, 40, 50, 24, 66), Note(48, 0, 62, 24, 66)))]
    found = tokens.decode(recast(tokens.encode(bars, 100.0), {0: 73, 40: 19}), 100.0)
    assert [[(n.onset, n.program, n.pitch) for n in bar.notes] for bar in found] == [
        [(0, 19, 55), (0, 73, 60), (0, 73, 64), (0, 128, 36)],
        [(24, 19, 50), (48, 73, 62)],
    ]


@pytest.mark.parametrize(("openings", "least", "most"), [(0.0, 0.15, 0.35), (1.0, 0.0, 0.0)])
def test_windows_are_recast_as_often_as_asked_for_but_not_openings(openings: float, least: float, most: float) -> None:
    found = Corpus.load(data())
    drawn = Windows(found, found.split(validation=False), 70, seed=1, openings=openings, recast=0.5)
    own = {e.style: e.programs[0] for e in found.entries}
    start = tokens.RANGES["program"].start
    heard = [(int(e.positions[e.positions[:, 0] < tokens.BAR][0, 1]) - start, own[e.style]) for e in drawn.batch(200)]
    # The corpus has two programs: every second draw is the piece's own again.
    assert least <= np.mean([program != usual for program, usual in heard]) <= most


def test_prefix_fields_are_dropped_at_random() -> None:
    rng = np.random.default_rng(1)
    entry = Corpus.load(data()).entries[0]
    said = [thinned(entry.prefix(), rng) for _ in range(400)]
    assert 0.15 < sum(not prefix.style for prefix in said) / 400 < 0.35
    assert any(prefix.style and not prefix.key for prefix in said)
    assert any(not prefix.style and prefix.key for prefix in said)


def test_training_learns_saves_and_goes_on_where_it_was(tmp_path: Path) -> None:
    found = Corpus.load(data())
    ticks = itertools.count()  # a second a step
    clock = functools.partial(next, ticks)
    config = TrainConfig(minutes=0.4, batch=8, warmup=5, report=5)
    trainer = Trainer(found, Transformer(TINY), config, tmp_path, clock=clock)
    seen: list[float] = []
    trainer.run(lambda progress, _: seen.append(progress.bits))
    assert seen[-1] < seen[0] - 2
    with (tmp_path / "curve.csv").open() as file:
        assert len(list(csv.DictReader(file))) == len(seen)
    again = Trainer(found, Transformer(TINY), TrainConfig(minutes=0.5, batch=8, report=1), tmp_path, clock=clock)
    assert again.resume()
    assert again.progress.step == trainer.progress.step
    steps: list[int] = []
    again.run(lambda progress, _: steps.append(progress.step))
    assert steps[0] == trainer.progress.step + 1


def test_training_without_a_checkpoint_begins_anew(tmp_path: Path) -> None:
    assert not Trainer(Corpus.load(data()), Transformer(TINY), TrainConfig(), tmp_path).resume()


def test_a_checkpoint_of_another_shape_is_refused(tmp_path: Path) -> None:
    found = Corpus.load(data())
    Trainer(found, Transformer(TINY), TrainConfig(), tmp_path).save()
    with pytest.raises(ModelError, match="not a checkpoint that this run can go on from"):
        Trainer(found, Transformer(replace(TINY, layers=3)), TrainConfig(), tmp_path).resume()
    (tmp_path / "checkpoint.pt").write_bytes(b"nothing of the kind")
    with pytest.raises(ModelError, match=r"checkpoint\.pt"):
        Trainer(found, Transformer(TINY), TrainConfig(), tmp_path).resume()


def test_training_in_bfloat16_learns_as_well(tmp_path: Path) -> None:
    seen = {}
    for halved in (False, True):
        torch.manual_seed(1)
        clock = functools.partial(next, itertools.count())
        config = TrainConfig(minutes=0.3, batch=8, warmup=5, report=1, average=0.0)
        trainer = Trainer(
            Corpus.load(data()), Transformer(TINY), config, tmp_path / str(halved), clock=clock, bfloat16=halved
        )
        bits: list[float] = []
        trainer.run(lambda progress, _, bits=bits: bits.append(progress.bits))
        seen[halved] = bits
        assert all(p.dtype == torch.float32 for p in trainer.model.parameters())
    assert seen[True] != seen[False]
    assert seen[True][-1] == pytest.approx(seen[False][-1], rel=0.02)


def test_what_is_kept_is_the_mean_of_the_latest_weights(tmp_path: Path) -> None:
    clock = functools.partial(next, itertools.count())
    config = TrainConfig(minutes=0.1, batch=4, average=0.5, decay=0.0)
    trainer = Trainer(Corpus.load(data()), Transformer(TINY), config, tmp_path, clock=clock)
    mean = None
    for _ in range(3):
        trainer.step()
        now = trainer.model.blocks[0].up.weight.detach().clone()
        mean = now if mean is None else (mean + now) / 2
    torch.testing.assert_close(trainer.averaged.blocks[0].up.weight.detach(), mean)


def test_a_style_learned_by_heart_is_heard_less_but_not_one_that_is_forgotten() -> None:
    watch = Watch({})
    course = {
        "heart": [(3.0, 2.9), (3.1, 2.5), (3.2, 2.1), (3.3, 1.8), (2.9, 1.8), (2.8, 1.7)],
        "forgotten": [(3.0, 2.9), (3.5, 3.4), (3.6, 3.5), (3.0, 2.9), (2.9, 2.8), (2.8, 2.7)],
        "level": [(3.0, 2.9), (3.01, 2.8), (3.01, 2.7), (3.01, 2.6), (3.01, 2.5), (3.01, 2.4)],
    }
    shares = []
    for turn in range(6):
        watch.weigh({style: Standing(*own[turn]) for style, own in course.items()})
        shares.append({style: watch.shares[style] for style in course})
    assert [own["heart"] for own in shares] == [1.0, 0.5, 0.25, 0.125, 0.25, 0.5]
    assert {own["forgotten"] for own in shares} == {own["level"] for own in shares} == {1.0}
    assert watch.best["heart"] == Standing(2.8, 1.7)
    again = Watch({})
    again.restore(json.loads(json.dumps(watch.state())))
    assert (again.best, again.shares) == (watch.best, watch.shares)


def test_the_watch_looks_at_works_of_both_sides_of_the_split() -> None:
    found = Corpus.load(data())
    watch = Watch.over(found, 100)
    assert {style: [len(side) for side in own] for style, own in watch.windows.items()} == {
        style: [WINDOWS, WINDOWS] for style in ("bach", "ragtime")
    }
    model = Transformer(TINY)
    seen = watch.look(model)
    assert watch.best == seen == Watch.over(found, 100).look(model)
    assert all(20 < own.validation < 45 and 20 < own.training < 45 for own in seen.values())


def test_a_style_out_of_favour_is_drawn_less_often() -> None:
    found = Corpus.load(data())
    drawn = Windows(found, found.split(validation=False), 60, seed=1)
    drawn.favour({"ragtime": 0.25})
    styles = [e.style for e in drawn.batch(200)]
    usual = drawn.usual[drawn.styles.index("ragtime")] / drawn.usual.sum()
    assert styles.count("ragtime") / 200 < 0.6 * usual


@pytest.mark.parametrize(
    ("row", "timing"),
    [
        ({"source": "piano-midi.de (a copy)", "tempo_from": "source"}, "played"),
        ({"source": "Groove MIDI Dataset", "tempo_from": "source"}, "played"),
        ({"source": "a score", "tempo_from": "source"}, "score"),
        ({"source": "a score", "tempo_from": "guessed"}, "guessed"),
        ({}, ""),
    ],
)
def test_a_guessed_tempo_a_scores_and_a_players_are_told_apart(row: dict[str, str], timing: str) -> None:
    assert timing_of(row) == timing


def test_bits_per_note_are_measured_for_every_style_and_prefix() -> None:
    from models import model
    from radio.composer import weights

    figures = bits_per_note(weights.load(model()), Corpus.load(data()))
    assert set(figures) == {"bach", "ragtime"}
    for own in figures.values():
        assert set(own.bits) == set(KINDS)
        assert all(15 < bits < 60 for bits in own.bits.values())
        assert own.notes > 0


def test_bits_that_are_known_are_not_measured_again() -> None:
    from models import model
    from radio.composer import weights

    known: dict[str, Any] = {"bach": {"bits": {"right": 1.0}, "notes": 1, "pieces": 1, "works": 1}}
    figures = bits_per_note(
        weights.load(model()), Corpus.load(data()), part=lambda style, measure: known.get(style) or measure()
    )
    assert figures["bach"].bits == {"right": 1.0}
    assert set(figures["ragtime"].bits) == set(KINDS)


def test_wrong_prefixes_differ_in_style_composer_and_form_alone() -> None:
    entry = Corpus.load(data()).entries[0]
    stranger = replace(entry, style="folk", composer="", form="jig")
    right = entry.prefix()
    assert prefixes(entry, [stranger]) == {
        "right": [right],
        "none": [Prefix()],
        "wrong": [replace(right, style="folk", composer="", form="jig")],
    }


@pytest.mark.parametrize("pieces", [1, 2, 3, 8, 40])
def test_every_other_style_is_the_wrong_one_equally_often(pieces: int) -> None:
    entry = Corpus.load(data()).entries[0]
    others = {style: [replace(entry, style=style)] for style in tokens.STYLES[:7]}
    hands = [[own.style for own in hand] for hand in dealt(others, pieces, np.random.default_rng(1))]
    assert len(hands) == pieces
    assert all(len(set(hand)) == len(hand) > 0 for hand in hands)
    counts = Counter(style for hand in hands for style in hand)
    assert set(counts) == set(others)
    assert min(counts.values()) >= min(DEALT, pieces)
    assert max(counts.values()) - min(counts.values()) <= 1


def test_a_corpus_of_one_style_is_measured_without_a_wrong_prefix() -> None:
    from models import model
    from radio.composer import weights

    found = Corpus.load(data())
    alone = replace(found, entries=tuple(entry for entry in found.entries if entry.style == "bach"))
    assert set(bits_per_note(weights.load(model()), alone, budget=200)["bach"].bits) == {"right", "none"}


def test_evaluation_windows_cover_every_position_once() -> None:
    positions = Corpus.load(data()).of(Corpus.load(data()).entries[0])
    found = list(windows(positions, 70))
    assert len(found) > 2
    assert [row for own, known in found for row in own.positions[known:].tolist()] == positions.tolist()
    assert all(known < len(own.positions) <= 70 for own, known in found)
    assert not any(own.after_gap[known:].any() for own, known in found)


def test_data_that_is_not_there_or_of_another_vocabulary_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="radio corpus build"):
        Corpus.load(tmp_path)
    (tmp_path / "pieces.json").write_text('{"vocabulary": {}, "pieces": []}')
    with pytest.raises(MissingError, match="another vocabulary"):
        Corpus.load(tmp_path)
    with pytest.raises(MissingError, match=r"index\.csv"):
        corpus.build(tmp_path, tmp_path / "out")
