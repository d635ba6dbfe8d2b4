"""Frozen dataclasses from TOML tables, with every problem of a table found in one pass.

The dataclass is the schema: its field types say what a key may hold, its defaults what is meant when
the key is left out. Nothing here raises for bad input; problems are gathered as lines
`file: key: problem (remedy)`, so that whoever edits the files mends them all at once.

Types a field may have: bool, int, float, str, Path, Meter, Literal[…], another dataclass, several dataclasses as
`A | B` (each with a field `kind: Literal[…]`, by which a table says which of them it is), `T | None`,
`tuple[T, ...]` (a list), `tuple[T, T]` (a range, low first), `Mapping[K, T]`, and any of them as
`Annotated[T, Within(low, high)]`.
"""

from __future__ import annotations

import difflib
import json
import math
import tomllib
import types
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from radio.music.score import Meter

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Within:
    """The inclusive range of a number; `unit` is for the reader of a problem."""

    low: float
    high: float
    unit: str = ""

    def __str__(self) -> str:
        return f"{self.low:g} to {self.high:g} {self.unit}".rstrip()


def near(word: str, words: Iterable[str]) -> str:
    """` (did you mean …?)` for the word most like this one, or nothing."""
    found = difflib.get_close_matches(word, list(words), n=1, cutoff=0.6)
    return f" (did you mean {found[0]}?)" if found else ""


def few(words: Iterable[str]) -> str:
    """`, wanted one of: …`."""
    return f", wanted one of: {', '.join(words)}"


def make(kind: type[T], table: Mapping[str, object], where: str, problems: list[str], **given: object) -> T | None:
    """A `kind` from a TOML table, or None after appending to `problems`.

    `where` stands before each key in a problem; `given` are fields that the table may not set.
    """
    before = len(problems)
    hints = get_type_hints(kind, include_extras=True)
    known = [field for field in fields(cast(Any, kind)) if field.name not in given]
    names = [field.name for field in known]
    values = dict(given)
    for key, value in table.items():
        if key in names:
            values[key] = convert(hints[key], value, where + key, problems)
        else:
            problems.append(f"{where}{key}: unknown key{_elsewhere(key, hints) or near(key, names)}")
    required = [field.name for field in known if field.default is MISSING and field.default_factory is MISSING]
    problems += [f"{where}{name}: missing" for name in required if name not in table]
    return None if len(problems) > before else kind(**values)


