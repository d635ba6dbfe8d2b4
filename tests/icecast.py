"""A real Icecast 2.4, with a configuration of its own, on a free port."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import ClientSession

from ports import answers, free_port

PASSWORD = "häckme:1"
SHARE = "/usr/share/icecast2"
# Icecast will not run as root: then as nobody, who can write nowhere, so that its log is its error output.
CONFIGURATION = """<icecast>
  <limits><sources>8</sources><source-timeout>10</source-timeout><burst-size>65536</burst-size></limits>
  <authentication>
    <source-password>{password}</source-password>
    <admin-user>admin</admin-user><admin-password>{password}</admin-password>
  </authentication>
  <mount type="default"><charset>UTF-8</charset></mount>
  {relay}
  <hostname>127.0.0.1</hostname>
  <listen-socket><port>{port}</port><bind-address>127.0.0.1</bind-address></listen-socket>
  <paths><logdir>{folder}</logdir><webroot>{share}/web</webroot><adminroot>{share}/admin</adminroot></paths>
  <logging><accesslog>-</accesslog><errorlog>-</errorlog><loglevel>2</loglevel></logging>
  <security><chroot>0</chroot>{owner}</security>
</icecast>
"""
RELAY = """<relay>
    <server>{}</server><port>{}</port><mount>{}</mount><relay-shoutcast-metadata>1</relay-shoutcast-metadata>
  </relay>"""
OWNER = "<changeowner><user>nobody</user><group>nogroup</group></changeowner>"


@dataclass
class Icecast:
    """A running server."""

    port: int
    process: asyncio.subprocess.Process

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def sources(self) -> dict[str, dict[str, Any]]:
        """What its status-json tells, by mount; nothing as it starts, when Icecast's is no JSON."""
        async with ClientSession() as session, session.get(f"{self.url}/status-json.xsl") as answer:
            try:
                found = (await answer.json(content_type=None))["icestats"].get("source", [])
            except ValueError:
                return {}
        listed = found if isinstance(found, list) else [found]
        return {one["listenurl"].removeprefix(self.url): one for one in listed}

    async def kill(self) -> None:
        """Ends it at once."""
        self.process.kill()
        await self.process.wait()


@asynccontextmanager
async def icecast(folder: Path, port: int = 0, relay: tuple[str, int, str] | None = None) -> AsyncIterator[Icecast]:
    """Runs the server until the context ends; `relay`: host, port and path of a stream that it passes on."""
    port = port or free_port()
    owner = OWNER if os.geteuid() == 0 else ""
    path = folder / f"icecast-{port}.xml"
    passed_on = RELAY.format(*relay) if relay else ""
    path.write_text(
        CONFIGURATION.format(port=port, folder=folder, share=SHARE, password=PASSWORD, owner=owner, relay=passed_on)
    )
    process = await asyncio.create_subprocess_exec(
        "icecast2", "-c", str(path), stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        await answers(port, process)
        yield Icecast(port, process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
