"""The description of the addresses: valid, of every route and of no other, and true of what is answered."""

from __future__ import annotations

from typing import Any

import pytest
from aiohttp import ClientSession, web
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from browser import CHROMIUM, browser
from fakes import Clock, Tones, config
from radio.air.openapi import document
from radio.air.server import application
from radio.air.station import Station
from radio.settings import StationConfig

TOKEN = "token"
IMPLIED = {"HEAD", "OPTIONS"}
"""Methods that are answered wherever GET is."""


def station() -> Station:
    """One that plays tones."""
    clock = Clock()
    own = Station(config("bach", "folk", formats=("mp3",), admin_token=TOKEN), clock=clock)
    for packet in Tones("bach", station=own.config.station).packets(30):
        own.receive(packet)
    own.transmissions["bach"].advance(clock.now)
    return own


def routes(app: web.Application) -> set[tuple[str, str]]:
    """Method and path, as OpenAPI writes it, of every route."""
    found = set()
    for route in app.router.routes():
        assert route.resource is not None
        path = route.resource.canonical
        if isinstance(route.resource, web.StaticResource):
            path += "/{file}"
        found.add((route.method, path))
    return {(method, path) for method, path in found if method not in IMPLIED}


def test_the_description_is_valid_openapi() -> None:
    OpenAPIV31SpecValidator(document(StationConfig())).validate()


def test_every_route_is_described_and_no_other() -> None:
    described = {
        (method.upper(), path) for path, methods in document(StationConfig())["paths"].items() for method in methods
    }
    assert described == routes(application(station()))


def test_every_placeholder_of_a_path_is_described() -> None:
    for path, methods in document(StationConfig())["paths"].items():
        for operation in methods.values():
            named = {own["name"] for own in operation["parameters"] if own["in"] == "path"}
            assert named == {part.split("}")[0] for part in path.split("{")[1:]}, path


async def ask(method: str, path: str) -> tuple[int, str, Any]:
    """What a station answers to the administrator."""
    runner = web.AppRunner(application(station()))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        url = f"http://127.0.0.1:{runner.addresses[0][1]}{path}"
        headers = {"Authorization": f"Bearer {TOKEN}"}
        async with ClientSession() as session, session.request(method, url, headers=headers) as answer:
            return answer.status, answer.content_type, await answer.json() if "json" in answer.content_type else None
    finally:
        await runner.cleanup()


@pytest.mark.parametrize(
    ("method", "path", "asked"),
    [
        ("get", "/status.json", "/status.json"),
        ("get", "/healthz", "/healthz"),
        ("get", "/openapi.json", "/openapi.json"),
        ("get", "/metrics", "/metrics"),
        ("get", "/docs", "/docs"),
        ("get", "/radio.m3u", "/radio.m3u"),
        ("get", "/{channel}.m3u", "/bach.m3u"),
        ("get", "/{channel}.pls", "/bach.pls"),
        ("get", "/{channel}.{extension}", "/bahc.mp3"),
        ("get", "/{channel}.{extension}", "/folk.mp3"),
        ("get", "/{channel}/feed", "/bach/feed"),
        ("get", "/api/listeners", "/api/listeners"),
        ("get", "/api/listeners", "/api/listeners?mount=/polka.mp3"),
        ("delete", "/api/listeners/{id}", "/api/listeners/0"),
        ("post", "/api/channels/{channel}/skip", "/api/channels/folk/skip"),
        ("post", "/api/reload", "/api/reload"),
    ],
)
async def test_answers_are_as_described(method: str, path: str, asked: str) -> None:
    described = document(StationConfig())
    status, content_type, told = await ask(method.upper(), asked)
    answer = described["paths"][path][method]["responses"][str(status)]
    assert content_type in answer["content"]
    if told is not None:
        schema = answer["content"][content_type]["schema"]
        Draft202012Validator({**schema, "components": described["components"]}).validate(told)


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here (Ubuntu has it as a snap only)")
@pytest.mark.timeout(240)
async def test_the_page_shows_every_address() -> None:
    runner = web.AppRunner(application(station()))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        async with browser() as page:
            await page.open(f"http://127.0.0.1:{runner.addresses[0][1]}/docs", 390, 844)
            await page.until("document.querySelectorAll('details.address').length > 10", 60)
            shown = await page.value("[...document.querySelectorAll('.method + code')].map(c => c.textContent).sort()")
            assert await page.value("document.documentElement.scrollWidth <= innerWidth")
            assert page.complaints == []
    finally:
        await runner.cleanup()
    paths = document(StationConfig())["paths"]
    assert shown == sorted(path for path, methods in paths.items() for _ in methods)
