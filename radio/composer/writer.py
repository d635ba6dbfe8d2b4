"""One channel's writer: turns drawn positions into bars and pieces, as planned.

The plan is put on each bar line: meter, bars left, section and repeat distance; the model draws the tempo and
everything between the bar lines. Each bar draws from a random generator seeded by its piece and its number, so that a
piece can be taken up again at any bar.
"""

from __future__ import annotations

import json
import logging
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from radio.composer.draft import Draft, bar_rng, continued
from radio.composer.engine import Engine, Lean, Row, Sampling
from radio.composer.guard import KINDS, OPEN, STUTTER, Guard, Heard
from radio.composer.originality import Certificate
from radio.composer.planner import RECENT, Planner, Style
from radio.composer.window import Context, Position
from radio.dayparts import at
from radio.music import grammar, tokens
from radio.music.score import Bar, Piece, Prefix
from radio.music.titles import Titler, base
from radio.settings import ChannelConfig, SamplingConfig

log = logging.getLogger(__name__)

SLOT_FIELDS = ("onset", "program", "pitch", "duration", "velocity")
COLDEST = 0.01
"""Temperature 0 is drawn at this: the likeliest wins."""
REDRAWN, ANCHORED, ENDED, CLOSED, LAST = "redrawn", "anchored", "ended", "closed", "last"
REMEDIES = defaultdict(
    lambda: (REDRAWN, REDRAWN, REDRAWN, ANCHORED, ENDED),
    {
        "density": (REDRAWN, ANCHORED),
        "entropy": (REDRAWN, ANCHORED),
        "collapse": (ENDED,),
        OPEN: (CLOSED,) * 6,
        STUTTER: (REDRAWN,) * 3,
    },
)
"""What is done with a bar that the guard refuses, by its fault, from one refusal to the next: it is drawn again,
hotter; with the last ANCHOR bars alone before it; as the last but CLOSE - 1 of its piece; with a stronger cadence.
After that it passes; but a silent one is drawn as the last of its piece, where silence is no fault. Music that has been
too thin or too full for some bars is not mended by one bar."""
HOTTER = 1.1
"""Times the temperature, with each time that a bar is drawn again."""
ANCHOR = 4
"""Bars."""
CLOSE = 2
"""Bars in which a piece is brought to its end."""
FAR = 64
"""Bars left that an endless channel's bar lines show at least: no end is in sight."""
CARRIED = 8
"""Bars of the piece before that the next one of an endless channel goes on from."""


class Numbers:
    """How many pieces of each name a channel has had; kept in the state folder, so that titles stay unique."""

    def __init__(self, state: Path | None, channel: str) -> None:
        self.path = state / f"{channel}.numbers.json" if state else None
        self.counts: dict[str, int] = {}
        if self.path and self.path.is_file():
            try:
                read = json.loads(self.path.read_text(encoding="utf-8"))
                self.counts = {str(name): int(count) for name, count in read.items()}
            except (ValueError, AttributeError, TypeError) as error:
                log.warning("%s: not usable, pieces are numbered anew: %s", self.path, error)

    @property
    def total(self) -> int:
        """Pieces so far."""
        return self.counts.get("", 0)

    def add(self, name: str) -> None:
        """Counts one more piece of a name."""
        for counted in ("", name):
            self.counts[counted] = self.counts.get(counted, 0) + 1
        if self.path:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            partial = self.path.with_suffix(".part")
            partial.write_text(json.dumps(self.counts), encoding="utf-8")
            partial.replace(self.path)


@dataclass(frozen=True, slots=True)
class Manner:
    """What writing in one style takes."""

    planner: Planner
    titler: Titler
    guard: Guard


