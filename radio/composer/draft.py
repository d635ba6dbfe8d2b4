"""A piece under way: how it is planned, and what the bar that comes next is to be like."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from radio.composer.cadence import REACH, Cadence, Closing
from radio.composer.echo import Echo
from radio.composer.engine import Lean
from radio.composer.guard import Guard, Heard, alike, cells
from radio.composer.home import Home, stray
from radio.composer.kit.harmony import UNIT, closes, tonic_last
from radio.composer.planner import Ending, Plan
from radio.composer.register import Register
from radio.composer.scoring import Scoring
from radio.composer.steady import Steady
from radio.composer.texture import Texture, bias
from radio.composer.window import Position
from radio.music import keys
from radio.music.score import Bar, Note, Piece
from radio.settings import SamplingConfig

NEAREST = 2
"""Bars back from which on a bar is made to resemble another: one just played comes back too often as it is."""
NEAR, FAINT = 16, 40
"""Bars back up to which the model follows a bar well, and further bars at which it needs as much help again. Without
that bars resembled the one named by 0.9 at 16 bars, 0.7 at 32 and 0.6 at 56; `radio.music.form.similarity`."""
TONIC = 24
"""The lowest key of a bass's tonic, as a MIDI note."""
ASTRAY = 2
"""Bars that density or entropy are outside the limits for, after which no bar is to resemble an earlier one that would
be more of the same."""
FULL = 3
"""Notes, but for drums, of a bar that can be told to copy another."""


@dataclass(slots=True)
class Draft:
    """A piece under way: what it is, how it is planned, the bar being written and that bar's notes so far."""

    piece: Piece
    plan: Plan
    bar: Bar
    notes: list[Position] = field(default_factory=list)
    given: int = 0
    """Bars that were given out before the piece was taken up again."""
    heard: Heard = field(default_factory=Heard)
    """What the guard knows of the bars so far."""
    attempts: int = 0
    """How often the bar being written has been refused."""
    remedy: str = ""
    """What was done with it last."""
    before: tuple[Bar, ...] = ()
    """Bars of the piece before, if this one goes on from it."""
    stopped: bool = False
    """Whether the guard has the piece end early."""

    @property
    def ending(self) -> Ending:
        """How the piece is to end."""
        return self.plan.ending if self.piece.prefix.key else "open"

    @property
    def behind(self) -> tuple[Bar, ...]:
        """All bars that the one being written goes on from."""
        return (*self.before, *self.piece.bars)

    def leans(self, wishes: SamplingConfig, closing: Closing, insisting: int = 0) -> tuple[Lean, ...]:
        """What the bar leans on: the bar it is to resemble, who is to play in it, how thick it is, its key, a close;
        and what its style keeps within.

        Args:
            closing: what endings of the style have.
            insisting: times more that a close is asked for in pitches.
        """
        found: list[Lean] = []
        bar, behind, plan, done = self.bar, self.behind, self.plan, len(self.piece.bars)
        if wishes.echo and NEAREST <= bar.repeat <= len(behind):
            strength = wishes.echo * fading(bar.repeat) * (wishes.returns if plan.returns(done) else 1)
            found.append(Echo(behind[-bar.repeat], strength))
        if wishes.scoring and len(plan.programs) > 1 and plan.scored and plan.scored[done]:
            found.append(Scoring(plan.programs, plan.scored[done], wishes.scoring))
        if wishes.texture and plan.chords:
            found.append(Texture(bias(plan.chords[: done + 1], behind, wishes.texture)))
        if wishes.register and plan.registers:
            wanted = dict(zip(plan.programs, plan.registers, strict=True))
            if register := Register(wanted, self.piece.bars, wishes.register):
                found.append(register)
        key = self.piece.prefix.key
        if wishes.home and key and (strayed := stray(self.piece.bars, key, bar.left)):
            found.append(Home(key, wishes.home * strayed))
        if wishes.cadence and self.ending != "open" and bar.left <= REACH:
            strength = wishes.cadence
            found.append(Cadence(closing, key, bar.left, bar.meter.ticks, strength, strength * (1 + insisting)))
        if steadying := Steady(self.heard):
            found.append(steadying)
        return tuple(found)

    def left_open(self, bar: Bar) -> bool:
        """Whether `bar` leaves a piece open that is to end at home: as its last, or as its last but one if then not
        even the tonic alone would close it. A piece that has lost its key cannot close in it, but may end on its tonic.
        """
        if bar.left > 2 or self.ending == "open":
            return False
        key = self.piece.prefix.key
        home = Note(0, 0, TONIC + keys.tonic(key), bar.meter.ticks, 80)
        end = (bar,) if bar.left == 1 else (bar, replace(bar, notes=(home,), left=1))
        late = (*self.piece.bars, *end)[-UNIT:]
        if self.ending == "closed" and keys.estimate(keys.weights(late))[0] == key:
            return not closes(late)
        return not tonic_last(late, key)

    def strays(self, bar: Bar, guard: Guard) -> bool:
        """Whether music that has been outside its style's limits would stay there if the bar that `bar` is to resemble
        came back."""
        outside = {kind: bars for kind, bars in self.heard.outside.items() if abs(bars) >= ASTRAY}
        behind, back = self.behind, bar.repeat
        if not outside or not 0 < back <= len(behind):
            return False
        after, _ = guard.judge(self.heard, behind[-back])
        return any(abs(after.outside[kind]) > abs(bars) for kind, bars in outside.items())

    def stutters(self, bar: Bar) -> bool:
        """Whether `bar` would copy the one before it, and not because the bar that it is to resemble did so.

        One that is to resemble the bar before it, which human music varies, would be copied too often.
        """
        behind, back = self.behind, bar.repeat
        if not behind or len(cells(bar)) < FULL or not _copies(bar, behind[-1]):
            return False
        return not (1 < back < len(behind) and _copies(behind[-back], behind[-back - 1]))


def fading(back: int) -> float:
    """How much harder a bar has to lean on the one that lies `back` bars back, for the model to follow it as closely as
    one just past."""
    return 1 + max(back - NEAR, 0) / FAINT


def _copies(bar: Bar, other: Bar) -> bool:
    return alike(cells(bar), cells(other))


def bar_rng(piece: Piece, attempt: int = 0) -> np.random.Generator:
    """The random numbers of the bar that follows the piece's bars, the first time or another that it is drawn."""
    return np.random.default_rng((piece.seed, 3, len(piece.bars), *([attempt] if attempt else [])))


def continued(plan: Plan, piece: Piece) -> Plan:
    """The plan of a piece that was begun: the plan made anew where it agrees with the bars there are, else a plain one.

    They differ when the channel's file or the model was changed in between.
    """
    done = len(piece.bars)
    total = done + piece.bars[-1].left - 1
    same = plan.bars == total and plan.sections[:done] == "".join(bar.section for bar in piece.bars)
    played = "".join(bar.section for bar in piece.bars)
    sections = plan.sections if same else played.ljust(total, played[-1])
    repeats = plan.repeats if same else (0,) * total
    # What was begun with programs that the channel may not have any more ends with them; an empty set is all.
    heard = {note.program for bar in piece.bars for note in bar.notes}
    programs = tuple(sorted({*plan.programs, *heard})) if plan.programs else ()
    scored = plan.scored if same and programs == plan.programs else ()
    chords = plan.chords if same and programs == plan.programs else ()
    spans = plan.registers if programs == plan.programs else ()
    return Plan(piece.prefix, sections, repeats, programs, scored, plan.ending, chords, spans)
