"""The configuration: what files may say, and that every problem is told at once."""

from __future__ import annotations

import dataclasses
import shutil
import string
import tomllib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conftest import Write
from radio.cli import _overrides, parser
from radio.config import ROOT, load
from radio.errors import ConfigError
from radio.music.score import Meter
from radio.settings import ChannelConfig, StationConfig
from radio.sinks import DirectoryConfig, IcecastConfig, RecordConfig
from radio.tables import toml


def problems(path: Path | None, **overrides: object) -> list[str]:
    """The problems of a configuration that cannot be loaded, with the folder cut from the paths."""
    with pytest.raises(ConfigError) as caught:
        load(path, **overrides)
    assert str(caught.value) == "\n".join(caught.value.problems)
    return [problem.replace(f"{path.parent}/", "") if path else problem for problem in caught.value.problems]


def test_what_a_file_leaves_out_is_the_default(station: Path) -> None:
    config = load(station)
    assert config.station.bitrate == StationConfig().bitrate
    assert config.channels["scales"] == ChannelConfig(name="scales", title="Scales")


def test_every_key_of_a_channel_reaches_its_field(station: Path, write: Write) -> None:
    write(
        "channels/mine.toml",
        """
        title = "Mine"
        genre = "Waltz"
        allowed = [0, 128]
        programs = { 0 = 46 }
        breath = 1
        lookahead = 5
        transpose = -2
        [prefix]
        style = "chopin"
        keys = ["G minor"]
        meters = ["3/4", "6/8"]
        tempo = [60, 90.5]
        bars = [16, 64]
        dynamics = true
        parts = [1, 2]
        [sampling]
        nucleus = 0.9
        fields = { pitch = 0.8 }
        [performer]
        pedal = true
        """,
    )
    mine = load(station).channels["mine"]
    assert (mine.name, mine.title, mine.genre, mine.transpose) == ("mine", "Mine", "Waltz", -2)
    assert mine.prefix.meters == (Meter(3, 4), Meter(6, 8))
    assert mine.prefix.keys == ("G minor",)
    assert mine.prefix.tempo == (60.0, 90.5)
    assert mine.prefix.bars == (16, 64)
    assert mine.prefix.dynamics is True
    assert mine.prefix.parts == (1, 2)
    assert mine.allowed == (0, 128)
    assert mine.programs == {0: 46}
    assert mine.sampling.nucleus == 0.9
    assert mine.sampling.fields == {"pitch": 0.8}
    assert mine.performer.pedal
    assert isinstance(mine.breath, float)


def test_all_stands_for_every_program_that_is_not_named(station: Path, write: Write) -> None:
    write("channels/choir.toml", 'title = "Choir"\nprograms = { all = 52, 19 = 20 }\n')
    programs = load(station).channels["choir"].programs
    assert programs[19] == 20
    assert {sounding for program, sounding in programs.items() if program != 19} == {52}
    assert set(programs) == set(range(128))


