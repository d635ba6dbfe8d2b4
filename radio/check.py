"""`radio check`: everything a station needs, looked at before it goes on the air.

Each check is a function that yields findings; none stops the others, and none imports torch unless asked to.
"""

from __future__ import annotations

import ctypes.util
import json
import os
import socket
import struct
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from radio.config import Config, read
from radio.errors import MissingError
from radio.settings import StationConfig
from radio.sinks import IcecastConfig, RecordConfig
from radio.styles import unheard

WEIGHTS, CONFIG = "model.safetensors", "config.json"
LIMITS, INDEX = "limits.json", "originality.npz"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found; with a remedy it is a problem."""

    what: str
    detail: str
    remedy: str = ""


def findings(path: Path | None, overrides: dict[str, object], *, torch: bool = False) -> list[Finding]:
    """Every finding for the configuration that `radio.config.load` would read."""
    config, problems = read(path, **overrides)
    found = [Finding("configuration", problem, "correct this line") for problem in problems]
    if not problems:
        names = ", ".join(config.channels)
        found.append(Finding("configuration", f"{len(config.channels)} channels: {names}"))
    found += _library()
    found += _soundfont(config.station)
    found += _encoders(config)
    found += _model(config)
    found += _port(config.station)
    found += _folder("state", config.station.state, "--set state=DIR")
    found += _sinks(config)
    if torch:
        found += _torch(config.station)
    return found


def show(found: list[Finding]) -> None:
    """Prints the findings as a table."""
    table = Table("", "what", "found", "remedy", box=None, pad_edge=False, header_style="bold")
    for finding in found:
        mark = "[red]✗[/red]" if finding.remedy else "[green]✓[/green]"
        table.add_row(mark, finding.what, finding.detail, finding.remedy)
    Console().print(table)


def _library() -> Iterator[Finding]:
    name = ctypes.util.find_library("fluidsynth")
    if name:
        yield Finding("FluidSynth", name)
    else:
        remedy = "apt-get install libfluidsynth3 (Fedora: fluidsynth-libs, Arch: fluidsynth, macOS: brew fluid-synth)"
        yield Finding("FluidSynth", "library not found", remedy)


def _soundfont(station: StationConfig) -> Iterator[Finding]:
    from radio.studio.soundfont import PLACES, REMEDY, find

    try:
        path = find(station.soundfont)
        with path.open("rb") as file:
            head = file.read(12)
    except MissingError:
        chosen = station.soundfont
        yield Finding("soundfont", f"{chosen}: no such file" if chosen else f"none in {_list(PLACES)}", REMEDY)
    except OSError as error:
        yield Finding("soundfont", f"{error.filename}: {error.strerror}", REMEDY)
    else:
        if head[:4] == b"RIFF" and head[8:] == b"sfbk":
            yield Finding("soundfont", str(path))
        else:
            yield Finding("soundfont", f"{path}: not a soundfont", REMEDY)


def _list(places: Iterable[Path]) -> str:
    return ", ".join(map(str, places))


def _encoders(config: Config) -> Iterator[Finding]:
    import numpy as np

    from radio.formats import BLOCK
    from radio.studio.encoders import encoder

    for name in config.station.formats:
        try:
            data = encoder(config.station, name).encode(np.zeros((BLOCK, 2), dtype=np.int16), 0, 0)
            yield Finding(f"encoder {name}", f"{len(data)} bytes a packet")
        except Exception as error:  # whatever a codec's library raises is what the operator must read
            yield Finding(f"encoder {name}", f"{type(error).__name__}: {error}", f"leave {name} out of formats")


def _model(config: Config) -> Iterator[Finding]:
    station = config.station
    if station.composer == "scale":
        yield Finding("model", "none needed: composer = scale")
        return
    try:
        tensors, size = _header(station.model / WEIGHTS)
        fields = json.loads((station.model / CONFIG).read_text(encoding="utf-8"))
        mismatch = _mismatch(tensors, fields)
        unknown = unheard(config)
        json.loads((station.model / LIMITS).read_text(encoding="utf-8"))
        with zipfile.ZipFile(station.model / INDEX) as index:
            index.namelist()
    except FileNotFoundError as error:
        yield Finding("model", f"{error.filename}: no such file", "--model DIR, `radio train`, or --composer scale")
        return
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        yield Finding("model", f"{station.model}: {error}", "fetch the model again (a Git LFS pointer? `git lfs pull`)")
        return
    if mismatch:
        yield Finding("model", f"{station.model}: {mismatch}", "use the model that came with this version")
    elif unknown:
        yield Finding("model", f"has never heard the style of: {', '.join(unknown)}", "correct prefix.style")
    else:
        yield Finding("model", f"{station.model}: {size / 1e6:.1f} million parameters")


def _header(path: Path) -> tuple[dict[str, Any], int]:
    """The tensors that a safetensors file lists, and how many numbers they hold.

    Raises:
        ValueError: not such a file, or cut short.
    """
    with path.open("rb") as file:
        head = file.read(8)
        length = struct.unpack("<Q", head)[0] if len(head) == 8 else 0
        if not 2 <= length <= 100_000_000:
            raise ValueError(f"{path.name} is not a safetensors file")
        tensors: dict[str, Any] = json.loads(file.read(length))
    tensors.pop("__metadata__", None)
    end = 8 + length + max(tensor["data_offsets"][1] for tensor in tensors.values())
    if path.stat().st_size != end:
        raise ValueError(f"{path.name} holds {path.stat().st_size} bytes, wanted {end}")
    numbers = 0
    for tensor in tensors.values():
        count = 1
        for length in tensor["shape"]:
            count *= length
        numbers += count
    return tensors, numbers


def _mismatch(tensors: dict[str, Any], fields: dict[str, Any]) -> str:
    """What does not fit between weights, configuration and this program's vocabulary; empty if all does."""
    from radio.music.tokens import vocabulary

    ours = json.loads(json.dumps(vocabulary()))
    different = sorted(name for name in ours if ours[name] != fields["vocabulary"].get(name))
    if different:
        return f"made for another vocabulary (different: {', '.join(different)})"
    width = fields["model"]["width"]
    for slot, size in enumerate(fields["model"]["sizes"]):
        shape = tensors[f"embed.{slot}.weight"]["shape"]
        if shape != [size, width]:
            return f"embed.{slot}.weight is {shape}, {CONFIG} wants {[size, width]}"
    return ""


