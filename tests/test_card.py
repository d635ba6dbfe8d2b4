"""The card: what was measured apart from the evaluation stands in it, and what no command says."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from models import data, model
from radio.composer import card, sections
from radio.composer.corpus import Corpus

VARIANTS = {
    "as on the air": {"fidelity": 0.9, "loops": 0.1, "loops, human": 0.2},
    "without the guard": {"fidelity": None, "loops": 0.3, "loops, human": 0.2},
}
ABLATIONS = {"channels": ["bach", "folk"], "pieces": 12, "variants": VARIANTS}


def test_ablations_stand_beside_each_other_and_human_works() -> None:
    lines = sections.ablations(ABLATIONS).splitlines()
    assert "12 pieces of each of 2 channels (bach, folk)" in lines[0]
    assert lines[2] == "| composed | fidelity | loops |"
    assert lines[4:] == [
        "| as on the air | 0.90 | 0.10 |",
        "| without the guard | – | 0.30 |",
        "| human works | – | 0.20 |",
    ]


def test_hours_are_told_with_the_styles_fidelity_by_minute() -> None:
    interval = {"value": 0.95, "low": 0.9, "high": 1.0}
    own = {"hours": 24.01, "pieces": 600, "collapses": {"loop": 2}, "drifted": {}}
    fidelity = {"groups": {"bach": {"fidelity": interval}}, "mean": {"fidelity": interval}}
    told = sections.endurance({"channels": {"bach": own}, "fidelity": {"1": fidelity, "60": fidelity}})
    assert "| bach | 24.0 | 600 | 2 loop | nothing | 0.95 [0.90, 1.00] | 0.95 [0.90, 1.00] |" in told
    assert "fidelity, minute 60 |" in told


def test_figures_of_other_commands_and_notes_are_in_the_card(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(model(), folder)
    bits = {"bits": {"right": 3.0, "none": 3.1, "wrong": 3.2}, "notes": 900, "pieces": 3, "works": 2}
    apart = {"channels": ["bach", "ragtime"], "right": 39, "pieces": 40, "real": 0.96, "ended": 38}
    figures = {"bits_per_note": {"bach": bits}, "apart": apart}
    config = json.loads((folder / "config.json").read_text())
    facts = {"seconds": 60.0, "positions": 10, "step": 1, "machine": "2 CPU cores", "bits": 9.0, "stages": []}
    (folder / "config.json").write_text(json.dumps({**config, "training": facts}))
    (folder / card.EVALUATION).write_text(json.dumps(figures))
    (folder / card.BESIDE["ablations"]).write_text(json.dumps(ABLATIONS))
    (folder / card.NOTES).write_text("What no command says.\n")
    card.write(folder, Corpus.load(data()))
    written = (folder / card.CARD).read_text()
    assert "| bach | 2 | 3 | 900 | **3.000** | 3.100 | 3.200 |" in written
    assert "## What its parts are worth" in written
    assert written.endswith("What no command says.\n")
