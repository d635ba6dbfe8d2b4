"""The synth, with FluidSynth and the system's soundfont: what is played is heard, when it should be."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from radio.errors import MissingError
from radio.formats import BLOCK, RATE
from radio.music.events import ControlEvent, NoteEvent
from radio.music.score import DRUMS
from radio.studio import soundfont
from radio.studio.synth import DRUM_LANE, GRID, Synth
from sound import Pcm


@pytest.fixture(scope="module")
def font() -> Path:
    return soundfont.find()


@pytest.fixture
def synth(font: Path) -> Iterator[Synth]:
    made = Synth(font, reverb=0.0)
    yield made
    made.close()


def note(at: int, frames: int = RATE // 2, *, pitch: int = 60, program: int = 0, lane: int = 0) -> NoteEvent:
    return NoteEvent(at, frames, lane, program, pitch, 100)


def level(pcm: Pcm) -> float:
    return float(np.sqrt(np.mean(np.square(pcm))))


def render(synth: Synth, blocks: int, start: int = 0) -> Pcm:
    return np.concatenate([synth.render(start + n * BLOCK, BLOCK) for n in range(blocks)])


def onset(pcm: Pcm) -> int:
    """Where the sound first reaches a twentieth of its greatest height."""
    height = np.abs(pcm).max(axis=1)
    return int(np.flatnonzero(height > height.max() / 20)[0])


def test_silence_is_silence(synth: Synth) -> None:
    assert np.abs(render(synth, 3)).max() < 1e-6


@pytest.mark.parametrize("at", [0, 1, 31, 777, BLOCK - 1, BLOCK, 2 * BLOCK + 5000])
def test_a_note_is_heard_where_it_should_be(synth: Synth, at: int) -> None:
    synth.play([note(at, program=6)])
    assert onset(render(synth, 4)) == pytest.approx(at + 60, abs=80)


def test_a_note_ends_where_it_should(synth: Synth) -> None:
    synth.play([note(0, frames=RATE, program=16)])
    pcm = render(synth, 8)
    assert level(pcm[RATE - 4800 : RATE]) > 50 * level(pcm[RATE + 9600 : RATE + 14400])


def test_blocks_join_without_a_seam(synth: Synth, font: Path) -> None:
    """The same notes give the same sound, whether it is asked for in one piece or in several."""
    other = Synth(font, reverb=0.0)
    events = [note(n * 3001, pitch=50 + n, frames=9000) for n in range(10)]
    synth.play(events)
    other.play(events)
    in_parts = np.concatenate([synth.render(n * 640, 640) for n in range(72)])
    assert np.array_equal(in_parts, other.render(0, 46080))
    other.close()


def test_each_lane_has_its_program_and_drums_are_drums(synth: Synth) -> None:
    sounds = []
    for program, lane in ((0, 0), (73, 1), (DRUMS, DRUM_LANE)):
        synth.reset()
        synth.play([note(0, pitch=38 if program == DRUMS else 74, program=program, lane=lane)])
        sounds.append(np.abs(np.fft.rfft(render(synth, 2)[:, 0])))
    piano, flute, drum = (spectrum / np.linalg.norm(spectrum) for spectrum in sounds)
    assert piano @ flute < 0.9
    assert piano @ drum < 0.2


def test_a_key_struck_again_is_ended_by_the_later_note(synth: Synth) -> None:
    synth.play([note(0, frames=RATE, program=16), note(RATE // 2, frames=RATE, program=16)])
    pcm = render(synth, 10)
    assert level(pcm[RATE + 9600 : RATE + 14400]) > 50 * level(pcm[2 * RATE : 2 * RATE + 4800])


def test_the_pedal_holds_notes_until_it_is_lifted(synth: Synth) -> None:
    pedal = [ControlEvent(0, 0, 64, 127), ControlEvent(RATE, 0, 64, 0)]
    synth.play([*pedal, note(100, frames=2400)])
    pcm = render(synth, 10)
    assert level(pcm[RATE - 4800 : RATE]) > 20 * level(pcm[2 * RATE : 2 * RATE + 4800])


def test_reset_silences_everything_at_once(font: Path) -> None:
    synth = Synth(font, reverb=1.0)
    synth.play([note(0, frames=10 * RATE), note(5 * BLOCK, frames=RATE), ControlEvent(0, 0, 64, 127)])
    render(synth, 2)
    assert synth.voices > 0
    synth.reset()
    after = np.abs(render(synth, 6, start=2 * BLOCK)).max(axis=1)
    assert after[:2400].max() < 0.01
    assert after[2400:].max() < 1e-3
    assert synth.voices == 0
    synth.close()


def test_reverberation_is_as_the_channel_wants_it(font: Path) -> None:
    tails = []
    for reverb in (0.0, 0.4, 1.0):
        synth = Synth(font, reverb=reverb)
        synth.play([note(0, frames=2400)])
        tails.append(level(render(synth, 4)[RATE // 2 : RATE // 2 + 9600]))
        synth.close()
    assert tails[0] < tails[1] / 2 < tails[2] / 2


def test_synths_of_a_process_share_the_soundfont(font: Path) -> None:
    """A second synth takes less than a fifth of the soundfont's own size."""
    first = Synth(font)
    before = int(Path("/proc/self/statm").read_text().split()[1])
    others = [Synth(font) for _ in range(3)]
    after = int(Path("/proc/self/statm").read_text().split()[1])
    assert (after - before) * 4096 / 3 < font.stat().st_size / 5
    for synth in (first, *others):
        synth.close()


