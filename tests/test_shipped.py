"""The models that come with the program: whole, small enough, and able to compose for every channel."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from radio.composer import card, guard, planner, weights
from radio.composer.compose import compose, of_length
from radio.config import ROOT, load
from radio.music.score import Piece

MODELS = sorted(path.parent for path in (ROOT / "models").glob(f"*/{weights.WEIGHTS}"))
MEGABYTE = 1_000_000


def size(folder: Path) -> int:
    """Bytes of all files."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def test_there_is_a_model_for_all_and_one_for_small_machines() -> None:
    assert load(None).station.model in MODELS
    sizes = sorted((folder / weights.WEIGHTS).stat().st_size for folder in MODELS)
    assert sizes[0] <= 12 * MEGABYTE
    assert sizes[0] < 0.6 * sizes[-1]
    assert size(ROOT / "models") <= 64 * MEGABYTE


@pytest.mark.parametrize("folder", MODELS, ids=lambda folder: folder.name)
def test_a_shipped_model_has_plans_and_limits_for_every_channel_and_a_card(folder: Path) -> None:
    styles = {channel.prefix.style for channel in load(None).channels.values()}
    assert styles <= planner.load(folder).keys()
    assert styles <= guard.load(folder).limits.keys()
    assert (folder / guard.INDEX).stat().st_size <= 8 * MEGABYTE
    text = (folder / card.CARD).read_text(encoding="utf-8")
    assert text.startswith(f"# Model `{folder.name}`")
    assert "## Data and licences" in text


@pytest.mark.parametrize("folder", MODELS, ids=lambda folder: folder.name)
@pytest.mark.parametrize("name", ["bach", "lofi"])
def test_a_shipped_model_composes_a_piece_as_planned_with_a_certificate(folder: Path, name: str) -> None:
    channel = of_length(load(None).channel(name), 8)
    (piece,) = (item for item in compose(folder, channel, 1, seed=1) if isinstance(item, Piece))
    assert [bar.left for bar in piece.bars] == list(range(len(piece.bars), 0, -1))
    assert sum(len(bar.notes) for bar in piece.bars) > 2 * len(piece.bars)
    assert all(a.notes != b.notes for a, b in itertools.pairwise(piece.bars) if a.notes)
    assert weights.digest(folder) in piece.certificate