class Writer:
    """Writes one channel, row `number` of the engine. `queue` is filled with pieces and bars, in order."""

    def __init__(
        self,
        channel: ChannelConfig,
        styles: Mapping[str, Style],
        engine: Engine,
        number: int,
        *,
        seed: tuple[int, int],
        numbers: Numbers,
        guard: Guard,
        guards: Callable[[str], Guard] | None = None,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """`guards`: those of the styles that the channel's dayparts mix; `wall`: seconds since 1970.

        Raises:
            ModelError: the model knows nothing of a style.
        """
        self.engine, self.number = engine, number
        self.dayparts, self._wall = channel.dayparts, wall
        self.style = channel.prefix.style
        self.manners = {self.style: Manner(Planner(channel, styles), Titler(self.style), guard)}
        for style in {style for daypart in channel.dayparts for style in daypart.mix} - {self.style}:
            prefix = replace(channel.prefix, style=style, composer="", forms=())
            planner = Planner(replace(channel, prefix=prefix), styles)
            self.manners[style] = Manner(planner, Titler(style), guards(style) if guards else guard)
        self.manner = self.manners[self.style]
        self.endless = channel.endless
        self.numbers = numbers
        self.sampling = sampling(channel.sampling)
        self.wishes = replace(channel.sampling, cadence=0.0) if channel.endless else channel.sampling
        bars = channel.prefix.bars
        self.may_end = bars is None or bars[0] < bars[1]
        """Whether a piece may be ended early: not where one length is asked for."""
        self.seeds = np.random.default_rng((*seed, numbers.total))
        self.queue: deque[Piece | Bar] = deque()
        self.written = 0.0
        """Seconds of music in all bars so far, as written."""
        self.draft: Draft | None = None
        self.carried: tuple[Bar, ...] = ()
        """Bars that the next piece goes on from."""
        self.heard = Heard()
        """What is kept in mind of the piece before: the next one is not to go on where that went astray."""
        self.recent: deque[Prefix] = deque(maxlen=RECENT)
        """Of the piece under way and of those before it."""
        self.repairs: Counter[str] = Counter()
        """Bars refused, by what was wrong and by what was done."""
        self.finished: Piece | None = None
        """The piece finished last, without its bars."""
        self.certificate: Certificate | None = None
        """Its certificate."""

    @property
    def planner(self) -> Planner:
        """Of the piece's style."""
        return self.manner.planner

    @property
    def guard(self) -> Guard:
        """Of the piece's style."""
        return self.manner.guard

    def counted(self, *, faults: bool) -> dict[str, int]:
        """How often the guard found each fault, or had each thing done about one."""
        return {name: count for name, count in self.repairs.items() if (name in KINDS) == faults}

    def seconds_ahead(self) -> float:
        """Music in the queue, as written."""
        return sum(item.seconds for item in self.queue if isinstance(item, Bar))

    def prepare(self) -> None:
        """Sees that a piece is under way."""
        if self.draft is None:
            manner = self.manners[self._style()]
            if manner is not self.manner:
                self.manner, self.heard = manner, Heard()
            self._open(self.planner.next(self.seeds, self.recent))

    def _style(self) -> str:
        """That of a piece that begins now."""
        mix = at(self.dayparts, self._wall()).mix
        if not mix:
            return self.style
        shares = np.array(list(mix.values()))
        return str(self.seeds.choice(list(mix), p=shares / shares.sum()))

    def resume(self, piece: Piece) -> None:
        """Goes on with `piece` after its bars; one that has ended is not taken up.

        It goes on as it would have, but for a piece of which the guard had taken the earlier bars out of sight, and
        one that had the piece before it in sight or in mind.

        Its last bar is put back as if just written, so that the draw of the bar line after it, which holds the
        next bar's tempo, comes out as it did.
        """
        self.skip()
        if not piece.bars or piece.bars[-1].left == 1:
            return
        self.manner = self.manners.get(piece.prefix.style, self.manners[self.style])
        self.recent.append(piece.prefix)
        tempo = piece.prefix.tempo if self.endless else 0.0
        plan = continued(self.planner.plan(piece.seed, piece.prefix.key, tempo), piece)
        last = piece.bars[-1]
        begun, bar = piece.with_bars(piece.bars[:-1]), replace(last, notes=())
        draft = Draft(begun, plan, bar, given=len(piece.bars))
        for bar in draft.piece.bars:
            draft.heard, _ = self.guard.judge(draft.heard, bar)
        row = self._place(draft)
        draft.notes = [tuple(tokens.note_position(note)) for note in last.notes]
        row.rng.random((len(draft.notes), tokens.SLOTS))
        for position in draft.notes:
            self.engine.write([self.number], [position])

    def skip(self) -> None:
        """Drops the piece and the queue."""
        self.queue.clear()
        self.draft, self.carried, self.heard = None, (), Heard()

    def _open(self, seed: int) -> None:
        """Plans, names and announces the next piece."""
        last = self.recent[-1] if self.recent else Prefix()
        key = self.planner.key(seed, last.key)
        tempo = self.planner.tempo(seed, last.tempo) if self.endless and last.tempo else 0.0
        plan = self.planner.plan(seed, key, tempo)
        self.recent.append(plan.prefix)
        title = self.manner.titler.title(plan.prefix.form, plan.prefix.key, self.numbers.counts, seed)
        self.numbers.add(base(title))
        piece = Piece(plan.prefix, title, number=self.numbers.total, seed=seed)
        self.queue.append(piece)
        self._place(Draft(piece, plan, plan.bar(0), before=self.carried, heard=self.heard))

    def _place(self, draft: Draft) -> Row:
        """Puts a piece into the engine's row: its bars so far, and the line of the bar that comes next."""
        self.draft, piece = draft, draft.piece
        hotter = HOTTER**draft.attempts if draft.remedy == REDRAWN else 1.0
        bars = piece.bars[-ANCHOR:] if draft.remedy in (ANCHORED, ENDED, LAST) else draft.behind
        shown = [self._shown(bar) for bar in bars]
        written = [tuple(p) for p in tokens.encode(shown, piece.prefix.tempo, ended=False).tolist()]
        written.append(tokens.bar_line(self._shown(draft.bar), piece.prefix.tempo))
        row = Row(
            tokens.encode_prefix(replace(piece.prefix, bars=0) if self.endless else piece.prefix),
            replace(self.sampling, temperature=tuple(t * hotter for t in self.sampling.temperature)),
            self._state(draft),
            bar_rng(piece, draft.attempts),
            Context(self.engine.model.config.room, written),
            self._leans(draft),
        )
        self.engine.open(self.number, row)
        return row

    def _shown(self, bar: Bar) -> Bar:
        """A bar as the model is to see it."""
        return replace(bar, left=max(bar.left, FAR)) if self.endless else bar

    def _state(self, draft: Draft) -> grammar.State:
        """Where the row stands at the start of the draft's bar."""
        before = next(reversed(draft.behind), None)
        return grammar.State(
            meter=draft.bar.meter,
            following=None if draft.bar.left == 1 and not self.endless else draft.bar.meter,
            programs=grammar.allowed_programs(draft.plan.programs),
            bounds=self.planner.bounds,
            # Nor is silence a remedy.
            filled=before is None or not before.notes or draft.attempts > 0,
        )

    def _leans(self, draft: Draft) -> tuple[Lean, ...]:
        """What the draft's bar leans on; on a close the more, the more often it was missed."""
        return draft.leans(self.wishes, self.planner.closing, draft.attempts if draft.remedy == CLOSED else 0)

    def accept(self, position: Position) -> Position | None:
        """Takes what was drawn; the position to write, or None: the piece has ended, or a bar is to be drawn again."""
        draft = self.draft
        if draft is None:
            raise ValueError("nothing was to be drawn: no piece is under way")
        if position[0] < tokens.BAR:
            draft.notes.append(position)
            return position
        whole = replace(draft.bar, notes=tuple(tokens.decode_note(p) for p in draft.notes))
        if not self._passes(draft, whole):
            return None
        draft.piece = draft.piece.with_bars((*draft.piece.bars, whole))
        draft.notes.clear()
        if len(draft.piece.bars) > draft.given:
            self.queue.append(whole)
            self.written += whole.seconds
        if whole.left == 1:
            self.finished = draft.piece.with_bars(())
            self.certificate = self.guard.finish(draft.heard, draft.piece)
            # What the guard put an end to is not to be gone on from.
            self.carried = draft.piece.bars[-CARRIED:] if self.endless and not draft.stopped else ()
            self.heard = draft.heard.kept()
            self.draft = None
            return None
        tempo = draft.piece.prefix.tempo
        planned = draft.plan.bar(len(draft.piece.bars))
        if draft.strays(planned, self.guard):
            planned = replace(planned, repeat=0)
        line = (position[0], position[1], *tokens.bar_line(self._shown(planned), tempo)[2:])
        # What lies further back than a bar line can say is returned to all the same.
        draft.bar = replace(tokens.decode_bar_line(line, tempo), left=planned.left, repeat=planned.repeat)
        self.engine.begin_bar(self.number, self._state(draft), bar_rng(draft.piece), self.sampling, self._leans(draft))
        return line

    def _passes(self, draft: Draft, bar: Bar) -> bool:
        """Whether the guard lets a bar pass; if not, it is put back, to be drawn again."""
        heard, fault = self.guard.judge(draft.heard, bar)
        fault = fault or (self._departs(draft, bar) if self.guard.limits else "")
        if fault and len(draft.piece.bars) >= draft.given:
            draft.remedy = self._remedy(draft, fault)
            self.repairs.update((fault, draft.remedy or "passed"))
            if draft.remedy:
                self._again(draft)
                return False
        draft.heard, draft.attempts, draft.remedy = heard, 0, ""
        return True

    def _remedy(self, draft: Draft, fault: str) -> str:
        """What is to be done about a bar's fault; "" for nothing more. Other faults may have had it drawn again."""
        remedies = [remedy for remedy in REMEDIES[fault] if self.may_end or remedy != ENDED]
        if draft.attempts < len(remedies):
            return remedies[draft.attempts]
        return LAST if fault == "silence" and self.may_end and draft.bar.left > 1 else ""

    def _departs(self, draft: Draft, bar: Bar) -> str:
        """How a bar departs from what was planned, as a fault; "" if it does not."""
        if self.wishes.cadence and draft.left_open(bar):
            return OPEN
        return STUTTER if draft.stutters(bar) else ""

    def _again(self, draft: Draft) -> None:
        """Begins a bar anew, as its remedy has it."""
        draft.attempts += 1
        draft.notes.clear()
        done = len(draft.piece.bars)
        if draft.remedy in (ENDED, LAST):
            draft.plan, draft.stopped = draft.plan.cut(done + (CLOSE if draft.remedy == ENDED else 1)), True
        # What is refused may be the very thing that comes back: only at first is that asked for again.
        repeat = draft.bar.repeat if draft.attempts == 1 else 0
        draft.bar = replace(draft.bar, left=draft.plan.bars - done, repeat=repeat)
        self._place(draft)


def sampling(config: SamplingConfig) -> Sampling:
    """The channel's settings, by slot."""
    by_slot = (config.fields.get(name, config.temperature) for name in SLOT_FIELDS)  # type: ignore[call-overload]
    return Sampling(tuple(max(t, COLDEST) for t in by_slot), config.nucleus, config.guidance)


def advance(engine: Engine, writers: Sequence[Writer]) -> None:
    """Draws and writes one position for each of the writers, in one forward pass."""
    for writer in writers:
        writer.prepare()
    drawn = engine.draw([writer.number for writer in writers])
    accepted = [(writer, writer.accept(position)) for writer, position in zip(writers, drawn, strict=True)]
    kept = [(writer.number, position) for writer, position in accepted if position is not None]
    if kept:
        engine.write([number for number, _ in kept], [position for _, position in kept])
