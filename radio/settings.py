"""What can be set: the station's values and a channel's, each with its default, as frozen values.

Defaults live here, in the fields, and nowhere else; `radio.config` reads TOML and the command line over them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from radio.formats import FORMATS, Format
from radio.music.score import Meter
from radio.sinks import ListingConfig, SinkConfig
from radio.tables import Within

Tempo = Annotated[float, Within(20, 400, "beats a minute")]
Length = Annotated[int, Within(4, 256, "bars")]
Program = Annotated[int, Within(0, 127, "(General MIDI)")]
PositiveSeconds = Annotated[float, Within(0.5, 600, "seconds")]
Shape = Literal["free", "binary", "ternary", "rondo", "strophic", "variations", "aaba", "verse-chorus"]
"""`radio.music.shapes`, whose import would cost every command numpy's."""
Strength = Annotated[float, Within(0, 4, "(1: as it comes)")]


@dataclass(frozen=True, slots=True)
class BreaksConfig:
    """Idents and announcements: audio files that are spoken over the beginning of a piece."""

    folder: Path | None = None
    """Of the files, which take their turn in the alphabet's order; beside `station.toml` if relative. None: there are
    no breaks."""
    channels: tuple[str, ...] = ()
    """Empty: all."""
    every: Annotated[float, Within(30, 86400, "seconds")] = 900.0
    """In each stretch of this length there is one at most."""
    duck: Annotated[float, Within(0, 60, "dB")] = 14.0
    """How much the music is lowered meanwhile."""


@dataclass(frozen=True, slots=True)
class StationConfig:
    """The station: `station.toml`."""

    name: str = "Generative Radio"
    description: str = "Music composed while you listen."
    url: str = ""
    """Home page, sent to listeners as icy-url."""
    host: str = "0.0.0.0"
    port: Annotated[int, Within(0, 65535)] = 8000
    """0: any free port."""
    channels: Path = Path("channels")
    """Folder of the channels' TOML files."""
    only: tuple[str, ...] = ()
    """Names of the channels to run; empty: all of the folder."""
    model: Path = Path("models/base")
    """Folder with the composer's weights and `config.json`."""
    composer: Literal["model", "scale"] = "model"
    """"scale" plays scales without a model: sound on a machine that has nothing yet."""
    soundfont: Path | None = None
    """None: the one found on the system."""
    formats: tuple[str, ...] = tuple(FORMATS)
    """Of `radio.formats.FORMATS`; every channel is sent in each, which costs nothing while nobody listens to it."""
    bitrate: Literal[64, 80, 96, 112, 128, 160, 192, 224, 256, 320] = 128
    """MP3, kbit/s, constant."""
    opus_bitrate: Annotated[int, Within(32, 256, "kbit/s")] = 96
    aac_bitrate: Annotated[int, Within(64, 320, "kbit/s")] = 128
    lookahead: PositiveSeconds = 20.0
    """How far the studio works ahead of the clock: the longest absence nobody hears."""
    burst: Annotated[float, Within(2, 30, "seconds")] = 4.0
    """Sound sent at once to a listener who joins."""
    feed_lead: Annotated[float, Within(0, 30, "seconds")] = 2.0
    """How long before their sound the feed sends events."""
    hls_window: Annotated[float, Within(60, 86400, "seconds")] = 7200.0
    """How far one who listens by HLS can go back, if somebody has listened for so long."""
    hls_memory: Annotated[int, Within(16, 1_000_000, "MB")] = 512
    """For all that HLS keeps; where it does not do, windows are shorter. Two hours of 128 kbit/s are 120 MB."""
    music_licence: str = "CC0-1.0"
    """Under which the station gives the music it composes: an SPDX identifier, or a sentence. Each channel's licence
    page says it."""
    loudness: Annotated[float, Within(-36, -8, "LUFS")] = -16.0
    """Integrated loudness of every channel (EBU R128)."""
    state: Path = Path("state")
    """Folder for what a restarted studio continues from; beside `station.toml` if relative."""
    link: str = ""
    """Where studio and air meet: a unix socket's path, or host:port; empty: `link.sock` in `state`."""
    threads: Annotated[int, Within(1, 256)] = 1
    """Threads of torch in the composer. A step on a CPU takes one; a row is begun, and drawn from, with these."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    max_listeners: Annotated[int, Within(1, 1_000_000)] = 20000
    max_listeners_per_address: Annotated[int, Within(1, 1_000_000)] | None = None
    """None: as many as there may be. Behind a proxy, only with `proxies` is an address that of a listener."""
    seed: int | None = None
    """None: different music at every start."""
    log: Literal["text", "json"] = "text"
    """How the log is written to standard error: lines for people, or a JSON object a line."""
    access_log: Path | None = None
    """File of a line for each request, a listener's as it ends; None: none. It may be moved away at any time."""
    proxies: tuple[str, ...] = ()
    """Addresses and networks of proxies before the station: what they say in X-Forwarded-For is believed."""
    tls_certificate: Path | None = None
    """File (PEM) for https; it may be replaced at any time. None: http, as behind a proxy that sees to https."""
    tls_key: Path | None = None
    """None: in the same file."""
    admin_token: str = field(default="", repr=False)
    """The secret of the addresses under /api, better given as RADIO_ADMIN_TOKEN; empty: there are none."""
    breaks: BreaksConfig = BreaksConfig()
    sinks: tuple[SinkConfig, ...] = ()
    """What channels are sent to besides listeners: `radio.sinks`."""
    listing: ListingConfig = field(default_factory=ListingConfig)
    """What directories are told of the station."""

    @property
    def address(self) -> str:
        """The link's address: a unix socket's path, or host:port."""
        return self.link or str(self.state / "link.sock")

    def kbits(self, form: Format) -> int:
        """kbit/s of a format; 0: as the sound has it."""
        return form.kbits if isinstance(form.kbits, int) else int(getattr(self, form.kbits))


