"""The planner: what the next piece is to be, before a note of it is written.

A plan is a skeleton of a real piece of the same style — its form, sections, returns, length, number of parts — in
another key, at a tempo of the channel's. Skeletons are kept beside the model (`plans.json`), so that a channel's
programme has the distribution of forms and lengths that the corpus has.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any, Literal

import numpy as np

from radio.composer.cadence import Closing, closings
from radio.composer.corpus import Corpus, Entry
from radio.composer.kit.harmony import UNIT, closes, tonic_last
from radio.composer.register import UNKNOWN, Span, registers
from radio.composer.scoring import among, playing
from radio.composer.texture import together
from radio.errors import MissingError, ModelError
from radio.music import keys, tokens
from radio.music.form import unit_bars
from radio.music.grammar import Bounds
from radio.music.meters import METERS
from radio.music.score import DRUMS, Bar, Meter, Prefix
from radio.music.shapes import FREE, SHAPES, shaped
from radio.settings import ChannelConfig, PrefixConfig

PLANS = "plans.json"
MOST = 160
"""Skeletons kept of a style."""
LONGEST = 192
"""Bars of the longest skeleton kept."""
SLOWEST, FASTEST = 30.0, 260.0
"""Beats a minute a piece may be planned at."""
SECONDS = (35.0, 330.0)
"""How long a piece should last."""
CANDIDATES = 3
"""Plans drawn for each piece; the one that differs most from the pieces before it is taken."""
RECENT = 6
"""Pieces before it that it should differ from in form."""
CONTRAST = 0.5
"""Octaves of tempo between neighbours beyond which more is no better."""

Ending = Literal["open", "home", "closed"]
"""How a piece ends: anyhow; with its tonic in the bass; with a close that leads there."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One piece to be: its prefix, and for each bar a section letter and how far back the bar it returns to lies."""

    prefix: Prefix
    sections: str
    repeats: tuple[int, ...]
    programs: tuple[int, ...]
    scored: tuple[int, ...] = ()
    """For each bar which of the programs play, as bits (`radio.composer.scoring`); empty: not said."""
    ending: Ending = "open"
    chords: tuple[int, ...] = ()
    """For each bar how many notes begin together (`radio.composer.texture`); empty: not said."""
    registers: tuple[Span, ...] = ()
    """Of each of the programs (`radio.composer.register`); empty: not said."""

    @property
    def bars(self) -> int:
        return len(self.sections)

    @property
    def seconds(self) -> float:
        """Length as written."""
        meter = self.prefix.meter or Meter(4, 4)
        return self.bars * meter.beats * 4 / meter.unit * 60 / self.prefix.tempo

    def bar(self, index: int) -> Bar:
        """Bar `index` as planned, without notes."""
        meter = self.prefix.meter or Meter(4, 4)
        left = self.bars - index
        return Bar(meter, self.prefix.tempo, (), self.sections[index], left, self.repeats[index])

    def returns(self, index: int) -> bool:
        """Whether bar `index` belongs to a section that comes back after another."""
        letter = self.sections[index]
        return letter in self.sections[:index].rstrip(letter)

    def cut(self, bars: int) -> Plan:
        """The same plan, ended after at most `bars` bars: where it goes on, the last two need resemble none."""
        if bars >= self.bars:
            return self
        prefix, open_end = replace(self.prefix, bars=bars), max(bars - 2, 0)
        repeats = (*self.repeats[:open_end], *(0,) * (bars - open_end))
        return replace(
            self, prefix=prefix, sections=self.sections[:bars], repeats=repeats, scored=self.scored[:bars],
            chords=self.chords[:bars],
        )  # fmt: skip

    def sung_again(self, bars: int) -> Plan:
        """A longer plan: the same one verse after verse, up to so many bars."""
        verses = -(-bars // self.bars)
        # A bar of a later verse resembles the one a verse before, if the bar line can say so.
        later = (self.bars,) * self.bars if self.bars <= tokens.MAX_REPEAT else self.repeats
        repeats = (*self.repeats, *later * (verses - 1))
        sections = (self.sections * verses)[:bars]
        scored, chords = ((own * verses)[:bars] for own in (self.scored, self.chords))
        prefix = replace(self.prefix, bars=bars)
        return replace(self, prefix=prefix, sections=sections, repeats=repeats[:bars], scored=scored, chords=chords)


def plan_of(entry: Entry, positions: tokens.Positions | None = None) -> Plan:
    """The skeleton of a piece of the corpus; who plays when, and how it ends, are said if its positions are given."""
    plan = Plan(entry.prefix(), entry.sections, entry.repeats, entry.programs)
    if positions is not None:
        plan = replace(
            plan, scored=playing(positions, entry.programs), chords=together(positions),
            registers=registers(positions, entry.programs), ending=ending_of(entry, positions),
        )  # fmt: skip
    return plan.cut(LONGEST)


def save(folder: Path, corpus: Corpus, seed: int = 0) -> None:
    """Writes `plans.json` from the training split: of each style at most MOST skeletons, and its bounds and endings."""
    rng = np.random.default_rng(seed)
    kept: dict[str, Any] = {}
    closing: dict[str, list[tuple[tokens.Positions, str]]] = {}
    entries = corpus.split(validation=False)
    for style in sorted({entry.style for entry in entries}):
        own = [e for e in entries if e.style == style and SLOWEST <= e.tempo <= FASTEST and e.bars >= 8]
        chosen = sorted(rng.permutation(len(own))[:MOST].tolist())
        pieces = [corpus.of(own[i]) for i in chosen]
        plans = [_to_json(plan_of(own[i], p)) for i, p in zip(chosen, pieces, strict=True)]
        closing[style] = [
            (p, own[i].key) for i, p in zip(chosen, pieces, strict=True) if ending_of(own[i], p) == "closed"
        ]
        kept[style] = {"bounds": asdict(bounds(pieces)), "plans": plans}
    for style, found in closings(closing).items():
        kept[style]["closing"] = found.to_json()
    (folder / PLANS).write_text(json.dumps(kept, separators=(",", ":")) + "\n", encoding="utf-8")


def returning(plan: Plan) -> Plan:
    """The plan, every bar of a section that returns resembling its own of the first statement, but for the last two
    bars of the piece, which need resemble none; where those alone would return, as less than it was, the section before
    goes on.

    In human music some of a section's bars only recall it, others resemble one beside their own. But what is written
    from the plan follows it less closely, and of a section of which half the bars are others nobody hears that it
    returns.
    """
    letters, repeats, unit = list(plan.sections), list(plan.repeats), unit_bars(plan.bars)
    first: dict[str, range] = {}
    start = 0
    for letter, run in groupby(plan.sections):
        bars = range(start, start := start + len(list(run)))
        stated = first.setdefault(letter, bars)
        if stated is bars or letter == tokens.SECTIONS[-1]:
            continue
        offset, heard = _offset(bars, stated, repeats, unit), False
        for bar in bars:
            own = stated.start + offset + bar - bars.start
            if own not in stated:
                continue
            if _origin(bar, repeats) != _origin(own, repeats) and (repeats[bar] > 1 or bar < plan.bars - 2):
                repeats[bar] = bar - own
            heard |= _origin(bar, repeats) == _origin(own, repeats)
        if not heard or (bars.start >= plan.bars - 2 and len(bars) < len(stated)):
            letters[bars.start : bars.stop] = letters[bars.start - 1] * len(bars)
    return replace(plan, sections="".join(letters), repeats=tuple(repeats))


def _offset(bars: range, stated: range, repeats: Sequence[int], unit: int) -> int:
    """At which of its units the first statement of a section is taken up again: nearest to where most bars say."""
    said = Counter(repeats[bar] for bar in bars if bar - repeats[bar] in stated)
    place = bars.start - said.most_common(1)[0][0] - stated.start if said else 0
    offsets = range(0, max(len(stated) - len(bars), 0) + 1, unit)
    return min(offsets, key=lambda offset: abs(offset - place))


def _origin(bar: int, repeats: Sequence[int]) -> int:
    """The bar that a bar goes back to, from one that it resembles to the next; one like the bar before it is new."""
    while repeats[bar] > 1:
        bar -= repeats[bar]
    return bar


def ending_of(entry: Entry, positions: tokens.Positions) -> Ending:
    """How a piece of the corpus ends in its own key; open without one."""
    end = tokens.decode(positions, entry.tempo)[-UNIT:]
    if not entry.key or not tonic_last(end, entry.key):
        return "open"
    return "closed" if closes(end, entry.key) else "home"


def bounds(pieces: Sequence[tokens.Positions]) -> Bounds:
    """The 0.1 and 99.9 percentiles of pitch, notes begun together by one program, and notes in a bar."""
    pitches, chords, fills = [], [], []
    for positions in pieces:
        bar = np.cumsum((positions[:, 0] >= tokens.BAR) & (positions[:, 0] < tokens.END))
        notes = positions[:, 0] < tokens.BAR
        fills.append(np.bincount(bar[notes]))
        pitched = notes & (positions[:, 1] != tokens.RANGES["program"].start + DRUMS)
        pitches.append(positions[pitched, 2] - tokens.RANGES["pitch"].start)
        together = np.stack((bar, positions[:, 0], positions[:, 1]), axis=1)[pitched]
        chords.append(np.unique(together, axis=0, return_counts=True)[1])
    low, high = np.percentile(np.concatenate(pitches), (0.1, 99.9)) if sum(map(len, pitches)) else (0, 127)
    chord = np.percentile(np.concatenate(chords), 99.9) if sum(map(len, chords)) else 1
    fill = np.percentile(np.concatenate(fills), 99.9)
    return Bounds(int(low), int(high), max(1, int(chord)), max(4, int(fill)))


def _to_json(plan: Plan) -> dict[str, Any]:
    fields = {**asdict(plan), "programs": list(plan.programs)}
    fields |= {name: list(fields[name]) for name in ("repeats", "scored", "chords", "registers")}
    fields["prefix"]["meter"] = str(plan.prefix.meter)
    return fields


@dataclass(frozen=True, slots=True)
class Style:
    """What a model's folder knows of a style beside the weights."""

    plans: tuple[Plan, ...]
    bounds: Bounds
    closing: Closing
    """What its endings have."""


def load(folder: Path) -> dict[str, Style]:
    """The skeletons and bounds of a model, by style.

    Raises:
        MissingError: there is no plans.json.
        ModelError: it cannot be read.
    """
    path = folder / PLANS
    if not path.is_file():
        raise MissingError(f"{path}: no such file; wanted the plans that `radio train` writes beside the weights")
    try:
        styles = json.loads(path.read_text(encoding="utf-8"))
        return {
            style: Style(
                tuple(_from_json(fields) for fields in own["plans"]),
                Bounds(**own["bounds"]),
                Closing.from_json(own["closing"]),
            )
            for style, own in styles.items()
        }
    except (ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{path}: not a list of plans: {error!r}") from error


def _from_json(fields: dict[str, Any]) -> Plan:
    prefix = dict(fields["prefix"])
    beats, unit = prefix["meter"].split("/")
    prefix["meter"] = Meter(int(beats), int(unit))
    repeats, programs, scored, chords = (tuple(fields[name]) for name in ("repeats", "programs", "scored", "chords"))
    spans = tuple((middle, spread) for middle, spread in fields["registers"])
    return Plan(Prefix(**prefix), fields["sections"], repeats, programs, scored, fields["ending"], chords, spans)


class Planner:
    """Plans the pieces of one channel. Pure: the same seed and key give the same plan."""

    def __init__(self, channel: ChannelConfig, styles: Mapping[str, Style]) -> None:
        self.channel = channel
        style = styles.get(channel.prefix.style)
        if style is None:
            raise ModelError(
                f"channel {channel.name}: prefix.style: the model has no plans for {channel.prefix.style!r}; "
                f"it has {', '.join(sorted(styles))}"
            )
        self.bounds, self.closing = style.bounds, style.closing
        misses = [len(self._misses(plan)) for plan in style.plans]
        self.plans = [plan for plan, missed in zip(style.plans, misses, strict=True) if missed == min(misses)]

    def might(self, entry: Entry) -> bool:
        """Whether a piece of the corpus is such as the channel plans: of its style, and fulfilling all its wishes."""
        return entry.style == self.channel.prefix.style and not self._misses(plan_of(entry))

    def _misses(self, plan: Plan) -> list[str]:
        """The wishes of the channel that a skeleton cannot fulfil by being cut, moved or set to another tempo."""
        want, has = self.channel.prefix, plan.prefix
        allowed = self.channel.allowed
        checks = {
            "composer": not want.composer or has.composer == want.composer,
            "forms": not want.forms or has.form in want.forms,
            "meters": has.meter in (want.meters or METERS),
            "parts": not want.parts or has.parts in want.parts,
            "bars": want.bars is None or plan.bars >= want.bars[0],
            "dynamics": want.dynamics is None or has.dynamics == want.dynamics,
            "allowed": not allowed or set(plan.programs) <= set(allowed),
        }
        return [name for name, met in checks.items() if not met]

    def plan(self, seed: int, key: str, tempo: float = 0.0) -> Plan:
        """The plan of the piece with this seed, in this key and tempo ("", 0: near the skeleton's own)."""
        rng = np.random.default_rng((seed, 1))
        skeleton = self.plans[int(rng.integers(len(self.plans)))]
        want = self.channel.prefix
        tempo = tempo or _tempo(want, skeleton.prefix.tempo, rng)
        programs = tuple(p for p in skeleton.programs if not self.channel.allowed or p in self.channel.allowed)
        prefix = replace(
            skeleton.prefix,
            style=want.style,
            composer=want.composer or skeleton.prefix.composer,
            key=key or skeleton.prefix.key,
            tempo=tempo,
            dynamics=skeleton.prefix.dynamics if want.dynamics is None else want.dynamics,
            timing=want.timing or skeleton.prefix.timing,
            parts=len(programs or self.channel.allowed) or skeleton.prefix.parts,
        )
        scored = among(skeleton.scored, skeleton.programs, programs) if programs else ()
        # Of other players nobody knows how many notes they would have had together.
        chords = skeleton.chords if programs == skeleton.programs else ()
        known = dict(zip(skeleton.programs, skeleton.registers, strict=False))
        plan = replace(
            skeleton, prefix=prefix, programs=programs or self.channel.allowed, scored=scored, chords=chords,
            registers=tuple(known.get(program, UNKNOWN) for program in programs),
        )  # fmt: skip
        shortest, longest = want.bars or (1, LONGEST)
        if plan.bars < shortest:
            return returning(self._shaped(plan.sung_again(shortest), rng, shortest))
        if plan.seconds > SECONDS[1]:
            longest = min(longest, max(8, shortest, int(plan.bars * SECONDS[1] / plan.seconds)))
        unit = unit_bars(plan.bars)
        plan = plan if plan.bars <= longest else plan.cut(max(unit, shortest, longest // unit * unit))
        return returning(self._shaped(plan, rng, shortest))

    def _shaped(self, plan: Plan, rng: np.random.Generator, shortest: int) -> Plan:
        """The plan in one of the channel's shapes; as it was where that would make it too short."""
        shapes = self.channel.prefix.shapes
        name = shapes[int(rng.integers(len(shapes)))] if shapes else FREE
        if name == FREE or plan.bars < len(SHAPES[name]):
            return plan
        sections, repeats, places = shaped(name, plan.repeats)
        if len(sections) < shortest:
            return plan
        scored = tuple(plan.scored[place] for place in places) if plan.scored else ()
        chords = tuple(plan.chords[place] for place in places) if plan.chords else ()
        prefix = replace(plan.prefix, bars=len(sections))
        return replace(plan, prefix=prefix, sections=sections, repeats=repeats, scored=scored, chords=chords)

    def next(self, rng: np.random.Generator, recent: Sequence[Prefix]) -> int:
        """The seed of the next piece, after pieces with the prefixes `recent`, as far as CANDIDATES allow.

        It contrasts with its neighbour in tempo and meter (an endless channel's resembles it), and has a form that was
        not heard lately.
        """
        seeds = [int(seed) for seed in rng.integers(2**31, size=CANDIDATES)]
        change = -1.0 if self.channel.endless else 1.0
        return max(seeds, key=lambda seed: _appeal(self.plan(seed, "").prefix, recent, change))

    def key(self, seed: int, before: str) -> str:
        """The key of the piece with this seed, after a piece in the key `before` ("": after none)."""
        rng = np.random.default_rng((seed, 2))
        own = self.plan(seed, "").prefix.key
        wanted = self.channel.prefix.keys
        if wanted:
            near = [key for key in wanted if before and key in (before, *keys.related(before))]
            choices = near or list(wanted)
        elif not own or not before:
            return own
        else:
            mode = own.split()[-1]
            choices = [key for key in keys.related(before) if key.endswith(mode)] or [own]
            choices.append(own)
        return choices[int(rng.integers(len(choices)))]

    def tempo(self, seed: int, before: float) -> float:
        """The tempo of the piece with this seed where it goes on from one of the tempo `before`."""
        return _tempo(self.channel.prefix, before, np.random.default_rng((seed, 6)))


def _appeal(prefix: Prefix, recent: Sequence[Prefix], change: float) -> float:
    """How well a piece comes after others: by another form, and times `change` by another tempo and meter."""
    if not recent:
        return 0.0
    before = recent[-1]
    octaves = abs(math.log2(prefix.tempo / before.tempo))
    other = sum(prefix.form != own.form for own in recent) / len(recent)
    return change * (min(octaves / CONTRAST, 1.0) + (prefix.meter != before.meter)) + other


def _tempo(want: PrefixConfig, tempo: float, rng: np.random.Generator) -> float:
    """The skeleton's tempo, up to 4 % either way, within what the channel wants."""
    low, high = want.tempo or (SLOWEST, FASTEST)
    return round(float(np.clip(tempo * 2 ** rng.uniform(-0.06, 0.06), low, high)), 1)
