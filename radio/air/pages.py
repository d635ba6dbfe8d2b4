"""The page and what it is made of, from memory: a few small files, the same for everybody, and no file is ever open."""

from __future__ import annotations

import hashlib
import mimetypes
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from radio.air.answers import problem

FOLDER = Path(__file__).parent / "web"
FILES: web.AppKey[dict[str, File]] = web.AppKey("files")


@dataclass(frozen=True, slots=True)
class File:
    """A file as it is sent."""

    data: bytes
    content_type: str
    tag: str
    """By which a browser knows that it has this very version."""

    @classmethod
    def read(cls, path: Path) -> File:
        """The file of a path."""
        data = path.read_bytes()
        kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        text = kind.startswith("text/") or kind.endswith(("javascript", "json", "xml"))
        return cls(data, f"{kind}; charset=utf-8" if text else kind, f'"{hashlib.sha256(data).hexdigest()[:16]}"')


def add_routes(app: web.Application) -> None:
    """Adds the page, that of all addresses, and the files of both."""
    app[FILES] = {path.name: File.read(path) for path in sorted(FOLDER.iterdir()) if path.is_file()}
    app.router.add_get("/", _named("index.html"))
    app.router.add_get("/docs", _named("docs.html"))
    app.router.add_get("/static/{file}", _file)


def _named(name: str) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def answer(request: web.Request) -> web.StreamResponse:
        return _answer(request, request.app[FILES][name])

    return answer


async def _file(request: web.Request) -> web.StreamResponse:
    name, files = request.match_info["file"], request.app[FILES]
    if name not in files:
        return problem(request, 404, "no such file", got=name, files=list(files))
    return _answer(request, files[name])


def _answer(request: web.Request, file: File) -> web.Response:
    headers = {"Cache-Control": "no-cache", "ETag": file.tag}
    if file.tag in request.headers.get("If-None-Match", ""):
        return web.Response(status=304, headers=headers)
    return web.Response(body=file.data, headers={**headers, "Content-Type": file.content_type})
