"""The soundfont: where the sound of the programs comes from, and why it is FluidR3.

Measured with FluidSynth 2.3.1 on one core of a small server; a soundfont loaded whole is shared by a process's synths.

                                    FluidR3_GM.sf2   MuseScore_General.sf3   the same, -small
    package                         120 MB           76 MB                   34 MB
    first synth ready, loaded whole 0.15–0.45 s      7.5 s                   3.5 s
    memory of 16 synths             335 MB           660 MB                  392 MB
    piano, 8 notes a second         0.9 % of a core  2.0 %                   2.0 %

All three are under the MIT licence and sound alike: MuseScore's was made from FluidR3. It is the smaller download but
compressed: unpacking costs a studio seconds at every start, and its stereo layers twice the voices. Loading programs
when they are first wanted (`synth.dynamic-sample-loading`) would save 65 MB of the 335, as the channels use most
programs between them, and costs 1–5 ms at a program's first note (1.3 s for MuseScore's); loaded whole, no note waits
for a file.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from radio.errors import MissingError

PLACES = (
    Path("/usr/share/sounds/sf2"),
    Path("/usr/share/soundfonts"),
    Path("/usr/local/share/soundfonts"),
    Path("/usr/share/sounds/sf3"),
    Path("/opt/homebrew/share/soundfonts"),
    Path("/usr/local/share/fluidsynth"),
)
NAMES = (
    "FluidR3_GM.sf2",
    "FluidR3_GM2-2.sf2",
    "FluidR3.sf2",
    "default-GM.sf2",
    "default.sf2",
    "MuseScore_General.sf3",
    "MuseScore_General_Lite.sf3",
    "GeneralUser-GS.sf2",
    "TimGM6mb.sf2",
)
"""Best first."""
REMEDY = (
    "apt-get install fluid-soundfont-gm (Fedora: fluid-soundfont-gm, Arch: soundfont-fluid), "
    "or name a General MIDI soundfont: --soundfont FILE"
)


def find(chosen: Path | None = None, places: Sequence[Path] = PLACES) -> Path:
    """The chosen soundfont, or the best one on the system.

    Raises:
        MissingError: none is there.
    """
    if chosen is not None:
        if chosen.is_file():
            return chosen
        raise MissingError(f"{chosen}: no such soundfont; {REMEDY}")
    candidates = [place / name for name in NAMES for place in places]
    for place in places:
        candidates += sorted(place.glob("*.sf[23]"))
    for path in candidates:
        if path.is_file():
            return path
    raise MissingError(f"no soundfont in {', '.join(map(str, places))}; {REMEDY}")