def table(value: object) -> Any:
    """The table, as TOML or MessagePack has it, of which `make` makes an equal dataclass; None is left out."""
    if isinstance(value, Meter | Path):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): table(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [table(item) for item in value]
    if is_dataclass(value):
        named = {field.name: getattr(value, field.name) for field in fields(value)}
        return {name: table(item) for name, item in named.items() if item is not None}
    return value


def _elsewhere(key: str, hints: Mapping[str, Any]) -> str:
    """` (did you mean …?)` when a table inside this one has the key."""
    for name, hint in hints.items():
        if is_dataclass(hint) and any(field.name == key for field in fields(hint)):
            return f" (did you mean {name}.{key}?)"
    return ""


def convert(kind: Any, value: object, place: str, problems: list[str]) -> Any:
    """`value`, as TOML has it, as a `kind`; None after appending to `problems`."""
    origin, args = get_origin(kind), get_args(kind)
    if is_dataclass(kind) and isinstance(kind, type):
        if isinstance(value, dict):
            return make(kind, value, f"{place}.", problems)
        return _wrong(value, "a table", place, problems)
    if origin in _GENERIC:
        return _GENERIC[origin](args, value, place, problems)
    return _scalar(kind, value, place, problems)


def _scalar(kind: Any, value: object, place: str, problems: list[str]) -> Any:
    if kind is Meter and isinstance(value, str):
        return _meter(value, place, problems)
    if kind is Path and isinstance(value, (str, Path)) and str(value):
        return Path(value).expanduser()
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is kind:
        return value
    return _wrong(value, _WANTED[kind], place, problems)


def _meter(value: str, place: str, problems: list[str]) -> Meter | None:
    beats, _, unit = value.partition("/")
    if beats.isdecimal() and unit in {"1", "2", "4", "8", "16"} and 1 <= int(beats) <= 32:
        return Meter(int(beats), int(unit))
    return cast(None, _wrong(value, _WANTED[Meter], place, problems))


def _annotated(args: tuple[Any, ...], value: object, place: str, problems: list[str]) -> Any:
    number = convert(args[0], value, place, problems)
    for rule in args[1:]:
        if number is not None and not rule.low <= number <= rule.high:
            return _wrong(value, str(rule), place, problems, "out of range: got")
    return number


def _union(args: tuple[Any, ...], value: object, place: str, problems: list[str]) -> Any:
    if types.NoneType in args:
        return convert(args[0], value, place, problems)
    if not isinstance(value, dict):
        return _wrong(value, "a table", place, problems)
    kinds = {get_args(get_type_hints(choice)["kind"])[0]: choice for choice in args}
    kind = value.get("kind")
    if isinstance(kind, str) and kind in kinds:
        return convert(kinds[kind], value, place, problems)
    if kind is None:
        problems.append(f"{place}.kind: missing, wanted {' or '.join(map(_show, kinds))}")
        return None
    return _literal(tuple(kinds), kind, f"{place}.kind", problems)


def _literal(args: tuple[Any, ...], value: object, place: str, problems: list[str]) -> Any:
    if any(value == choice and type(value) is type(choice) for choice in args):
        return value
    hint = near(value, [str(choice) for choice in args]) if isinstance(value, str) else ""
    return _wrong(value, " or ".join(_show(choice) for choice in args) + hint, place, problems)


def _tuple(args: tuple[Any, ...], value: object, place: str, problems: list[str]) -> Any:
    many = args[-1] is Ellipsis
    if not isinstance(value, (list, tuple)) or not (many or len(value) == len(args)):
        return _wrong(value, "a list" if many else "a range [low, high]", place, problems)
    places = [f"{place}[{n}]" if isinstance(item, dict) else place for n, item in enumerate(value, 1)]
    items = tuple(convert(args[0], item, where, problems) for item, where in zip(value, places, strict=True))
    if not many and None not in items and items[0] > items[1]:
        return _wrong(value, "the lower number first", place, problems)
    return items


def _mapping(args: tuple[Any, ...], value: object, place: str, problems: list[str]) -> Any:
    if not isinstance(value, dict):
        return _wrong(value, "a table", place, problems)
    numeric = convert(args[0], 0, "", []) is not None  # TOML keys are always strings
    keys = [int(key) if numeric and key.isdecimal() else key for key in value]
    return {
        convert(args[0], key, f"{place}.{key}", problems): convert(args[1], item, f"{place}.{key}", problems)
        for key, item in zip(keys, value.values(), strict=True)
    }


def _wrong(value: object, wanted: str, place: str, problems: list[str], got: str = "got") -> Any:
    problems.append(f"{place}: {got} {_show(value)}, wanted {wanted}")
    return None


def toml(value: object) -> str:
    """A value on one line of TOML, which reads back as the same; what TOML has no word for, as a string."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{toml(str(key))} = {toml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return json.dumps(value, default=str, ensure_ascii=False).replace("\x7f", r"\u007f")


def _show(value: object) -> str:
    """A value as TOML would write it, cut short."""
    if isinstance(value, bool):
        return str(value).lower()
    text = f'"{value}"' if isinstance(value, str) else "a table" if isinstance(value, dict) else str(value)
    return text if len(text) <= 60 else text[:57] + "…"


_GENERIC: dict[Any, Callable[[tuple[Any, ...], object, str, list[str]], Any]] = {
    Annotated: _annotated,
    Literal: _literal,
    Mapping: _mapping,
    Union: _union,
    types.UnionType: _union,
    tuple: _tuple,
}

_WANTED: dict[Any, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a string",
    Path: "a path",
    Meter: 'a meter such as "3/4"',
}


def table_of(path: Path, problems: list[str]) -> dict[str, Any]:
    """A TOML file's contents; empty after appending to `problems`."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        problems.append(f"{path}: cannot be read: {error.strerror}")
    except ValueError as error:
        problems.append(f"{path}: not TOML: {error}")
    return {}
