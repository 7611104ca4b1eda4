"""The built screens: a page, and what it loads under names that hold their content's hash.

Read whole at the start, so no request ever names a file. `index.html` is asked for anew each time,
what lies in `assets/` is kept for a year.
"""

from __future__ import annotations

import gzip
import mimetypes
from pathlib import Path

import msgspec
from litestar import Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from meltwatch.errors import Problem
from meltwatch.present.api.refusals import AnyRequest, ApiRefused

INDEX = "index.html"
ASSETS = "assets/"
PAGES = ("plant", "region")
"""First parts of addresses that are the page's own, whatever follows."""
FOREVER = "public, max-age=31536000, immutable"
ALWAYS_ASK = "no-cache"
LEAST_TO_PACK = 1_000
_PACKED = ("text/", "application/json", "application/javascript", "image/svg")


class File(msgspec.Struct, frozen=True):
    """A file of the screens, and packed by gzip if that is smaller."""

    body: bytes
    media: str
    packed: bytes | None
    keep: str


def files_in(directory: Path | None) -> dict[str, File]:
    """Return the files of a directory by their path in it; none without a directory."""
    if directory is None or not (directory / INDEX).is_file():
        return {}
    return {
        path.relative_to(directory).as_posix(): _file(directory, path)
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }


def screen_routes(directory: Path | None) -> list[HTTPRouteHandler]:
    """Return the routes of the screens."""
    files = files_in(directory)

    @get("/", include_in_schema=False)
    async def page(request: AnyRequest) -> Response[bytes]:
        """Show the screens."""
        return _answer(request, _index(files))

    @get("/{path:path}", include_in_schema=False)
    async def file(path: FromPath[str], request: AnyRequest) -> Response[bytes]:
        """Give a file, or the page for an address of its own."""
        name = path.strip("/")
        found = files.get(name)
        if found is None and _is_page(name):
            found = _index(files)
        if found is None:
            raise ApiRefused(404, Problem(path, "route.unknown"))
        return _answer(request, found)

    return [page, file]


def _file(directory: Path, path: Path) -> File:
    body = path.read_bytes()
    media = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    worth = len(body) >= LEAST_TO_PACK and media.startswith(_PACKED)
    packed = gzip.compress(body, mtime=0) if worth else None
    asset = path.relative_to(directory).as_posix().startswith(ASSETS)
    if media.startswith("text/"):
        media = f"{media}; charset=utf-8"
    return File(body, media, packed, FOREVER if asset else ALWAYS_ASK)


def _index(files: dict[str, File]) -> File:
    if INDEX not in files:
        raise ApiRefused(404, Problem("/", "screens.not_built"))
    return files[INDEX]


def _is_page(name: str) -> bool:
    first = name.partition("/")[0]
    return first in PAGES or ("." not in name and not name.startswith(ASSETS))


def _answer(request: AnyRequest, file: File) -> Response[bytes]:
    headers = {"cache-control": file.keep, "vary": "accept-encoding"}
    body = file.body
    if file.packed is not None and "gzip" in request.headers.get("accept-encoding", ""):
        body, headers["content-encoding"] = file.packed, "gzip"
    return Response(body, media_type=file.media, headers=headers)
