"""The files beside the pages. An address holds the digest of its bytes, so that a browser may keep it for good."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

FOLDER = Path(__file__).parent / "static"
TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml", ".LICENSE": "text/plain"}
FOR_GOOD = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class Asset:
    """One file, read and compressed once."""

    body: bytes
    packed: bytes
    mark: str  # of its content, hex
    media_type: str


def address(path: str) -> str:
    """Where a page finds a file: address("style.css") is "/static/<mark>/style.css"."""
    return f"/static/{_asset(path).mark}/{path}"


async def serve(request: Request) -> Response:
    """One file. An old mark still gets the newest bytes, but not for good."""
    path = request.path_params["path"]
    if path not in _names():
        return Response("there is no such file", 404, media_type="text/plain")
    asset = _asset(path)
    kept = FOR_GOOD if request.path_params["mark"] == asset.mark else "no-cache"
    headers = {"cache-control": kept, "vary": "accept-encoding", "x-content-type-options": "nosniff"}
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(asset.packed, 200, {**headers, "content-encoding": "gzip"}, asset.media_type)
    return Response(asset.body, 200, headers, asset.media_type)


@cache
def _names() -> frozenset[str]:
    return frozenset(file.relative_to(FOLDER).as_posix() for file in FOLDER.rglob("*") if file.is_file())


@cache
def _asset(path: str) -> Asset:
    body = (FOLDER / path).read_bytes()
    kind = TYPES.get(Path(path).suffix, "application/octet-stream")
    return Asset(body, gzip.compress(body, 9, mtime=0), hashlib.sha256(body).hexdigest()[:12], kind)