@dataclass(frozen=True, slots=True)
class PrefixConfig:
    """What the planner draws each piece's prefix from. Empty: as the training corpus has it."""

    style: str = ""
    """Composer or genre; a style the model was trained on."""
    composer: str = ""
    forms: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    meters: tuple[Meter, ...] = ()
    tempo: tuple[Tempo, Tempo] | None = None
    """Slowest and fastest, in beats (quarter notes) a minute."""
    bars: tuple[Length, Length] | None = None
    """Shortest and longest piece, in bars."""
    dynamics: bool | None = None
    """True: music with dynamics of its own; False: flat, for the performer to shape."""
    timing: Literal["", "guessed", "score", "played"] = ""
    """Whose the timing is that pieces are to have: the score's, a player's. Empty: as the skeleton has it."""
    shapes: tuple[Shape, ...] = ()
    """Forms that pieces are given, each as often as the others; "free": as a work of the corpus has it. Empty: free."""
    parts: tuple[Annotated[int, Within(1, 6)], ...] = ()
    """Numbers of programs that sound in a piece, the drum kit counted."""


@dataclass(frozen=True, slots=True)
class SamplingConfig:
    """How tokens are drawn."""

    temperature: Annotated[float, Within(0, 2)] = 1.0
    nucleus: Annotated[float, Within(0.05, 1)] = 0.97
    """Draw among the likeliest tokens whose probabilities add up to this."""
    guidance: Annotated[float, Within(0, 8)] = 1.0
    """How hard to push towards the prefix; 1: not at all."""
    echo: Annotated[float, Within(0, 8)] = 4.0
    """How closely a bar follows the one that it is planned to resemble: e to this power is what the chances of the
    other's next note are multiplied by. 0: as closely as the model has it."""
    returns: Annotated[float, Within(1, 8)] = 1.5
    """Times as hard that a bar of a section that returns leans on its first statement: by them a form is heard."""
    cadence: Annotated[float, Within(0, 4)] = 1.0
    """How much the last bars of a piece that is to close lean on what such bars have in human music. 0: not at all."""
    home: Annotated[float, Within(0, 8)] = 4.0
    """How hard a piece that has strayed from its key is led back to it. 0: not at all."""
    scoring: Annotated[float, Within(0, 8)] = 2.0
    """How much a bar leans on the programs that the work it is modelled on has there: as `echo`. 0: not at all."""
    texture: Annotated[float, Within(0, 8)] = 4.0
    """How closely a bar keeps to the number of notes that the work it is modelled on has together there. 0: not at all.
    """
    register: Annotated[float, Within(0, 8)] = 1.0
    """How hard a program that plays higher or lower than in the work it is modelled on is led back. 0: not at all."""
    fields: Mapping[Literal["onset", "program", "pitch", "duration", "velocity"], Annotated[float, Within(0, 2)]] = (
        field(default_factory=dict)
    )
    """Temperatures of single fields of a note, instead of `temperature`."""


@dataclass(frozen=True, slots=True)
class PerformerConfig:
    """How freely the score is played. 0: as written; 1: as a player would."""

    dynamics: Strength = 1.0
    rubato: Strength = 1.0
    ritardando: Strength = 1.0
    humanize: Strength = 1.0
    pedal: bool = False
    """Sustain pedal, changed with the harmony."""


@dataclass(frozen=True, slots=True)
class DaypartConfig:
    """What a channel is in some hours of the day."""

    hours: str
    """Such as 06:00-10:30, in the machine's time zone; 22:00-06:00 goes past midnight."""
    mix: Mapping[str, Annotated[float, Within(0, 1000)]] = field(default_factory=dict)
    """Styles of the pieces that begin then, each with its share. Empty: the channel's own."""
    loudness: Annotated[float, Within(-20, 6, "LU")] = 0.0
    """How much louder than the station's the channel is then."""


@dataclass(frozen=True, slots=True)
class ChannelConfig:
    """A channel: `channels/<name>.toml`."""

    name: str
    """The file's stem, and the channel's path on the web server."""
    title: str
    description: str = ""
    genre: str = ""
    """Sent to listeners as icy-genre."""
    prefix: PrefixConfig = PrefixConfig()
    programs: Mapping[Program, Program] = field(default_factory=dict)
    """Re-orchestration: the composer's program to the one that sounds; in TOML, `all` stands for
    every program not named. Drums stay drums."""
    allowed: tuple[Annotated[int, Within(0, 128, "(128: drums)")], ...] = ()
    """Programs that the composer may write for; empty: any."""
    sampling: SamplingConfig = SamplingConfig()
    performer: PerformerConfig = PerformerConfig()
    dayparts: tuple[DaypartConfig, ...] = ()
    """The first one that holds at an hour counts; where none does, the channel is as the rest of its file has it."""
    breath: Annotated[float, Within(0, 30, "seconds")] = 2.5
    """Silence between two pieces."""
    endless: bool = False
    """Pieces have no end, only a name: each goes on from the one before on its last bar line, at about its tempo."""
    true_peak: Annotated[float, Within(-12, -1, "dBTP")] = -3.0
    """Of what is encoded; so that the decoded sound, which overshoots, stays below −1 dBTP."""
    reverb: Annotated[float, Within(0, 1)] = 0.4
    lookahead: PositiveSeconds | None = None
    """None: the station's."""
    max_listeners: Annotated[int, Within(1, 1_000_000)] | None = None
    """None: as many as the station may have."""
    transpose: Annotated[int, Within(-24, 24, "semitones")] = 0
