"""Times real time of the studio's stages, and of a channel whole: from bars to packets. One thread."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from measuring import show

from radio.config import load
from radio.formats import BLOCK, RATE
from radio.link import Credit, Position, pack
from radio.music.events import NoteEvent
from radio.settings import StationConfig
from radio.studio import soundfont
from radio.studio.encoders import CODECS, encoder
from radio.studio.encodings import Encodings
from radio.studio.limiter import Limiter
from radio.studio.loudness import Weighting
from radio.studio.programme import Programme
from radio.studio.scale import ScaleComposer
from radio.studio.synth import Synth

SECONDS = 60
BLOCKS = SECONDS * RATE // BLOCK


def times(work: Callable[[int], object]) -> float:
    """How many times faster than real time `work`, called with each block's number, is."""
    began = time.perf_counter()
    for number in range(BLOCKS):
        work(number)
    return BLOCKS * BLOCK / RATE / (time.perf_counter() - began)


def chords(synth: Synth, voices: int) -> Callable[[int], object]:
    """Plays a chord of so many notes, anew in each block, each sounding two blocks."""

    def work(number: int) -> object:
        start = number * BLOCK
        synth.play([NoteEvent(start, 2 * BLOCK, 0, 0, 40 + 5 * n, 80) for n in range(voices)])
        return synth.render(start, BLOCK)

    return work


def main() -> None:
    station = StationConfig()
    font = soundfont.find(None)
    rows: list[list[object]] = []
    music = []
    for voices in (2, 6):
        synth = Synth(font)
        work = chords(synth, voices)
        rows.append([f"synth, {2 * voices} notes sounding", times(work)])
        music = [np.asarray(work(BLOCKS + n)) for n in range(16)]
        synth.close()
    weighting, limiter = Weighting(), Limiter(-2.2)
    rows.append(["loudness", times(lambda n: weighting.groups(music[n % 16]))])
    rows.append(["limiter", times(lambda n: limiter.push(music[n % 16]))])
    pcm = [np.rint(block * 32767).astype(np.int16) for block in music]
    for name in CODECS:
        made = encoder(station, name)
        rows.append([f"{name} encoder", times(lambda n, e=made: e.encode(pcm[n % 16], n, n * BLOCK))])  # type: ignore[misc]
    with tempfile.TemporaryDirectory() as state:
        own = StationConfig(state=Path(state))
        config = load(None)
        for formats in ((), ("mp3",), tuple(CODECS)):
            programme = Programme(own, config.channels["chopin"], ScaleComposer(1), Position(0, 0, True), font)
            encodings = Encodings(own, "chopin", 0)
            programme.next_sound(1.0)

            def packet(_: int, programme: Programme = programme, encodings: Encodings = encodings) -> object:
                sound = programme.next_sound(1.0)
                assert sound
                list(encodings.want(Credit("chopin", 0, encodings.number, formats)))  # noqa: B023
                return pack(encodings.packet(sound))

            rows.append([f"a channel in {' and '.join(formats) or 'no format'}", times(packet)])
            programme.close()
    for row in rows:
        row.append(100 / float(str(row[1])))
    show(f"studio, {SECONDS} s of sound, {font.name}", ["stage", "× real time", "% of a core"], rows)


if __name__ == "__main__":
    main()
