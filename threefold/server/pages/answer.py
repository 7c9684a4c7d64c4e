"""How a page is answered: as HTML for people, as JSON for programs, and a refusal with its three parts for both."""

from __future__ import annotations

import gzip
import hashlib
import logging
import math
from collections.abc import Awaitable, Callable, Mapping
from functools import wraps
from typing import Any
from urllib.parse import urlsplit

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from threefold.errors import Conflict, DiskFull, NotFound, Refused, StoreError, ThreefoldError
from threefold.server.pages.look import render
from threefold.server.senders import is_foreign
from threefold.store import Store

logger = logging.getLogger(__name__)
Handler = Callable[[Request], "dict[str, Any] | Response"]

# Nothing but our own files: no script or style inside a page, no frame around it, no request to elsewhere.
POLICY = "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; frame-ancestors 'none'"
HEADERS = {
    "content-security-policy": POLICY,
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "cache-control": "no-cache",  # kept, but asked for again: an unchanged page costs a few bytes
    "vary": "accept, accept-encoding, cookie",
}
WORTH_PACKING = 1_000  # bytes; below, the headers weigh more than what is spared
STATUS = {NotFound: 404, Refused: 403, Conflict: 409, DiskFull: 507, StoreError: 503}


def page(template: str) -> Callable[[Handler], Callable[[Request], Any]]:
    """Make a page of a function that returns what there is to show, as plain values.

    The function runs beside the event loop, since the catalogue may let it wait. What it returns under "title" names the page.
    """

    def made(handler: Handler) -> Callable[[Request], Any]:
        @wraps(handler)
        async def endpoint(request: Request) -> Response:
            answer: Response = await request.app.state.context.beside(_answer, handler, template, request)
            return answer

        return endpoint

    return made


def action(work: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    """Make an address that changes something. Only our own pages may ask for it through a browser."""

    @wraps(work)
    async def endpoint(request: Request) -> Response:
        origin, site = request.headers.get("origin"), request.headers.get("sec-fetch-site", "same-origin")
        foreign = origin is not None and is_foreign(
            origin, request.headers.get("host", ""), request.scope.get("server"), request.app.state.context.hosts
        )
        try:
            if foreign or site not in ("same-origin", "none"):
                raise Refused(
                    "another site asked for this change", request.url.path,
                    "do it on the page itself, by localhost or by a name that the setting up_hosts allows",
                )  # fmt: skip
            return await work(request)
        except ThreefoldError as error:
            return _refusal(request, error)
        except Exception as error:  # a door, as in _answer
            return _failed(request, error)

    return endpoint


def store_of(request: Request) -> Store:
    """The store whose memory the pages show."""
    store: Store = request.app.state.context.store
    return store


def wants_json(request: Request) -> bool:
    """Whether a program asks: by `?format=json`, or by accepting JSON and not HTML."""
    accepted = request.headers.get("accept", "")
    by_header = "application/json" in accepted and "text/html" not in accepted
    return request.query_params.get("format") == "json" or by_header


def packed(request: Request, body: bytes, media_type: str, *, status: int = 200, **headers: str) -> Response:
    """A response with its mark, compressed where the other side takes that and it is worth it."""
    mark = f'W/"{hashlib.sha256(body).hexdigest()[:24]}"'
    sent = {**HEADERS, "etag": mark, **headers}
    if status == 200 and request.headers.get("if-none-match") == mark:
        return Response(status_code=304, headers=sent)
    if len(body) > WORTH_PACKING and "gzip" in request.headers.get("accept-encoding", ""):
        body, sent["content-encoding"] = gzip.compress(body, 5, mtime=0), "gzip"
    return Response(body, status, sent, media_type)


def as_json(value: Any) -> bytes:
    """JSON in which a number that is none (NaN, infinity) is its name, as in the JSON form of protocol buffers."""
    return msgspec.json.encode(_named(value), enc_hook=str)


def _answer(handler: Handler, template: str, request: Request) -> Response:
    try:
        shown = handler(request)
        if isinstance(shown, Response):
            return shown
        if wants_json(request):
            return packed(request, as_json(shown), "application/json")
        return packed(request, render(template, request, shown).encode(), "text/html")
    except ThreefoldError as error:
        return _refusal(request, error)
    except Exception as error:  # a door: whatever was raised becomes a page, and the log has its trace
        return _failed(request, error)


def _failed(request: Request, error: Exception) -> Response:
    logger.error("a page failed: %s", request.url.path, exc_info=error)
    said = f"Threefold itself failed: {type(error).__name__}"
    told = ThreefoldError(said, request.url.path, "the output of the server has the trace; please report it")
    return _refusal(request, told, 500)


def _refusal(request: Request, error: ThreefoldError, status: int | None = None) -> Response:
    status = status or next((code for kind, code in STATUS.items() if isinstance(error, kind)), 400)
    parts = {"what": error.what, "where": error.where, "do": error.do}
    if wants_json(request):
        return packed(request, as_json({"error": parts}), "application/json", status=status)
    title = {404: "Not found", 500: "Failed"}.get(status, "Refused")
    shown = {"title": title, "status": status, **parts, "back": _came_from(request)}
    return packed(request, render("refusal", request, shown).encode(), "text/html", status=status)


def _came_from(request: Request) -> str | None:
    """The page on which a form stood: what the browser says of it, or one step up from where it was sent."""
    path = request.url.path
    if request.method == "GET":
        return None
    said = urlsplit(request.headers.get("referer", ""))
    if said.netloc and said.netloc == request.headers.get("host"):
        return said.path or "/"
    return "/" if path.startswith("/endpoints/") else path.rpartition("/")[0]


def _named(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, Mapping):
        return {str(key): _named(part) for key, part in value.items() if not str(key).startswith("_")}
    if isinstance(value, list | tuple | set):
        return [_named(part) for part in value]
    return value
