"""What is in deploy/: read as what it is, and, where the program is at hand, run before a station that plays."""

from __future__ import annotations

import asyncio
import configparser
import os
import re
import shutil
import subprocess
import tomllib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml
from aiohttp import ClientResponse, ClientSession

from onair import arguments, listening, radio
from ports import answers, free_port
from radio.config import ROOT
from radio.formats import RATE
from test_tls import make

DEPLOY = ROOT / "deploy"
NGINX, ICECAST = shutil.which("nginx", path="/usr/sbin:/usr/bin"), shutil.which("icecast2")
HEALTH = "http://127.0.0.1:8000/healthz"


def text(name: str) -> str:
    return (DEPLOY / name).read_text(encoding="utf-8")


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's, without comments, each on one line."""
    lines = re.sub(r"\\\n\s*", "", re.sub(r"(?m)^#.*\n", "", text("Dockerfile"))).splitlines()
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in lines if line.strip())]


def compose() -> Any:
    return yaml.safe_load(text("compose.yml"))


# --- containers ---


def test_the_image_has_the_packages_that_a_machine_is_given_and_the_pinned_torch_for_cpus() -> None:
    variables = dict(re.findall(r'(?m)^(\w+)="?([^"\n]+)"?$', text("lib.sh")))
    wanted = variables["RUN_PACKAGES"].replace("$SOUNDFONT_PACKAGE", variables["SOUNDFONT_PACKAGE"]).split()
    runs = [rest for word, rest in instructions() if word == "RUN"]
    (apt,) = [run for run in runs if "apt-get install" in run]
    assert all(package in apt.split() for package in wanted)
    (torch,) = [run for run in runs if "torch" in run]
    assert variables["TORCH_CPU_INDEX"] in torch
    found = re.search(r"sed -n '(.+?)' pyproject", torch)
    assert found
    pinned = subprocess.run(
        ["sed", "-n", found[1], ROOT / "pyproject.toml"], capture_output=True, text=True, check=True
    )
    assert re.fullmatch(r"torch==[\d.]+\n", pinned.stdout)


def test_the_image_runs_as_nobody_of_note_and_says_how_it_is() -> None:
    last = max(index for index, (word, _) in enumerate(instructions()) if word == "FROM")
    final = dict(instructions()[last:])
    assert final["USER"] == "radio"
    assert HEALTH in final["HEALTHCHECK"]
    assert final["EXPOSE"] == "8000"
    assert final["ENTRYPOINT"] == '["radio"]'
    assert "state=/var/lib/radio" in final["CMD"]
    assert final["VOLUME"] == "/var/lib/radio"
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert "python:3.11" in final["FROM"]
    assert project["requires-python"] == ">=3.11"


def test_all_that_the_image_copies_is_there_and_not_left_out() -> None:
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    for word, rest in instructions():
        if word == "COPY" and not rest.startswith("--from"):
            for name in rest.split()[:-1]:
                assert (ROOT / name).exists()
                assert name in allowed


def test_the_services_are_shut_in_and_find_each_other() -> None:
    services = compose()["services"]
    own = services["radio"]
    assert own["read_only"] is True
    assert own["cap_drop"] == ["ALL"]
    assert "state:/var/lib/radio" in own["volumes"]
    assert own["ulimits"]["nofile"] >= 65536
    assert (DEPLOY / own["build"]["context"] / own["build"]["dockerfile"]).is_file()
    assert "state=/var/lib/radio" in own["command"]
    for service in services.values():
        assert service["restart"] == "unless-stopped"
        for volume in service.get("volumes", ()):
            if volume.startswith("."):
                assert (DEPLOY / volume.split(":")[0]).exists(), volume
    (job,) = yaml.safe_load(text("prometheus.yml"))["scrape_configs"]
    assert job["static_configs"] == [{"targets": ["radio:8000"]}]
    assert "metrics_path" not in job
    relays = ElementTree.fromstring(text("icecast.xml")).findall("relay")
    assert {(relay.findtext("server"), relay.findtext("port")) for relay in relays} == {("radio", "8000")}
    for relay in relays:
        name, _, form = str(relay.findtext("mount")).strip("/").partition(".")
        assert (ROOT / "channels" / f"{name}.toml").is_file()
        assert form == "mp3"


# --- systemd ---


def test_the_unit_is_shut_in_and_can_be_told_to_read_its_files_again() -> None:
    unit = configparser.RawConfigParser(strict=False, comment_prefixes="#")
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read_string(text("radio.service"))
    service = unit["Service"]
    assert service["User"] == "radio"
    assert service["ProtectSystem"] == "strict"
    assert service["CapabilityBoundingSet"] == ""
    assert service["ExecReload"].endswith("kill -HUP $MAINPID")
    assert f"state=/var/lib/{service['StateDirectory']}" in service["ExecStart"]
    assert int(service["LimitNOFILE"]) >= 65536
    assert "MemoryDenyWriteExecute" not in service


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd here")
def test_systemd_finds_nothing_wrong_with_the_unit(tmp_path: Path) -> None:
    unit = tmp_path / "radio.service"
    unit.write_text(text("radio.service").replace("/srv/radio/.venv/bin/radio", "/bin/true"))
    done = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False)
    assert "radio.service" not in done.stderr
    assert done.returncode == 0, done.stderr


# --- proxies and relays ---


@asynccontextmanager
async def running(port: int, *command: str) -> AsyncIterator[None]:
    """A program that listens at a port."""
    process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        await answers(port)
        yield
    finally:
        process.terminate()
        await asyncio.wait_for(process.wait(), 20)


