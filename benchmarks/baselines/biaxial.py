"""The biaxial network: LSTMs along time with weights tied over keys, then LSTMs along the keys.

After hexahedria (D. Johnson 2015, "Composing music with recurrent neural networks"): a piano roll of sixteenths; for
each key its place, pitch class, what the two octaves round it did, how often each pitch class sounded, and the beat;
300 and 300 units along time, 100 and 50 along the keys from low to high; two sigmoids a key, play and articulate. It is
primed with a passage of a training piece, and grows bolder while it is silent, as his. Ours differs in this: 88 keys
for his 78, bars of any meter, AdamW for Adadelta, and no dropout, for a passage is hardly heard twice within these
budgets.

It knows no velocity, program, tempo, prefix or end. Its bits are those of play, and of articulate where a key plays:
what onset, pitch and duration cost others. Where bar lines lie is told it through the beat, and is not counted.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.baselines.baseline import Bits, Order
from benchmarks.baselines.network import Lesson, Network
from benchmarks.baselines.pieces import Pieces
from benchmarks.baselines.roll import CELL, KEYS, LOW, Roll, fits, quantised, rolled, unrolled
from benchmarks.baselines.writing import TEMPO
from radio.composer.corpus import Corpus
from radio.composer.train import LN2, TrainConfig
from radio.music import tokens
from radio.music.form import annotate
from radio.music.meters import METERS
from radio.music.score import DRUMS, Bar, Prefix

REACH = 12
"""Keys above and below that a key sees."""
BEATS = 4
"""Binary digits of the place in the bar."""
FEATURES = 1 + 12 + 2 * (2 * REACH + 1) + 12 + BEATS
SEGMENT = 128
"""Sixteenths of a lesson: eight bars of 4/4."""
PLAYING = 0.04
"""How often a key sounds in the corpus: where the network begins."""
BOLDNESS = 0.02
"""What each silent sixteenth adds to how much likelier a note is made."""
VELOCITY = 80
State = tuple[Tensor, Tensor]
Floats = npt.NDArray[np.float64]


def features(play: npt.NDArray[np.bool_], strike: npt.NDArray[np.bool_], place: npt.NDArray[np.int64]) -> Tensor:
    """What each key sees: (T, KEYS) cells one sixteenth before, (T,) places now → (T, KEYS, FEATURES)."""
    length = len(play)
    keys = np.arange(KEYS)
    found = np.zeros((length, KEYS, FEATURES), dtype=np.float32)
    found[:, keys, 0] = keys / KEYS
    found[:, keys, 1 + (keys + LOW) % 12] = 1
    classes = np.zeros((length, 12), dtype=np.float32)
    np.add.at(classes.T, (keys + LOW) % 12, play.T)
    both = np.pad(np.stack((play, strike), axis=-1), ((0, 0), (REACH, REACH), (0, 0)))
    for step in range(2 * REACH + 1):
        found[:, :, 13 + 2 * step : 15 + 2 * step] = both[:, step : step + KEYS]
    # Pitch classes are seen from the key's own.
    found[:, :, -BEATS - 12 : -BEATS] = classes[:, (keys[:, None] + LOW + np.arange(12)) % 12]
    found[:, :, -BEATS:] = 2 * (place[:, None] >> np.arange(BEATS) & 1)[:, None] - 1
    return torch.from_numpy(found)


class Biaxial(nn.Module):
    """See the module's docstring."""

    def __init__(self, over_time: int, over_keys: tuple[int, int]) -> None:
        super().__init__()
        first, second = over_keys
        self.time = nn.LSTM(FEATURES, over_time, 2, batch_first=True)
        self.low = nn.LSTM(over_time + 2, first, batch_first=True)
        self.high = nn.LSTM(first, second, batch_first=True)
        self.out = nn.Linear(second, 2)
        nn.init.constant_(self.out.bias[0], float(np.log(PLAYING / (1 - PLAYING))))

    def along_time(self, seen: Tensor, state: State | None) -> tuple[Tensor, State]:
        """(B, T, KEYS, FEATURES) → (B, T, KEYS, units), and the state after them."""
        batch, length = seen.shape[:2]
        out, state = self.time(seen.transpose(1, 2).reshape(batch * KEYS, length, FEATURES), state)
        return out.view(batch, KEYS, length, -1).transpose(1, 2), state

    def along_keys(self, heard: Tensor, below: Tensor) -> Tensor:
        """(N, KEYS, units), and what the key below each does, (N, KEYS, 2) → logits (N, KEYS, 2)."""
        x, _ = self.low(torch.cat((heard, below), dim=-1))
        x, _ = self.high(x)
        logits: Tensor = self.out(x)
        return logits

    def losses(self, seen: Tensor, cells: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Nats of play and articulate: features and cells (B, T, KEYS, 2) → (B, T, KEYS, 2), and the state after."""
        heard, state = self.along_time(seen, state)
        below = F.pad(cells, (0, 0, 1, 0))[:, :, :-1]
        logits = self.along_keys(heard.flatten(0, 1), below.flatten(0, 1))
        nats = F.binary_cross_entropy_with_logits(logits.view_as(cells), cells, reduction="none")
        # A key that does not sound is not struck: nothing to say.
        return torch.stack((nats[..., 0], nats[..., 1] * cells[..., 0]), dim=-1), state


def told(roll: Roll) -> tuple[Tensor, Tensor]:
    """What the keys see and what they do: (T, KEYS, FEATURES), (T, KEYS, 2). Before the roll there is silence."""
    play, strike = (np.pad(cells, ((1, 0), (0, 0)))[:-1] for cells in (roll.play, roll.strike))
    cells = np.stack((roll.play, roll.strike), axis=-1).astype(np.float32)
    return features(play, strike, roll.place), torch.from_numpy(cells)


class BiaxialRolls(Network[Biaxial]):
    """The network on piano rolls."""

    conditioned = False
    complete = False

    def __init__(
        self, over_time: int = 300, over_keys: tuple[int, int] = (100, 50), segment: int = SEGMENT, batch: int = 2
    ) -> None:
        self.over_time, self.over_keys, self.segment = over_time, over_keys, segment
        self.settings = TrainConfig(batch=batch, rate=2e-3)
        super().__init__()

    def build(self) -> Biaxial:
        """A new model."""
        return Biaxial(self.over_time, self.over_keys)

    def lesson(self, corpus: Corpus, seed: int) -> Lesson:
        """Segments that begin at a bar line, of the training pieces that a roll can hold."""
        entries = tuple(e for e in corpus.split(validation=False) if fits(corpus.of(e)))
        pieces = Pieces(corpus, entries, seed)

        def lesson(rng: np.random.Generator) -> tuple[Tensor, int]:
            parts = [told(self._segment(pieces.piece(rng), rng)) for _ in range(self.settings.batch)]
            nats, _ = self.model.losses(torch.stack([p[0] for p in parts]), torch.stack([p[1] for p in parts]))
            return nats.sum(), max(int(sum(p[1][..., 1].sum() for p in parts)), 1)

        return lesson

    def _segment(self, positions: tokens.Positions, rng: np.random.Generator) -> Roll:
        """`segment` sixteenths of a piece; silence where it has no more."""
        whole = rolled(quantised(tokens.decode(positions, TEMPO)))
        lines = np.flatnonzero(whole.place[: max(len(whole.place) - self.segment, 0) + 1] == 0)
        first = int(rng.choice(lines))
        play, strike, place = (a[first : first + self.segment] for a in (whole.play, whole.strike, whole.place))
        more = self.segment - len(play)
        rest = ((0, more), (0, 0))
        return Roll(np.pad(play, rest), np.pad(strike, rest), np.pad(place, (0, more)))

    @torch.inference_mode()
    def bits(self, prefix: Prefix, positions: tokens.Positions) -> Bits:
        """What the roll of a piece costs; the prefix is not known."""
        seen, cells = told(rolled(quantised(tokens.decode(positions, TEMPO))))
        total, state = torch.zeros(2), None
        for first in range(0, len(seen), self.segment):
            part = slice(first, first + self.segment)
            nats, state = self.model.losses(seen[None, part], cells[None, part], state)
            total += nats.sum(dim=(0, 1, 2))
        return {name: float(nats) / LN2 for name, nats in zip(("play", "articulate"), total, strict=True)}

    def compose(self, order: Order) -> list[Bar]:
        """A new piece, in the program that the prime has most of."""
        meter = order.prefix.meter or METERS[0]
        prime = tokens.decode(order.prime, TEMPO)
        programs = Counter(note.program for bar in prime for note in bar.notes if note.program != DRUMS)
        cells = meter.ticks // CELL
        roll = self._written(
            rolled(quantised(prime)), order.bars * cells, cells, np.random.default_rng((order.seed, 1))
        )
        program = programs.most_common(1)[0][0] if programs else 0
        return list(annotate(unrolled(roll, meter, order.prefix.tempo or TEMPO, program, VELOCITY)))

    @torch.inference_mode()
    def _written(self, prime: Roll, length: int, bar: int, rng: np.random.Generator) -> Roll:
        """`length` sixteenths after the prime, in bars of `bar` sixteenths."""
        state: State | None = None
        climb = Climb(self.model)
        cells = np.zeros((length, KEYS, 2), dtype=bool)
        before = np.zeros((KEYS, 2), dtype=bool)
        if len(prime.play):
            _, state = self.model.along_time(told(prime)[0][None], None)
            before = np.stack((prime.play[-1], prime.strike[-1]), axis=-1)
        silent = 0
        for cell in range(length):
            seen = features(before[None, :, 0], before[None, :, 1], np.array([cell % bar]))
            heard, state = self.model.along_time(seen[None], state)
            cells[cell] = before = climb.drawn(heard[0, 0].double().numpy(), 1 + BOLDNESS * silent, rng)
            silent = 0 if before.any() else silent + 1
        play, strike = cells[..., 0], cells[..., 1]
        fresh = play & ~np.pad(play, ((1, 0), (0, 0)))[:-1]
        return Roll(play, strike | fresh, np.arange(length) % bar)


class Climb:
    """The way along the keys, one after another, in numpy: a step of torch's LSTM costs ten times as much."""

    def __init__(self, model: Biaxial) -> None:
        self.weights: dict[str, Floats] = {name: weight.double().numpy() for name, weight in model.state_dict().items()}
        self.units = (model.low.hidden_size, model.high.hidden_size)

    def drawn(self, heard: Floats, boldness: float, rng: np.random.Generator) -> npt.NDArray[np.bool_]:
        """What each key does, play and strike: (KEYS, 2), from what it heard (KEYS, units)."""
        return self.climbed(heard, rng.random((KEYS, 2)), boldness)[0]

    def climbed(self, heard: Floats, uniform: Floats, boldness: float = 1.0) -> tuple[npt.NDArray[np.bool_], Floats]:
        """What each key does, and how likely each was; a key does what is likelier than its number of `uniform`."""
        own = self.weights
        units = heard.shape[1]
        given = heard @ own["low.weight_ih_l0"][:, :units].T + own["low.bias_ih_l0"] + own["low.bias_hh_l0"]
        low: tuple[Floats, Floats] = (np.zeros(self.units[0]), np.zeros(self.units[0]))
        high: tuple[Floats, Floats] = (np.zeros(self.units[1]), np.zeros(self.units[1]))
        done, likely = np.zeros((KEYS, 2), dtype=bool), np.zeros((KEYS, 2))
        for key in range(KEYS):
            below = own["low.weight_ih_l0"][:, units:] @ done[key - 1] if key else 0.0
            low = moved(given[key] + below + own["low.weight_hh_l0"] @ low[0], low[1])
            gates = own["high.weight_ih_l0"] @ low[0] + own["high.bias_ih_l0"] + own["high.bias_hh_l0"]
            high = moved(gates + own["high.weight_hh_l0"] @ high[0], high[1])
            likely[key] = _sigmoid(own["out.weight"] @ high[0] + own["out.bias"])
            done[key, 0] = uniform[key, 0] < 1 - (1 - likely[key, 0]) ** boldness
            done[key, 1] = done[key, 0] and uniform[key, 1] < likely[key, 1]
        return done, likely


def moved(gates: Floats, cell: Floats) -> tuple[Floats, Floats]:
    """An LSTM's output and cell from its gates (4 units,), in torch's order, and its cell (units,)."""
    into, keep, new, out = np.split(gates, 4)
    cell = _sigmoid(keep) * cell + _sigmoid(into) * np.tanh(new)
    return _sigmoid(out) * np.tanh(cell), cell


def _sigmoid(x: Floats) -> Floats:
    share: Floats = 0.5 + 0.5 * np.tanh(0.5 * x)
    return share
