"""Which styles a model can write: those that its folder has plans of. No torch."""

from __future__ import annotations

import json
from pathlib import Path

from radio.config import Config

PLANS = "plans.json"


def known(model: Path) -> frozenset[str]:
    """The styles of a model's folder.

    Raises:
        OSError, ValueError: its plans cannot be read.
    """
    plans = json.loads((model / PLANS).read_text(encoding="utf-8"))
    return frozenset(style for style, own in plans.items() if own)


def unheard(config: Config) -> list[str]:
    """Names of the channels whose style the station's model has never heard.

    Raises:
        OSError, ValueError: the model's plans cannot be read.
    """
    if config.station.composer == "scale":
        return []
    styles = known(config.station.model)
    return [channel.name for channel in config.channels.values() if channel.prefix.style not in styles]