def test_every_problem_of_every_file_is_told_at_once(write: Write) -> None:
    station = write("station.toml", 'prot = 8000\nbitrate = 129\nname = 7\nlookahead = "long"\n')
    write("channels/bad.toml", 'tilte = "Bad"\nreverb = 1.5\ntempo = [60, 80]\n[performer]\nrubatto = 1\n')
    write("channels/broken.toml", "title = \n")
    write("channels/good.toml", 'title = "Good"\n')
    found = problems(station)
    assert "station.toml: prot: unknown key (did you mean port?)" in found
    assert any(problem.startswith("station.toml: bitrate: got 129, wanted 64 or") for problem in found)
    assert "station.toml: name: got 7, wanted a string" in found
    assert 'station.toml: lookahead: got "long", wanted a number' in found
    assert "channels/bad.toml: tilte: unknown key (did you mean title?)" in found
    assert "channels/bad.toml: title: missing" in found
    assert "channels/bad.toml: reverb: out of range: got 1.5, wanted 0 to 1" in found
    assert "channels/bad.toml: tempo: unknown key (did you mean prefix.tempo?)" in found
    assert "channels/bad.toml: performer.rubatto: unknown key (did you mean rubato?)" in found
    assert any(problem.startswith("channels/broken.toml: not TOML: ") for problem in found)
    assert len(found) == 10
    assert not any("good" in problem for problem in found)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("prefix.tempo = [90, 60]", "prefix.tempo: got [90, 60], wanted the lower number first"),
        ("prefix.tempo = 90", "prefix.tempo: got 90, wanted a range [low, high]"),
        ("prefix.bars = [1, 20]", "prefix.bars: out of range: got 1, wanted 4 to 256 bars"),
        ("prefix.bars = [8.5, 20]", "prefix.bars: got 8.5, wanted a whole number"),
        ('prefix.meters = ["3/5"]', 'prefix.meters: got "3/5", wanted a meter such as "3/4"'),
        ('prefix.style = "chopni"', "prefix.style: chopni: not in the vocabulary (did you mean chopin?)"),
        ('prefix.keys = ["G minro"]', "prefix.keys: G minro: not in the vocabulary (did you mean G minor?)"),
        ('prefix.forms = ["waltzz"]', "prefix.forms: waltzz: not in the vocabulary (did you mean waltz?)"),
        ("prefix = 3", "prefix: got 3, wanted a table"),
        ("programs = { 0 = 200 }", "programs.0: out of range: got 200, wanted 0 to 127 (General MIDI)"),
        ("programs = { piano = 1 }", 'programs.piano: got "piano", wanted a whole number'),
        ("allowed = [6]\nprograms = { 0 = 1 }", "programs.0: the composer may not write for it (allowed has no 0)"),
        ("performer.pedal = 1", "performer.pedal: got 1, wanted true or false"),
        ("breath = nan", "breath: out of range: got nan, wanted 0 to 30 seconds"),
        ("transpose = true", "transpose: got true, wanted a whole number"),
        ("lookahead = 1.5", "lookahead: got 1.5, wanted more than the station's feed_lead (2)"),
        ("name = 'other'", "name: unknown key"),
    ],
)
def test_a_channels_mistake_is_named_with_its_file_and_key(
    station: Path, write: Write, line: str, problem: str
) -> None:
    write("channels/scales.toml", f'title = "Scales"\n{line}\n')
    assert problems(station) == [f"channels/scales.toml: {problem}"]


@pytest.mark.parametrize("stem", ["Loud", "two words", "api", "status"])
def test_a_channels_name_must_be_fit_for_an_address(station: Path, write: Write, stem: str) -> None:
    write(f"channels/{stem}.toml", 'title = "T"\n')
    assert len(problems(station)) == 1


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("burst = 25", "burst: got 25, wanted less than lookahead (20)"),
        ("feed_lead = 20", "feed_lead: got 20, wanted less than lookahead (20)"),
        ('formats = ["mp4"]', "formats: mp4: unknown format (did you mean mp3?)"),
        ("formats = []", "formats: none, wanted at least one"),
        ('only = ["scale"]', "only: scale: no such channel (did you mean scales?)"),
    ],
)
def test_keys_are_held_against_each_other(station: Path, line: str, problem: str) -> None:
    station.write_text(line)
    assert [found.removeprefix("station.toml: ") for found in problems(station)] == [problem]


def test_a_soundfont_that_is_not_there_is_a_problem(station: Path) -> None:
    station.write_text('soundfont = "none.sf2"')
    assert "soundfont: none.sf2: no such file" in problems(station)[0]


def test_a_folder_without_channels_is_a_problem(write: Write) -> None:
    station = write("station.toml", 'channels = "nothing"')
    assert problems(station) == ["nothing: no channels (a channel is a file such as nothing/bach.toml)"]


def test_a_station_file_that_is_not_there_is_a_problem(tmp_path: Path) -> None:
    assert problems(tmp_path / "station.toml")[0] == "station.toml: cannot be read: No such file or directory"


def test_overrides_take_precedence_and_are_checked_the_same_way(station: Path) -> None:
    assert load(station, port=9000, seed=None).station.port == 9000
    assert problems(station, port=70000, lokahead=3) == [
        "command line: port: out of range: got 70000, wanted 0 to 65535",
        "command line: lokahead: unknown key (did you mean lookahead?)",
    ]


