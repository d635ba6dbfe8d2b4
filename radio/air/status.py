"""What /status.json and /healthz tell. Pure: the station in, plain values out."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from radio.air.station import Station, Transmission


def status(station: Station) -> dict[str, Any]:
    """The whole station."""
    own = station.config.station
    return {
        "station": {"name": own.name, "description": own.description, "url": own.url},
        "uptime": round(station.clock() - station.started, 1),
        "studio": {
            "state": station.studio,
            "pid": station.studio_pid,
            "restarts": max(0, station.connections - 1),
            "troubles": station.troubles,
            "report": station.report,
        },
        "listeners": station.listeners,
        "sinks": station.sinks(),
        "channels": {name: _channel(station, one) for name, one in station.transmissions.items()},
    }


def _channel(station: Station, one: Transmission) -> dict[str, Any]:
    channel, config = one.channel, one.config
    mounts = one.mounts.values()
    evicted: dict[str, int] = {}
    for mount in mounts:
        for reason, count in mount.ended.items():
            evicted[reason] = evicted.get(reason, 0) + count
    return {
        "title": config.title,
        "description": config.description,
        "genre": config.genre,
        "state": channel.state,
        "now": _now(one),
        "frame": channel.frame,
        "lookahead": round(channel.ahead, 2),
        "formats": list(channel.formats),
        "listeners": {
            mount.form.name: len(mount.listeners) + one.hls.players.by_format[mount.form.name] for mount in mounts
        },
        "peak": {mount.form.name: mount.peak for mount in mounts},
        "ended": evicted,
        "late": channel.pace.late if channel.pace else 0,
        "encores": channel.encores,
        "loudness": channel.loudness,
        "mounts": [
            {
                "path": mount.path,
                "format": mount.form.name,
                "content_type": mount.form.content_type,
                "bitrate": station.config.station.kbits(mount.form),
            }
            for mount in mounts
        ],
        "hls": _hls(one),
        "feed": f"/{channel.name}/feed",
        "events": f"/{channel.name}/events",
        "feed_subscribers": len(one.feed.subscribers),
        "feed_dropped": one.feed.dropped,
    }


def _hls(one: Transmission) -> dict[str, Any] | None:
    """Of those who listen by HLS, who are among the listeners as well; None if no format is right for it."""
    hls = one.hls
    if not hls.variants:
        return None
    return {
        "path": f"/{one.config.name}.m3u8",
        "rewind": f"/{one.config.name}.rewind.m3u8",
        "listeners": hls.players.count,
        "peak": hls.players.peak,
        "left": hls.players.left,
        "seconds": {form: round(variant.seconds, 2) for form, variant in hls.variants.items() if variant.segments},
        "bytes": sum(variant.size for variant in hls.variants.values()),
    }


def _now(one: Transmission) -> dict[str, Any] | None:
    channel = one.channel
    if not channel.title:
        return None
    now: dict[str, Any] = {"title": channel.title}
    if channel.now:
        piece = asdict(channel.now)
        now |= {name: piece[name] for name in ("number", "key", "tempo", "meter", "form", "bars")}
        now["started"] = piece["at"]
    if channel.bar:
        now |= {"bar": channel.bar.number, "section": channel.bar.section}
    return now


def health(station: Station) -> tuple[int, dict[str, Any]]:
    """An HTTP status and what to say: "ok", "degraded" (an encore, or a channel not there), "down"."""
    states = {name: one.channel.state for name, one in station.transmissions.items()}
    playing = [name for name, state in states.items() if state in ("live", "encore")]
    if not playing:
        return 503, {"status": "down", "channels": states}
    live = all(state == "live" for state in states.values())
    return 200, {"status": "ok" if live else "degraded", "channels": states}