def _port(station: StationConfig) -> Iterator[Finding]:
    try:
        family, _, _, _, address = socket.getaddrinfo(station.host, station.port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        yield Finding("port", f"{station.host}:{station.port}: {error.strerror}", "--port N, or stop what uses it")
    else:
        yield Finding("port", f"{station.host}:{station.port} is free")


def _folder(what: str, wanted: Path, remedy: str) -> Iterator[Finding]:
    existing = next(folder for folder in (wanted, *wanted.parents) if folder.exists())
    if existing.is_dir() and os.access(existing, os.W_OK | os.X_OK):
        yield Finding(what, str(wanted))
    else:
        yield Finding(what, f"{existing}: cannot be written to", remedy)


def _sinks(config: Config) -> Iterator[Finding]:
    for number, sink in enumerate(config.station.sinks, 1):
        what = f"sinks[{number}]"
        if isinstance(sink, RecordConfig):
            yield from _folder(what, sink.folder, "set its folder")
        elif isinstance(sink, IcecastConfig) and not os.environ.get(sink.password_env):
            remedy = f"set {sink.password_env} to the source's password"
            yield Finding(what, f"{sink.server}: the environment has no {sink.password_env}", remedy)
        else:
            yield Finding(what, f"{sink.kind} {sink.server}")


def _torch(station: StationConfig) -> Iterator[Finding]:
    try:
        import torch
    except ImportError as error:
        yield Finding("torch", str(error), "pip install the version that pyproject.toml pins")
        return
    cuda = torch.cuda.is_available()
    device = torch.cuda.get_device_name() if cuda else "no CUDA device"
    if station.device == "cuda" and not cuda:
        yield Finding("torch", f"{torch.__version__}, {device}", "--device cpu, or mend the driver (nvidia-smi)")
    else:
        yield Finding("torch", f"{torch.__version__}, {device}")