def test_paths_count_from_the_file_that_names_them(
    station: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    monkeypatch.chdir(elsewhere)
    config = load(station, model=Path("m"))
    assert config.station.state == station.parent / "state"
    assert config.station.address == str(station.parent / "state" / "link.sock")
    assert config.station.model == elsewhere / "m"


def test_a_link_may_be_a_host_and_port(station: Path) -> None:
    assert load(station, link="air.example:7000").station.address == "air.example:7000"


def test_only_names_the_channels_to_run(station: Path, write: Write) -> None:
    write("channels/other.toml", 'title = "Other"\n')
    assert list(load(station).channels) == ["other", "scales"]
    assert list(load(station, only=["other"]).channels) == ["other"]


def test_a_channels_own_lookahead_comes_before_the_stations(station: Path, write: Write) -> None:
    write("channels/near.toml", 'title = "Near"\nlookahead = 4\n')
    config = load(station)
    assert config.lookahead("near") == 4.0
    assert config.lookahead("scales") == 20.0


def test_arguments_load_the_same_configuration_in_another_process(station: Path) -> None:
    config = load(station, port=1234, name='A "b" c', only=["scales"], state=station.parent / "s")
    arguments = parser().parse_args(["studio", *config.arguments])
    assert load(arguments.station, **_overrides(arguments)) == config


SINKS = """
[[sinks]]
kind = "icecast"
server = "https://icecast.example:8443"
channels = ["scales"]
format = "opus"
public = true
[[sinks]]
kind = "record"
folder = "tapes"
each = "piece"
keep_days = 30
[[sinks]]
kind = "directory"
[listing]
public = true
address = "https://radio.example"
languages = ["en", "deu"]
latitude = 48.2
longitude = 16
"""


def test_each_kind_of_sink_is_read_with_its_own_keys(station: Path) -> None:
    station.write_text(SINKS)
    loaded = load(station).station
    icecast, record, directory = loaded.sinks
    assert icecast == IcecastConfig("icecast", "https://icecast.example:8443", ("scales",), "opus", public=True)
    assert isinstance(record, RecordConfig)
    assert (record.folder, record.each, record.keep_days) == (station.parent / "tapes", "piece", 30.0)
    assert directory == DirectoryConfig("directory")
    assert loaded.listing.languages == ("en", "deu")


ICECAST = '[[sinks]]\nkind = "icecast"\nserver = "http://icecast.example"\n'
RECORD = '[[sinks]]\nkind = "record"\n'


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ('[[sinks]]\nkind = "icecats"', 'sinks[1].kind: got "icecats", wanted "icecast" or "record" or "directory"'),
        ('[[sinks]]\nformat = "mp3"', 'sinks[1].kind: missing, wanted "icecast" or "record" or "directory"'),
        ("[[sinks]]\nkind = [1]", 'sinks[1].kind: got [1], wanted "icecast" or "record" or "directory"'),
        ("sinks = [3]", "sinks: got 3, wanted a table"),
        (ICECAST + 'pasword_env = "X"', "sinks[1].pasword_env: unknown key (did you mean password_env?)"),
        (ICECAST + 'channels = ["scale"]', "sinks[1].channels: scale: no such channel (did you mean scales?)"),
        (ICECAST + 'format = "mp4"', "sinks[1].format: mp4: not to be had here (did you mean mp3?)"),
        (ICECAST + 'format = "wav"', "sinks[1].format: wav: not to be had here, wanted one of: mp3, opus, aac"),
        (ICECAST + 'mount = "live/{channel}"', "sinks[1].mount: got live/{channel}, wanted a path that begins with /"),
        (ICECAST + 'mount = "/live"', "sinks[1].mount: got /live, wanted {channel} in it, since it is for several"),
        (ICECAST + 'mount = "/{chanel}"', "sinks[1].mount: {chanel}: not known (did you mean channel?)"),
        (ICECAST + 'mount = "/{channel"', "sinks[1].mount: got /{channel: expected '}' before end of string"),
        ('[[sinks]]\nkind = "icecast"', "sinks[1].server: missing"),
        ('[[sinks]]\nkind = "icecast"\nserver = "x:80"', "sinks[1].server: got x:80, wanted an address such as"),
        (ICECAST + RECORD + 'each = "day"', 'sinks[2].each: got "day", wanted "hour" or "piece"'),
        (RECORD + 'name = "../{channel}"', "sinks[1].name: got ../{channel}, wanted the path of a file within"),
        (RECORD + 'name = "{channel!r}"', "sinks[1].name: {channel!r}: not known (did you mean channel?)"),
        (RECORD + 'name = "{titel} {channel}"', "sinks[1].name: {titel}: not known (did you mean title?)"),
        (RECORD + "keep_days = 0", "sinks[1].keep_days: out of range: got 0, wanted 0.01 to 36500 days"),
        ('[[sinks]]\nkind = "directory"', "sinks[1].kind: a directory needs listing.address"),
        ('[listing]\naddress = "radio.example"', "listing.address: got radio.example, wanted an address such as"),
        ('[listing]\ncountry = "Austria"', "listing.country: got Austria, wanted two letters (ISO 3166-1)"),
        ("[listing]\nlatitude = 48.2", "listing.latitude, listing.longitude: got one of them, wanted both"),
    ],
)
def test_a_mistake_in_a_sink_is_named_with_its_number_and_key(station: Path, lines: str, problem: str) -> None:
    station.write_text(lines)
    found = [line.removeprefix("station.toml: ") for line in problems(station)]
    assert any(line.startswith(problem) for line in found), found