def test_only_whole_grids_can_be_rendered(synth: Synth) -> None:
    with pytest.raises(ValueError, match=f"multiple of {GRID}"):
        synth.render(0, 100)


def test_a_program_the_soundfont_lacks_is_played_on_the_piano(
    tmp_path: Path, synth: Synth, font: Path, caplog: pytest.LogCaptureFixture
) -> None:
    piano = Synth(font, reverb=0.0)
    piano.play([note(0)])
    wanted = render(piano, 2)
    piano.close()
    synth.play([note(0, program=127 + 1000)])
    assert level(render(synth, 2)) == pytest.approx(level(wanted), rel=0.01)
    assert "has no program 1127" in caplog.text


def test_a_file_that_is_no_soundfont_is_named_with_a_remedy(tmp_path: Path) -> None:
    path = tmp_path / "wrong.sf2"
    path.write_bytes(b"RIFF" + bytes(100))
    with pytest.raises(MissingError, match=r"wrong\.sf2.*apt-get install fluid-soundfont-gm"):
        Synth(path)


def test_a_missing_library_is_named_with_its_remedy(font: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fluidsynth", None)
    with pytest.raises(MissingError, match="apt-get install libfluidsynth3"):
        Synth(font)


def test_the_chosen_soundfont_is_taken_and_otherwise_the_best_there_is(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.mkdir()
    other.mkdir()
    (one / "TimGM6mb.sf2").touch()
    (one / "unheard-of.sf3").touch()
    assert soundfont.find(places=[one, other]) == one / "TimGM6mb.sf2"
    (other / "FluidR3_GM.sf2").touch()
    assert soundfont.find(places=[one, other]) == other / "FluidR3_GM.sf2"
    assert soundfont.find(one / "unheard-of.sf3", places=[one, other]) == one / "unheard-of.sf3"


def test_no_soundfont_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="apt-get install fluid-soundfont-gm"):
        soundfont.find(places=[tmp_path])
    with pytest.raises(MissingError, match=r"gone\.sf2: no such soundfont"):
        soundfont.find(tmp_path / "gone.sf2")
    (tmp_path / "any.sf2").touch()
    assert soundfont.find(places=[tmp_path]) == tmp_path / "any.sf2"
