"""The description of all addresses: OpenAPI 3.1 (https://spec.openapis.org/oas/v3.1.1). Pure.

A test holds it to the routes that the server has, and what the server answers to its schemas.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from radio import __version__
from radio.formats import FORMATS
from radio.settings import StationConfig

Json = dict[str, Any]
TEXT: Json = {"type": "string"}
NUMBER: Json = {"type": "number"}
WHOLE: Json = {"type": "integer"}
NAMES: Json = {"type": "array", "items": TEXT}
COUNTS: Json = {"type": "object", "additionalProperties": WHOLE}
ADMIN: Json = {"security": [{"token": []}]}
TUNE = (
    "A word of the listener's own: the feed that is opened with the same one is told where the audio response begins."
)


def document(station: StationConfig) -> Json:
    """The whole description of a station's addresses."""
    return {
        "openapi": "3.1.0",
        "info": {"title": station.name, "description": station.description, "version": __version__},
        "servers": [{"url": "/"}],
        "tags": [
            {"name": "listen", "description": "Audio and playlists."},
            {
                "name": "follow",
                "description": "Every note ahead of its sound. `at` and `frame` count frames, 48,000 a second.",
            },
            {"name": "status", "description": "How the station does."},
            {"name": "administration", "description": "With the administrator's token; without one there is none."},
            {"name": "page", "description": "For people."},
        ],
        "paths": {**_listening(station), **_following(), **_status(), **_administration(), **_pages()},
        "components": {"schemas": _schemas(), "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
    }


def _object(required: Mapping[str, Json], **optional: Json) -> Json:
    return {"type": "object", "properties": {**required, **optional}, "required": list(required)}


def _ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def _json(description: str, schema: Json) -> Json:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _plain(description: str, *content_types: str) -> Json:
    return {"description": description, "content": {kind: {} for kind in content_types}}


def _error(description: str) -> Json:
    return _json(description, _ref("Error"))


def _in_path(name: str, description: str, **schema: Any) -> Json:
    return {"name": name, "in": "path", "required": True, "description": description, "schema": {**TEXT, **schema}}


def _query(name: str, description: str) -> Json:
    return {"name": name, "in": "query", "description": description, "schema": TEXT}


CHANNEL = _in_path("channel", "The channel's name: that of its file.")


def _operation(
    tag: str, summary: str, answers: Mapping[str, Json], parameters: Iterable[Json] = (), **more: Any
) -> Json:
    return {"tags": [tag], "summary": summary, "parameters": list(parameters), "responses": dict(answers), **more}


def _listening(station: StationConfig) -> Json:
    forms = [FORMATS[name] for name in station.formats]
    missing = _error("No such channel, with near names, or format.")
    titles = {
        "name": "Icy-MetaData",
        "in": "header",
        "description": "1: titles in MP3 and AAC, after every `icy-metaint` bytes.",
        "schema": TEXT,
    }
    sound = _plain("Sound without end, a burst at once.", *dict.fromkeys(form.content_type for form in forms))
    sound["headers"] = {
        "X-Radio-Frame": {"description": "The frame of the channel at which the sound begins.", "schema": WHOLE},
        "icy-metaint": {"description": "Bytes of audio between two titles, if any.", "schema": WHOLE},
    }
    extension = _in_path("extension", "The format.", enum=[form.extension for form in forms])
    answers = {
        "200": sound,
        "404": missing,
        "503": _error("Not on the air yet, full, or no studio to make the format."),
    }
    return {
        "/{channel}.{extension}": {
            "get": _operation("listen", "Listen", answers, [CHANNEL, extension, titles, _query("tune", TUNE)])
        },
        **_playlists(missing),
        **_hls(missing),
    }


PLAYLISTS = {
    "m3u": ("M3U", "audio/x-mpegurl"), "pls": ("PLS", "audio/x-scpls"), "xspf": ("XSPF", "application/xspf+xml")
}  # fmt: skip


def _playlists(missing: Json) -> Json:
    found: Json = {}
    for ending, (name, kind) in PLAYLISTS.items():
        answers = {"200": _plain("A playlist.", kind)}
        found[f"/radio.{ending}"] = {"get": _operation("listen", f"All channels as a playlist ({name})", answers)}
        found[f"/{{channel}}.{ending}"] = {
            "get": _operation("listen", f"A channel as a playlist ({name})", {**answers, "404": missing}, [CHANNEL])
        }
    outline = {"200": _plain("An outline.", "text/x-opml")}
    return {**found, "/radio.opml": {"get": _operation("listen", "All channels as an outline (OPML)", outline)}}


def _hls(missing: Json) -> Json:
    playlist = _plain("A playlist.", "application/vnd.apple.mpegurl")
    kind = _in_path("kind", "Up to now, or all that is kept.", enum=["m3u8", "rewind.m3u8"])
    form = _in_path("form", "The bit rate.")
    session = _in_path("session", "What a player is known by.")
    name = _in_path("name", "As a playlist has it.")
    reload = [_query("_HLS_msn", "Answer when this segment is there."), _query("_HLS_part", "Or this part of it.")]
    skip = _query("_HLS_skip", "YES: only what is new of a rewind playlist.")
    answers = {
        "200": playlist, "400": _error("Nothing that a playlist leads to."), "404": missing,
        "503": _error("Not on the air yet, full, or no part in time."),
    }  # fmt: skip
    live = _in_path("kind", "Up to now, or all that is kept.", enum=["live", "rewind"])
    return {
        "/{channel}.{kind}": {
            "get": _operation("listen", "HLS: the bit rates", {"200": playlist, "404": missing}, [CHANNEL, kind])
        },
        "/hls/{session}/{channel}/{form}/{kind}.m3u8": {
            "get": _operation("listen", "HLS: a playlist", answers, [session, CHANNEL, form, live, *reload, skip])
        },
        "/hls/{channel}/{form}/{name}": {
            "get": _operation(
                "listen",
                "HLS: a segment, a part, or what comes first",
                {"200": _plain("A fragment of MP4.", "audio/mp4"), "404": missing},
                [CHANNEL, form, name],
            )
        },
    }


def _following() -> Json:
    missing = _error("No such channel, with near names.")
    parameters = [CHANNEL, _query("tune", TUNE)]
    stream = {"200": _plain("Messages as server-sent events.", "text/event-stream"), "404": missing}
    socket = {
        "101": {"description": "A WebSocket: each message is a JSON object (`Event`)."},
        "404": missing,
        "426": _error("Not asked for as a WebSocket."),
    }
    return {
        "/{channel}/feed": {"get": _operation("follow", "The live feed (WebSocket)", socket, parameters)},
        "/{channel}/events": {"get": _operation("follow", "The live feed (server-sent events)", stream, parameters)},
    }


def _status() -> Json:
    down = _json("Nothing plays.", _ref("Health"))
    health = {"200": _json("Something plays; degraded: not everything as it should.", _ref("Health")), "503": down}
    figures = _plain("Prometheus' text format, or OpenMetrics if that is accepted.", "text/plain")
    return {
        "/status.json": {
            "get": _operation("status", "Everything there is to know", {"200": _json("The station.", _ref("Status"))})
        },
        "/healthz": {"get": _operation("status", "Whether the station plays", health)},
        "/metrics": {"get": _operation("status", "Figures for Prometheus", {"200": figures})},
        "/status-json.xsl": {
            "get": _operation("status", "Status as Icecast 2.4 has it", {"200": _json("icestats.", {"type": "object"})})
        },
        "/streaminfo.json": {
            "get": _operation("status", "What directories read of the station", {"200": _json("Listed.", {})})
        },
        "/{channel}/streaminfo.json": {
            "get": _operation(
                "status",
                "What directories read of a channel",
                {"200": _json("Listed.", {}), "404": _error("No such channel, with near names.")},
                [CHANNEL],
            )
        },
        "/{channel}/licence": {
            "get": _operation(
                "status",
                "Who may play a channel, and what its model learned from: a page",
                {"200": _plain("The page.", "text/html"), "404": _error("No such channel, with near names.")},
                [CHANNEL],
            )
        },
        "/{channel}/licence.json": {
            "get": _operation(
                "status",
                "The same for machines",
                {"200": _json("The same.", {"type": "object"}), "404": _error("No such channel, with near names.")},
                [CHANNEL],
            )
        },
        "/openapi.json": {
            "get": _operation("status", "This description", {"200": _json("OpenAPI 3.1.", {"type": "object"})})
        },
    }


def _administration() -> Json:
    refused = {"401": _error("Not the administrator's token."), "404": _error("No such thing, or no administration.")}
    listener = _in_path("id", "As `/api/listeners` tells it.")
    skipped = _object({"channel": TEXT, "skipped": TEXT, "seconds": NUMBER})
    problems = _json("Errors in the files: nothing is changed.", _ref("Error"))

    def operation(summary: str, answers: Json, *parameters: Json) -> Json:
        return _operation("administration", summary, {**answers, **refused}, parameters, **ADMIN)

    kicked = _json("It has ended; most players come back by themselves.", _object({"kicked": _ref("Listener")}))
    following = _json("The piece dies away in so many seconds, and another follows.", skipped)
    return {
        "/api/listeners": {
            "get": operation(
                "Who listens",
                {
                    "200": _json(
                        "The longest first.", _object({"listeners": {"type": "array", "items": _ref("Listener")}})
                    )
                },
                _query("mount", "Only of this one, such as /bach.mp3."),
            )
        },
        "/api/listeners/{id}": {"delete": operation("End a listener's response", {"200": kicked}, listener)},
        "/api/channels/{channel}/skip": {
            "post": operation(
                "Have another piece follow",
                {"200": following, "409": _error("There is nothing else to play now.")},
                CHANNEL,
            )
        },
        "/api/reload": {
            "post": operation(
                "Read the channels' files again",
                {"200": _json("What is other than it was.", _ref("Changes")), "422": problems},
            )
        },
    }


def _pages() -> Json:
    page = {"200": _plain("A page.", "text/html")}
    file = {"200": _plain("A file.", "*/*"), "404": _error("No such file.")}
    return {
        "/": {"get": _operation("page", "The web player", page)},
        "/docs": {"get": _operation("page", "This description as a page", page)},
        "/static/{file}": {"get": _operation("page", "The pages' files", file, [_in_path("file", "Its name.")])},
    }


def _schemas() -> Json:
    states = {**TEXT, "enum": ["starting", "live", "encore", "off air"]}
    mount = _object({"path": TEXT, "format": TEXT, "content_type": TEXT, "bitrate": WHOLE})
    channel = _object(
        {
            "title": TEXT,
            "description": TEXT,
            "genre": TEXT,
            "state": states,
            "frame": {**WHOLE, "description": "The frame after the last one released."},
            "lookahead": {**NUMBER, "description": "Seconds held that were not yet released."},
            "formats": {**NAMES, "description": "Those that are made, as somebody listens to them."},
            "listeners": COUNTS,
            "peak": COUNTS,
            "ended": {**COUNTS, "description": "Listeners who are no more, by reason."},
            "late": WHOLE,
            "encores": WHOLE,
            "loudness": {"type": ["number", "null"], "description": "LUFS, short-term."},
            "mounts": {"type": "array", "items": mount},
            "feed": TEXT,
            "events": TEXT,
            "feed_subscribers": WHOLE,
            "feed_dropped": WHOLE,
            "now": {"type": ["object", "null"], "properties": {"title": TEXT}, "required": ["title"]},
        }
    )
    studio = _object(
        {"state": TEXT, "restarts": WHOLE, "troubles": {"type": "object", "additionalProperties": TEXT}},
        pid={"type": ["integer", "null"]},
        report={"type": "object"},
    )
    listener = {"id": WHOLE, "mount": TEXT, "address": TEXT, "agent": TEXT, "titles": {"type": "boolean"}}
    return {
        "Error": _object({"error": TEXT}, got={}, wanted=TEXT, near=NAMES, channels=NAMES, problems=NAMES),
        "Event": _object(
            {"event": {**TEXT, "enum": ["hello", "note", "control", "bar", "piece", "title", "clock", "tuned"]}},
            at={**WHOLE, "description": "The frame at which it happens."},
        ),
        "Health": _object(
            {
                "status": {**TEXT, "enum": ["ok", "degraded", "down"]},
                "channels": {"type": "object", "additionalProperties": states},
            }
        ),
        "Status": _object(
            {
                "station": _object({"name": TEXT, "description": TEXT, "url": TEXT}),
                "uptime": NUMBER,
                "studio": studio,
                "listeners": WHOLE,
                "channels": {"type": "object", "additionalProperties": channel},
            }
        ),
        "Listener": _object({**listener, "seconds": NUMBER, "bytes": WHOLE, "behind": NUMBER}),
        "Changes": _object({"added": NAMES, "changed": NAMES, "removed": NAMES, "needs_restart": NAMES}),
    }
