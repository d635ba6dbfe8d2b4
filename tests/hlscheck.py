"""A validator of HLS playlists by the rules of draft-pantos-hls-rfc8216bis. Pure; shares nothing with the radio."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

ATTRIBUTE = re.compile(r'([A-Z0-9-]+)=("[^"\n\r]*"|[^",\s]+)(?:,|$)')
MILLISECOND = 0.0015
ONCE = (
    "EXT-X-VERSION", "EXT-X-TARGETDURATION", "EXT-X-SERVER-CONTROL", "EXT-X-PART-INF", "EXT-X-MEDIA-SEQUENCE",
    "EXT-X-DISCONTINUITY-SEQUENCE", "EXT-X-INDEPENDENT-SEGMENTS", "EXT-X-SKIP",
)  # fmt: skip
BEFORE_MEDIA = ("EXT-X-MEDIA-SEQUENCE", "EXT-X-DISCONTINUITY-SEQUENCE")


@dataclass
class Part:
    uri: str
    seconds: float


@dataclass
class Segment:
    number: int
    uri: str = ""
    seconds: float = 0.0
    date: float | None = None
    map: str = ""
    parts: list[Part] = field(default_factory=list)


@dataclass
class Playlist:
    tags: dict[str, str] = field(default_factory=dict)
    control: dict[str, str] = field(default_factory=dict)
    segments: list[Segment] = field(default_factory=list)
    """Those with a file, and last one without where parts of it are there."""
    ranges: dict[str, dict[str, str]] = field(default_factory=dict)
    reports: list[dict[str, str]] = field(default_factory=list)
    hint: str = ""
    skipped: int = 0
    faults: list[str] = field(default_factory=list)

    @property
    def whole(self) -> list[Segment]:
        return [segment for segment in self.segments if segment.uri]

    def number(self, tag: str) -> float:
        return float(self.tags.get(tag, "nan"))


def attributes(text: str) -> dict[str, str]:
    """An attribute list (4.2), quotes taken off.

    Raises:
        ValueError: it is none.
    """
    found = ATTRIBUTE.findall(text)
    if ",".join(f"{name}={value}" for name, value in found) != text or len({name for name, _ in found}) != len(found):
        raise ValueError(f"not an attribute list: {text}")
    return {name: value.strip('"') for name, value in found}


def seconds(date: str) -> float:
    return datetime.fromisoformat(date.replace("Z", "+00:00")).timestamp()


def parse(text: str) -> Playlist:
    """A media playlist; what cannot be understood is among its faults."""
    made = Playlist()
    lines = text.split("\n")
    if lines[0] != "#EXTM3U" or lines[-1] != "":
        made.faults.append("it does not begin with #EXTM3U or does not end with a line's end")
    growing: Segment | None = None
    number: float = 0
    for line in lines[1:-1]:
        tag, _, value = line.removeprefix("#").partition(":")
        if not line.startswith("#"):
            tag = ""
        if tag in ONCE:
            if tag in made.tags or (tag in BEFORE_MEDIA and growing is not None):
                made.faults.append(f"{tag} twice or too late")
            made.tags[tag] = value
        if tag == "EXT-X-SERVER-CONTROL":
            made.control = attributes(value)
        elif tag == "EXT-X-SKIP":
            made.skipped = int(attributes(value)["SKIPPED-SEGMENTS"])
        elif tag == "EXT-X-MAP":
            made.tags["map"] = attributes(value)["URI"]
        elif tag == "EXT-X-DATERANGE":
            own = attributes(value)
            if own["ID"] in made.ranges:
                made.faults.append(f"date range {own['ID']} twice")
            made.ranges[own["ID"]] = own
        elif tag == "EXT-X-PRELOAD-HINT":
            made.hint = attributes(value)["URI"]
        elif tag == "EXT-X-RENDITION-REPORT":
            made.reports.append(attributes(value))
        elif tag in ("", "EXTINF", "EXT-X-PART", "EXT-X-PROGRAM-DATE-TIME"):
            if growing is None or growing.uri:
                number = made.number("EXT-X-MEDIA-SEQUENCE") + made.skipped + len(made.segments)
                growing = Segment(int(number), map=made.tags.get("map", ""))
                made.segments.append(growing)
            if tag == "":
                growing.uri = line
            elif tag == "EXTINF":
                growing.seconds = float(value.partition(",")[0])
            elif tag == "EXT-X-PART":
                own = attributes(value)
                growing.parts.append(Part(own["URI"], float(own["DURATION"])))
            else:
                growing.date = seconds(value)
        elif tag not in ONCE:
            made.faults.append(f"unknown tag {tag}")
    return made


def problems(text: str, before: str | None = None) -> list[str]:
    """What is wrong with a live media playlist, also as one that follows another."""
    try:
        playlist = parse(text)
    except (ValueError, KeyError) as error:
        return [f"not a playlist: {error!r}"]
    found = [*playlist.faults, *_head(playlist), *_media(playlist), *_dates(playlist), *_parts(playlist)]
    if before is not None:
        found += _follows(parse(before), playlist)
    return found


def _head(own: Playlist) -> Iterator[str]:
    target = own.number("EXT-X-TARGETDURATION")
    if not target >= 1:
        yield "no target duration (4.4.3.1)"
    if not own.tags.get("EXT-X-VERSION", "").isdecimal() or (own.skipped and own.number("EXT-X-VERSION") < 9):
        yield "no version, or one below what its tags need (8)"
    if "map" not in own.tags:
        yield "no EXT-X-MAP: MP4 needs one (3.1.2)"
    if not float(own.control.get("HOLD-BACK", 3 * target)) >= 3 * target:
        yield "HOLD-BACK below three target durations (4.4.3.8)"
    if not float(own.control.get("CAN-SKIP-UNTIL", 6 * target)) >= 6 * target:
        yield "CAN-SKIP-UNTIL below six target durations (4.4.3.8)"
    for report in own.reports:
        if "URI" not in report or not {"LAST-MSN", "LAST-PART"} <= set(report):
            yield f"a rendition report without URI, LAST-MSN or LAST-PART: {report} (4.4.5.4)"


def _media(own: Playlist) -> Iterator[str]:
    if not own.whole:
        yield "no segment"
    for segment in own.whole:
        if not 0 < round(segment.seconds) <= own.number("EXT-X-TARGETDURATION"):
            yield f"segment {segment.number} lasts {segment.seconds} s, more than the target duration (4.4.3.1)"
        if not segment.map:
            yield f"segment {segment.number} comes before EXT-X-MAP (4.4.4.5)"
    uris = [segment.uri for segment in own.whole] + [part.uri for segment in own.segments for part in segment.parts]
    if len(uris) != len(set(uris)):
        yield "an address twice"
    if any(not segment.uri for segment in own.segments[:-1]):
        yield "a segment without a file before the last"


def _dates(own: Playlist) -> Iterator[str]:
    if any(segment.date is None for segment in own.segments):
        yield "a segment without a date"
        return
    for one, other in itertools.pairwise(own.segments):
        assert one.date is not None
        assert other.date is not None
        if abs(one.date + one.seconds - other.date) > MILLISECOND:
            yield f"segment {other.number} is dated {other.date - one.date - one.seconds:+.3f} s from the one before it"
    starts = []
    for name, own_range in own.ranges.items():
        starts.append(seconds(own_range["START-DATE"]))
        ends = {"DURATION", "END-DATE"} & set(own_range)
        if own_range.get("END-ON-NEXT") == "YES" and ("CLASS" not in own_range or ends):
            yield f"date range {name} ends on the next but has no class, or another end (4.4.5.1)"
    first = own.segments[0].date if own.segments else 0.0
    if starts != sorted(starts) or (own.segments and not own.skipped and not (starts and starts[0] <= first + 0.5)):  # type: ignore[operator]
        yield "date ranges are not in order, or none covers the beginning"
    if not own.skipped and any(other <= first for other in starts[1:]):  # type: ignore[operator]
        yield "a date range that ended before the first segment"


def _parts(own: Playlist) -> Iterator[str]:
    if not any(segment.parts for segment in own.segments):
        if own.hint or "EXT-X-PART-INF" in own.tags:
            yield "a hint, or a part target, without parts"
        return
    if "EXT-X-PART-INF" not in own.tags:
        yield "parts without a part target (4.4.3.7)"
        return
    target = float(attributes(own.tags["EXT-X-PART-INF"])["PART-TARGET"])
    if not float(own.control.get("PART-HOLD-BACK", 0)) >= 3 * target - 1e-9:
        yield "PART-HOLD-BACK below three part targets (4.4.3.8)"
    for segment in own.segments:
        lengths = [part.seconds for part in segment.parts]
        if any(length > target for length in lengths) or any(length < 0.85 * target for length in lengths[:-1]):
            yield f"parts of segment {segment.number} above the part target or below 85 % of it (4.4.4.9)"
        if segment.uri and lengths and abs(sum(lengths) - segment.seconds) > MILLISECOND:
            yield f"parts of segment {segment.number} last {sum(lengths)} s, it {segment.seconds}"
    lasts = [segment.seconds or sum(part.seconds for part in segment.parts) for segment in own.segments]
    old = 3 * own.number("EXT-X-TARGETDURATION")
    if any(bool(one.parts) is (sum(lasts[at + 1 :]) >= old) for at, one in enumerate(own.segments)):
        yield "parts are named of segments older than three target durations, or not of newer ones (4.4.4.9)"
    if not own.hint or own.hint in {part.uri for segment in own.segments for part in segment.parts}:
        yield "no hint at the next part, or one at a part that is there (4.4.5.3)"


def _follows(before: Playlist, after: Playlist) -> Iterator[str]:
    """6.2.1 and 6.2.2: nothing changes but what is added at the end and removed from the beginning."""
    for tag in ("EXT-X-MEDIA-SEQUENCE", "EXT-X-DISCONTINUITY-SEQUENCE"):
        if after.number(tag) < before.number(tag):
            yield f"{tag} went back"
    if after.number("EXT-X-TARGETDURATION") != before.number("EXT-X-TARGETDURATION"):
        yield "the target duration changed"
    if after.number("EXT-X-DISCONTINUITY-SEQUENCE") != before.number("EXT-X-DISCONTINUITY-SEQUENCE"):
        return
    old = {segment.number: segment for segment in before.segments}
    for segment in after.segments:
        known = old.get(segment.number)
        if known is None:
            continue
        if segment.date != known.date or (known.uri and (segment.uri, segment.seconds) != (known.uri, known.seconds)):
            yield f"segment {segment.number} changed"
        if known.parts and segment.parts and segment.parts[: len(known.parts)] != known.parts:
            yield f"parts of segment {segment.number} changed"
    if before.segments and after.segments and after.segments[-1].number < before.segments[-1].number:
        yield "segments were taken from the end"
    for name in before.ranges.keys() & after.ranges.keys():
        if before.ranges[name] != after.ranges[name]:
            yield f"date range {name} changed"
    parts = {part.uri for segment in after.segments for part in segment.parts}
    newest = [part.uri for segment in before.segments for part in segment.parts][-1:]
    if before.hint and set(newest) <= parts and before.hint not in parts | {after.hint}:
        yield "what was hinted at never came"


def updated(before: str, update: str) -> str:
    """The playlist that an update stands for, for a player that has the one before (6.2.5.1)."""
    old, new = parse(before), parse(update)
    head, lines = update.split("#EXT-X-SKIP:")
    begin = int(new.number("EXT-X-MEDIA-SEQUENCE"))
    kept = {segment.number: segment for segment in old.segments}
    middle = []
    for number in range(begin, begin + new.skipped):
        segment = kept[number]
        assert segment.date is not None
        date = datetime.fromtimestamp(round(segment.date, 3)).astimezone().isoformat(timespec="milliseconds")
        middle += [f"#EXT-X-PROGRAM-DATE-TIME:{date}", f"#EXTINF:{segment.seconds:.2f},", segment.uri]
    return head + "\n".join((*middle, lines.partition("\n")[2]))


def master_problems(text: str) -> list[str]:
    """What is wrong with a multivariant playlist."""
    lines = text.split("\n")
    found = [] if lines[0] == "#EXTM3U" and lines[-1] == "" else ["no #EXTM3U, or no line's end"]
    for tag, uri in itertools.pairwise(lines):
        if tag.startswith("#EXT-X-STREAM-INF:"):
            own = attributes(tag.partition(":")[2])
            if not {"BANDWIDTH", "AVERAGE-BANDWIDTH", "CODECS"} <= set(own):
                found.append(f"a variant lacks what it must or should say: {tag} (4.4.6.2)")
            elif not 0 < int(own["AVERAGE-BANDWIDTH"]) <= int(own["BANDWIDTH"]):
                found.append(f"an average above the peak: {tag}")
            if not uri or uri.startswith("#"):
                found.append(f"no address after {tag}")
    if not any(line.startswith("#EXT-X-STREAM-INF:") for line in lines):
        found.append("no variant")
    return found