@asynccontextmanager
async def relayed(session: ClientSession, url: str) -> AsyncIterator[ClientResponse]:
    """The answer of a relay's mount, which Icecast sets up some time after it listens: till then it knows none."""
    async with asyncio.timeout(60):
        while True:
            answer = await session.get(url)
            if answer.status != 404:
                break
            answer.close()
            await asyncio.sleep(0.1)
    async with answer:
        assert answer.status == 200
        yield answer


def nginx(folder: Path, radio_port: int) -> tuple[int, int, list[str]]:
    """Ports for http and https, and the command of an nginx with our files and a certificate of the test's own."""
    make(folder, "nginx")
    plain, secure = free_port(), free_port()
    (folder / "locations.conf").write_text(
        text("nginx-locations.conf").replace("127.0.0.1:8000", f"127.0.0.1:{radio_port}")
    )
    site = re.sub(r"listen (\[::\]:)\d+( ssl)?;\n", "", text("nginx.conf"))
    for old, new in (
        ("listen 80;", f"listen 127.0.0.1:{plain};"),
        ("listen 443 ssl;", f"listen 127.0.0.1:{secure} ssl;"),
        ("/etc/letsencrypt/live/radio.example/fullchain.pem", f"{folder}/cert.pem"),
        ("/etc/letsencrypt/live/radio.example/privkey.pem", f"{folder}/key.pem"),
        ("/etc/nginx/radio-locations.conf", f"{folder}/locations.conf"),
    ):
        assert old in site
        site = site.replace(old, new)
    kept = "".join(
        f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    whole = (
        f"daemon off; pid {folder}/pid; error_log stderr;\nevents {{}}\nhttp {{ access_log off; {kept}\n{site}\n}}\n"
    )
    (folder / "nginx.conf").write_text(whole)
    return plain, secure, [str(NGINX), "-p", str(folder), "-c", str(folder / "nginx.conf")]


@pytest.mark.skipif(NGINX is None, reason="no nginx here")
@pytest.mark.timeout(300)
async def test_through_nginx_audio_and_feeds_come_at_once_and_over_https(tmp_path: Path) -> None:
    words = [*arguments(tmp_path / "state", "bach"), "--set", 'proxies=["127.0.0.1"]']
    async with radio("serve", *words) as process:
        address = (await process.said(r"on air at (\S+)"))[1]
        plain, secure, command = nginx(tmp_path, int(address.rpartition(":")[2]))
        async with listening(address) as own, running(plain, *command):
            await own.all_live()
            through = f"http://127.0.0.1:{plain}"
            async with own.session.get(f"{through}/bach.mp3", headers={"Icy-MetaData": "1"}) as answer:
                assert answer.headers["icy-metaint"]
                # All of the burst, of which a proxy that gathers would hold the end back.
                await answer.content.readexactly(3 * 16_000)
            async with own.session.ws_connect(f"{through}/bach/feed") as feed:
                assert (await feed.receive_json(timeout=20))["event"] == "hello"
            async with own.session.get(f"{through}/bach/events") as events:
                assert (await asyncio.wait_for(events.content.readline(), 20)).startswith(b"data: ")
            async with own.session.get(f"https://127.0.0.1:{secure}/radio.m3u", ssl=False) as answer:
                assert f"https://127.0.0.1:{secure}/bach.mp3" in await answer.text()


@pytest.mark.skipif(ICECAST is None, reason="no Icecast here")
@pytest.mark.timeout(300)
async def test_icecast_relays_what_the_radio_plays(tmp_path: Path) -> None:
    async with radio("serve", *arguments(tmp_path / "state", "bach")) as process:
        address = (await process.said(r"on air at (\S+)"))[1]
        port = free_port()
        tree = ElementTree.fromstring(text("icecast.xml"))
        for relay in tree.findall("relay"):
            for name, value in (("server", "127.0.0.1"), ("port", address.rpartition(":")[2])):
                found = relay.find(name)
                assert found is not None
                found.text = value
        for path, value in (("listen-socket/port", str(port)), ("paths/logdir", str(tmp_path))):
            found = tree.find(path)
            assert found is not None
            found.text = value
        if os.getuid() == 0:
            owner = ElementTree.SubElement(ElementTree.SubElement(tree, "security"), "changeowner")
            ElementTree.SubElement(owner, "user").text = "nobody"
            ElementTree.SubElement(owner, "group").text = "nogroup"
        own = tmp_path / "icecast.xml"
        own.write_bytes(ElementTree.tostring(tree))
        async with listening(address) as listeners, running(port, str(ICECAST), "-c", str(own)):
            await listeners.all_live()
            async with ClientSession() as session, relayed(session, f"http://127.0.0.1:{port}/bach.mp3") as answer:
                assert answer.headers["Content-Type"] == "audio/mpeg"
                assert len(await answer.content.readexactly(4 * RATE // 3)) == 4 * RATE // 3
                assert (await listeners.status())["listeners"] == 1


def test_proxies_hold_nothing_back_and_wait_for_ever() -> None:
    assert "proxy_buffering off;" in text("nginx-locations.conf")
    assert re.search(r"proxy_read_timeout \d+h;", text("nginx-locations.conf"))
    caddy = text("Caddyfile")
    assert "flush_interval -1" in caddy
    assert "read_timeout 0" in caddy
    for file in (caddy, text("nginx-locations.conf")):
        assert "metrics" in file
        assert "api/" in file