def test_sinks_given_as_overrides_reach_another_process(station: Path) -> None:
    sinks = [{"kind": "record", "folder": "tapes", "name": 'Ü "{channel}" 🎹\x7f\\', "cue": False, "keep_days": 1.5}]
    config = load(station, sinks=sinks)
    arguments = parser().parse_args(["studio", *config.arguments])
    assert load(arguments.station, **_overrides(arguments)) == config
    assert config.station.sinks[0] == RecordConfig(
        "record", folder=Path.cwd() / "tapes", name='Ü "{channel}" 🎹\x7f\\', cue=False, keep_days=1.5
    )


plain = (
    st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats() | st.text(st.characters(exclude_categories=["Cs"]))
)
values = st.recursive(
    plain, lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner)
)


@given(values)
def test_a_value_written_as_toml_reads_back(value: object) -> None:
    assert repr(tomllib.loads(f"value = {toml(value)}")["value"]) == repr(value)


def test_the_stations_own_channels_load() -> None:
    channels = load(None, channels=ROOT / "channels").channels
    assert len(channels) >= 18
    for channel in channels.values():
        assert channel.title
        assert channel.description.endswith(".")
        assert channel.prefix.style
    assert len({channel.title for channel in channels.values()}) == len(channels)


def test_the_example_of_a_station_file_loads_with_every_key_taken(write: Write) -> None:
    example = (ROOT / "deploy" / "station.toml").read_text(encoding="utf-8")
    text = "\n".join(line.removeprefix("# ") for line in example.splitlines() if "=" in line)
    for file in ("fullchain.pem", "privkey.pem"):
        text = text.replace(f"/etc/letsencrypt/live/radio.example/{file}", str(write(file, "a certificate's")))
    station = write("station.toml", text)
    shutil.copytree(ROOT / "channels", station.parent / "channels")
    assert list(load(station).channels) == ["bach", "jazz"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from([*(field.name for field in dataclasses.fields(StationConfig)), "other"]),
        st.recursive(
            st.booleans() | st.integers() | st.floats() | st.text(string.ascii_letters + "/:", max_size=8),
            lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(max_size=3), values, max_size=2),
        ),
        max_size=4,
    )
)
def test_whatever_a_table_holds_is_taken_or_told(station: Path, table: dict[str, object]) -> None:
    """No value makes the loader raise anything but a ConfigError with a problem for the person."""
    told: list[str] = []
    try:
        load(station, **table)
    except ConfigError as error:
        told = error.problems
    assert all(": " in problem for problem in told)
