"""The doors of the data plane: the Open Inference Protocol over REST, labels, metrics.

The inference path is a plain ASGI function: it costs a third of a routed one. Everything else is a Starlette route.
Every refusal, whoever makes it, is sent as `{"error": "<sentence>"}`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from itertools import count, repeat
from pathlib import Path
from secrets import token_hex
from time import perf_counter, time
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from threefold.errors import NotFound, StoreError, ThreefoldError
from threefold.serving import named
from threefold.serving.journal import Feedback, Inference, Refusal
from threefold.serving.labels import read_labels, told
from threefold.serving.outputs import respond
from threefold.serving.plane import Plane, open_plane
from threefold.serving.protocol import (
    BadRequest,
    InferRequest,
    Rows,
    decode,
    encode_answer,
    encode_json,
    inflate,
    read_rows,
    too_large,
)
from threefold.serving.served import Predicted, Served

BODY_LIMIT = 32 * 1024 * 1024  # bytes, also after unpacking
IN_LOOP_ROWS = 2_000  # a larger batch is scored beside the event loop, so that others are answered meanwhile
ADDRESSES = "the addresses are /predict/{name}, /v2/models/{name}/infer, /feedback, /v2/health/ready, /metrics"
EXTENSIONS = ["binary_tensor_data"]
VERSION = "0.1.0"

Headers = list[tuple[bytes, bytes]]
Inferring = Callable[[Served, str, Scope, bytes, str], Awaitable[tuple[int, bytes, Headers]]]

logger = logging.getLogger(__name__)


class DataPlane:
    """The ASGI application.

    Attributes:
        plane: what is served; public for tests and for whoever embeds the server.
    """

    def __init__(self, plane: Plane) -> None:
        self.plane = plane
        self._ids = map("{}-{:x}".format, repeat(token_hex(6)), count(1))
        self._beside = ThreadPoolExecutor(1, "score")
        self._rest = self._routes()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        path = scope.get("path", "")
        if path.endswith("/infer") and scope["type"] == "http" and scope["method"] == "POST":
            parts = path.split("/")  # "", "v2", "models", name, ["versions", number,] "infer"
            if parts[1:3] == ["v2", "models"] and (len(parts) == 5 or (len(parts) == 7 and parts[4] == "versions")):
                await self._guarded(self._infer, parts, scope, receive, send)
                return
        elif path.startswith("/predict/") and scope["type"] == "http" and scope["method"] == "POST":
            parts = path.split("/")  # "", "predict", name
            if len(parts) == 3:
                await self._guarded(self._predict, parts, scope, receive, send)
                return
        await self._rest(scope, receive, send)

    # ----------------------------------------------------------------------------------------------- inference

    def direct(self, name: str, body: bytes) -> tuple[int, bytes] | None:
        """Answer a plain request at once, without the event loop: status and body.

        None, and nothing was done, where the request is not plain, the model is slow, or anything is wrong with it;
        the door of the ASGI application then answers, or says what is wrong.
        """
        served = self.plane.served.get(name)
        if served is None or served.slow or len(body) > BODY_LIMIT:
            return None
        started, request_id = perf_counter(), next(self._ids)
        try:
            plain = served.plain.read(body, request_id)
            if plain is None or plain[2].count > IN_LOOP_ROWS:
                return None
            request, request_id, rows = plain
            predicted = served.predict(rows)
            response = respond(request, predicted, name, request_id)
            payload, head_bytes = encode_answer(response, request)
            if head_bytes is not None:
                return None
        except Exception:  # nothing is written yet: the door says what is wrong, and the server's log
            return None
        try:
            self._keep(served, name, request_id, rows, predicted, started)
        except Exception as error:  # not twice: the record may be written already
            return self._refused(name, request_id, error)
        return 200, payload

    def _refused(self, name: str, request_id: str, error: Exception) -> tuple[int, bytes]:
        """Log and count what went wrong; the status and the body to send."""
        status, sentence = _explained(error)
        self._keep_refusal(name, request_id, status, sentence)
        return status, encode_json({"error": sentence})

    async def _guarded(
        self, answer: Inferring, parts: list[str], scope: Scope,
        receive: Receive, send: Send,
    ) -> None:  # fmt: skip
        """Run one inference; whatever goes wrong is logged, counted and answered as one shape."""
        request_id, name = next(self._ids), parts[3] if parts[1] == "v2" else parts[2]
        try:
            served = self._served(name, parts)
            body = await _body(scope, receive)
            status, payload, headers = await answer(served, name, scope, body, request_id)
        except ClientGone:
            return
        except Exception as error:  # the door: everything becomes an answer
            headers = []
            status, payload = self._refused(name, request_id, error)
        await _send(send, status, payload, headers)

    def _served(self, name: str, parts: list[str]) -> Served:
        served = self.plane.endpoint(name)
        if len(parts) < 7:
            return served
        found = served.version(int(parts[5])) if parts[5].isdecimal() and len(parts[5]) < 10 else None
        if found is None:
            raise _no_version(name, parts[5], served)
        return found

    async def _infer(
        self, served: Served, name: str, scope: Scope, body: bytes, request_id: str
    ) -> tuple[int, bytes, Headers]:
        """The inference of the protocol: decode, check, score, keep, answer."""
        started = perf_counter()
        json_bytes = _json_bytes(scope)
        plain = served.plain.read(body, request_id) if json_bytes is None else None
        if plain is not None:
            request, request_id, rows = plain
        else:
            request, tail = decode(body, json_bytes)
            request_id = request.id or request_id
            rows = read_rows(request, tail, served.layout, request_id)
        predicted = await self._score(served, rows)
        response = respond(request, predicted, name, request_id)
        self._keep(served, name, request_id, rows, predicted, started)
        payload, head_bytes = encode_answer(response, request)
        return 200, payload, [] if head_bytes is None else _binary_headers(head_bytes)

    async def _predict(
        self, served: Served, name: str, scope: Scope, body: bytes, request_id: str
    ) -> tuple[int, bytes, Headers]:
        """The same for rows with names: {"rows": [{"temp": 3.5, ...}]}."""
        started = perf_counter()
        rows = named.read_named(body, served.layout, request_id)
        predicted = await self._score(served, rows)
        response = respond(InferRequest([]), predicted, name, request_id)
        self._keep(served, name, request_id, rows, predicted, started)
        return 200, encode_json(named.named_answer(response, rows, predicted)), []

    async def _score(self, served: Served, rows: Rows) -> Predicted:
        if served.slow or rows.count > IN_LOOP_ROWS:
            return await asyncio.get_running_loop().run_in_executor(self._beside, served.predict, rows)
        return served.predict(rows)

    def _keep(
        self, served: Served, name: str, request_id: str, rows: Rows, predicted: Predicted, started: float
    ) -> None:
        """Write the record. Only then may the answer go out.

        Raises:
            StoreError: the log cannot be written.
            BadRequest: nobody could answer one of the rows; that is in the log, too.
        """
        seconds = perf_counter() - started
        if rows.count:
            self.plane.log(name).predictions(_record(request_id, rows, predicted, seconds), served.layout.columns)
        if "none" in predicted.sources:
            raise BadRequest("the model failed and has no fallback", f"model {name}", "see the server's log", 500)
        self.plane.measures.answered(name, predicted, seconds)

    def _keep_refusal(self, name: str, request_id: str, status: int, sentence: str) -> None:
        known = name if name in self.plane.served else ""
        self.plane.measures.refused(known, status)
        if known and status != 503:  # 503: it is the log that cannot be written
            self._log_refusal(known, request_id, status, sentence)

    def _log_refusal(self, name: str, request_id: str, status: int, sentence: str) -> None:
        try:
            self.plane.log(name).refusal(Refusal(request_id, _now_us(), status, sentence[:500]))
        except StoreError:
            logger.exception("a refused request could not be logged")

    # ------------------------------------------------------------------------------------------------- the rest

    def _routes(self) -> Starlette:
        one = "/v2/models/{name}"
        routes = [
            Route("/v2/health/live", self.live),
            Route("/v2/health/ready", self.ready),
            Route("/v2", self.server_metadata),
            Route("/v2/", self.server_metadata),
            Route(one, self.model_metadata),
            Route(f"{one}/versions/{{version}}", self.model_metadata),
            Route(f"{one}/ready", self.model_ready),
            Route(f"{one}/versions/{{version}}/ready", self.model_ready),
            Route(f"{one}/routing", self.routing),
            Route(f"{one}/infer", _post_only, methods=["POST"]),
            Route(f"{one}/versions/{{version}}/infer", _post_only, methods=["POST"]),
            Route("/predict/{name}", _post_only, methods=["POST"]),
            Route("/feedback", self.feedback, methods=["POST"]),
            Route("/feedback/{name}", self.feedback, methods=["POST"]),
            Route("/metrics", self.metrics),
        ]
        funnel: Any = {HTTPException: _http_error, ThreefoldError: _our_error, Exception: _any_error}
        rest = Starlette(routes=routes, exception_handlers=funnel, lifespan=self._lifespan)
        rest.router.redirect_slashes = False  # a redirect has no body to say anything in, and clients lose their POST
        return rest

    @asynccontextmanager
    async def _lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        following = asyncio.create_task(self.plane.follow())
        try:
            yield
        finally:
            following.cancel()
            self.close()

    def close(self) -> None:
        """End the log segments and give the store back. The ASGI server calls this at its end."""
        self._beside.shutdown()
        self.plane.close()

    async def live(self, _request: Request) -> Response:
        """The process answers."""
        return JSONResponse({"live": True})

    async def ready(self, _request: Request) -> Response:
        """Every endpoint that was asked for can answer: its model is loaded, and its log can be written."""
        # Without its store it answers all the same; but nothing can change.
        beside = {"store": self.plane.away} if self.plane.away else {}
        return _readiness(beside, self.plane.why_not_ready())

    async def server_metadata(self, _request: Request) -> Response:
        """Name, version and extensions of this server."""
        return JSONResponse({"name": "threefold", "version": VERSION, "extensions": EXTENSIONS})

    async def model_metadata(self, request: Request) -> Response:
        """Inputs and outputs of a model."""
        return JSONResponse(self._asked(request).metadata())

    async def model_ready(self, request: Request) -> Response:
        """Whether a model can answer; one that is not served is not found."""
        self._asked(request)
        name = request.path_params["name"]
        return _readiness({"name": name}, self.plane.why_not(name))

    async def routing(self, request: Request) -> Response:
        """Which versions answer here, with which share; and what could not be loaded."""
        name = request.path_params["name"]
        state = self._asked(request).state()
        return Response(encode_json({**state, "problem": self.plane.problems.get(name)}), media_type="application/json")

    async def feedback(self, request: Request) -> Response:
        """Labels for earlier predictions: {"labels": [{"id": …, "value": …, "time": …}]}."""
        name = request.path_params.get("name") or self._only_endpoint()
        served = self.plane.endpoint(name)
        labels, refused = served.outcomes.sorted(read_labels(await _body(request.scope, request.receive)))
        if labels:
            ids, values, times = (list(column) for column in zip(*labels, strict=True))
            self.plane.log(name).feedback(Feedback(_now_us(), ids, values, times))
        self.plane.measures.labelled(name, len(labels), len(refused))
        if refused:
            sentence = f"{len(refused)} labels were not understood: {refused[0]['error']}"
            self._log_refusal(name, next(self._ids), 400, sentence)
        return JSONResponse(told(len(labels), refused), 400 if refused and not labels else 200)

    async def metrics(self, _request: Request) -> Response:
        """Counters for Prometheus."""
        return PlainTextResponse(self.plane.measures.text(self.plane.gauges()), media_type="text/plain; version=0.0.4")

    def _asked(self, request: Request) -> Served:
        name, version = request.path_params["name"], request.path_params.get("version")
        parts = ["", "v2", "models", name] + (["versions", version, ""] if version is not None else [])
        return self._served(name, parts)

    def _only_endpoint(self) -> str:
        names = sorted(self.plane.served)
        if len(names) != 1:
            raise BadRequest("several endpoints are served here", "/feedback", "post to /feedback/<endpoint>")
        return names[0]


def create_app(
    store_root: Path, endpoints: Collection[str] = (), catalogue: str | None = None, objects: str | None = None
) -> DataPlane:
    """The data plane of a store, loaded and ready to be run by an ASGI server with one worker.

    Args:
        store_root: the store's folder.
        endpoints: the names to serve; empty: all there are, also those that come later.
        catalogue: the address of its catalogue; None: SQLite in the store's folder.
        objects: where its objects lie; None: a folder in the store's.
    Raises:
        StoreError: the store cannot be read.
    """
    return DataPlane(open_plane(store_root, endpoints, catalogue, objects))


class ClientGone(Exception):
    """The client hung up before its request was whole."""


async def _body(scope: Scope, receive: Receive) -> bytes:
    """The body of a request, unpacked. Raises BadRequest when it is over BODY_LIMIT."""
    message = await receive()
    if message["type"] == "http.disconnect":
        raise ClientGone
    body: bytes = message.get("body", b"")
    if message.get("more_body"):
        body = await _more(body, receive)
    if len(body) > BODY_LIMIT:
        raise too_large(BODY_LIMIT)
    encoding = _header(scope, b"content-encoding")
    if encoding is not None and encoding != b"identity":
        body = inflate(body, encoding.decode("latin-1").strip().lower(), BODY_LIMIT)
    return body


async def _more(first: bytes, receive: Receive) -> bytes:
    parts, size = [first], len(first)
    while True:
        message: Message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > BODY_LIMIT:
            raise too_large(BODY_LIMIT)
        if not message.get("more_body"):
            return b"".join(parts)


async def _send(send: Send, status: int, payload: bytes, headers: Headers) -> None:
    length = (b"content-length", str(len(payload)).encode())
    kind = [] if headers else [_JSON]
    await send({"type": "http.response.start", "status": status, "headers": [length, *kind, *headers]})
    await send({"type": "http.response.body", "body": payload})


def _record(request_id: str, rows: Rows, predicted: Predicted, seconds: float) -> Inference:
    """What is kept of a request. The time of a row leaves out what the other version took for its rows."""
    others = seconds * 1000 - sum(set(predicted.ms))
    return Inference(
        columns=0, request_id=request_id, received_us=_now_us(), ids=rows.ids, times_us=rows.times_us,
        numbers=rows.numbers.tobytes(), texts=rows.texts, versions=_short(predicted.versions),
        sources=_short(predicted.sources), latency_ms=[int((others + ms) * 10_000) / 10_000 for ms in predicted.ms],
        width=predicted.scores.shape[1], scores=predicted.scores.tobytes(), checks=predicted.checks,
    )  # fmt: skip


def _short(values: list[Any]) -> list[Any]:
    return values[:1] if len(values) > 1 and len(set(values)) == 1 else values


def _json_bytes(scope: Scope) -> int | None:
    value = _header(scope, b"inference-header-content-length")
    if value is None:
        return None
    return int(value) if value.isdigit() and len(value) < 12 else -1


def _header(scope: Scope, name: bytes) -> bytes | None:
    for key, value in scope["headers"]:
        if key == name:
            return bytes(value)
    return None


def _binary_headers(json_bytes: int) -> Headers:
    return [
        (b"content-type", b"application/octet-stream"),
        (b"inference-header-content-length", str(json_bytes).encode()),
    ]


def _no_version(name: str, version: str, served: Served) -> NotFound:
    listing = ", ".join(served.metadata()["versions"])
    return NotFound(f"version {version[:20]!r} of {name!r} is not loaded", "this server", f"loaded are: {listing}")


def _explained(error: Exception) -> tuple[int, str]:
    """The HTTP status and the sentence for whatever went wrong."""
    if isinstance(error, BadRequest):
        return error.status, str(error)
    if isinstance(error, NotFound):
        return 404, str(error)
    if isinstance(error, StoreError):
        return 503, str(error)
    if isinstance(error, ThreefoldError):
        return 400, str(error)
    logger.error("a request failed", exc_info=error)
    return 500, f"the server failed: {type(error).__name__} (this server); its log says why"


def _readiness(beside: dict[str, str], problem: str | None) -> Response:
    if problem is None:
        return JSONResponse({**beside, "ready": True})
    return JSONResponse({**beside, "ready": False, "error": problem}, 503)


def _error(status: int, sentence: str, headers: Any = None) -> Response:
    return JSONResponse({"error": sentence}, status, headers=headers)


async def _our_error(_request: Request, error: Exception) -> Response:
    return _error(*_explained(error))


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    path, headers = request.url.path, error.headers or {}
    shown = path[:200]
    if error.status_code == 404:
        do = f"leave the slash at the end out: {shown.rstrip('/')}" if path.endswith("/") else ADDRESSES
        sentence = f"there is nothing here ({shown}); {do}"
    elif error.status_code == 405:
        do = f"use {headers['Allow']}" if "Allow" in headers else ADDRESSES
        sentence = f"{request.method} is not possible here ({shown}); {do}"
    else:
        sentence = f"{error.detail} ({shown}); {ADDRESSES}"
    return _error(error.status_code, sentence, headers)


async def _any_error(_request: Request, error: Exception) -> Response:
    return _error(*_explained(error))


async def _post_only(_request: Request) -> Response:  # the real answers stand in DataPlane.__call__
    raise HTTPException(404)


def _now_us() -> int:
    return int(time() * 1_000_000)


_JSON = (b"content-type", b"application/json")
