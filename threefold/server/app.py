"""The ASGI application: the API in front, found in one look-up; behind it the pages, as Starlette routes."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import Message, Receive, Scope, Send

from threefold.server import api, mlflow, pages
from threefold.server.call import Call
from threefold.server.context import Context
from threefold.server.delivering import Courier
from threefold.server.notary import Notary
from threefold.server.refusals import ProtocolError, refuse
from threefold.server.routes import Endpoint, Table
from threefold.server.senders import check_letters, check_sender
from threefold.server.streams import respond, whole
from threefold.store import Store

# Of the API; what begins otherwise is a page.
PREFIXES = ("/api/", "/ajax-api/", "/health", "/version", "/get-artifact", "/model-versions/get-artifact")
SLIPS = tuple(f"/{prefix}" for prefix in PREFIXES)  # an address that ends with a slash, and a path behind it

_encode = msgspec.json.Encoder().encode


class _Broken(Exception):
    """An answer broke off after its beginning."""


class Server:
    """The application.

    Attributes:
        context: what the doors share; public for tests and for whoever embeds the server.
    """

    def __init__(self, context: Context) -> None:
        self.context = context
        self._table = Table(mlflow.ROUTES, api.ROUTES)
        self._pages = Starlette(routes=pages.ROUTES, middleware=[
            Middleware(GZipMiddleware, minimum_size=1_000), Middleware(pages.JsonBehind)
        ])  # fmt: skip
        self._pages.state.context = context

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http" and scope["path"].startswith(PREFIXES + SLIPS):
            await self._answer(scope, receive, send)
        else:
            await self._pages(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            method, path = (
                scope["method"],
                scope["path"].replace("//", "/", 1) if scope["path"][:2] == "//" else scope["path"],
            )
            if "\ufffd" in path:
                check_letters(scope["raw_path"])
            if path.startswith("/ajax-api/"):  # what MLflow's own pages call: the same routes
                path = f"/{path[6:]}"
            found = self._table.find(method, path)
            if found is None:
                raise self._unknown(method, path)
            endpoint, words = found
            if method != "GET":
                check_sender(scope, streams=endpoint.kind == "stream", hosts=self.context.hosts)
            if endpoint.kind == "stream":
                call = Call.read("GET", scope["query_string"], b"", words)
                await self._stream(endpoint, call, scope, receive, send)
                return
            call = Call.read(method, scope["query_string"], await _body(receive), words)
            status, body = 200, await self._do(endpoint, call)
        except _Broken:
            raise
        except Exception as error:  # a door: whatever was raised becomes an answer
            status, body = refuse(error)
        await respond(send, status, body)

    async def _stream(self, endpoint: Endpoint, call: Call, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def sending(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await endpoint.work(self.context, call, scope, receive, sending)
        except Exception as error:
            if begun:  # too late for a refusal: the connection breaks off, so that nobody takes a part for the whole
                raise _Broken from error
            raise

    async def _do(self, endpoint: Endpoint, call: Call) -> bytes:
        work = endpoint.work
        if endpoint.kind == "write":
            return encoded(await self.context.write(lambda tx: work(tx, call)))
        if endpoint.kind == "read":
            return await self.context.read(_read_and_encode, work, call)
        if endpoint.kind == "await":
            return encoded(await work(self.context, call))
        return encoded(work(self.context, call))

    def _unknown(self, method: str, path: str) -> ProtocolError:
        others = [other for other in ("GET", "POST", "PUT", "PATCH", "DELETE") if self._table.find(other, path)]
        do = f"it answers {', '.join(others)}" if others else "docs/tracking.md lists the routes"
        return ProtocolError("ENDPOINT_NOT_FOUND", f"there is no route {method} {path}", "the server", do)

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                courier, notary = Courier(self.context.store, self.context.queue), Notary(self.context.store)
                await self.context.beside(self.context.store.objects.sweep)  # of uploads that died with a server
                await send({"type": "lifespan.startup.complete"})
            else:
                notary.close()
                courier.close()
                self.context.close()
                await send({"type": "lifespan.shutdown.complete"})
                return


def create_app(
    store: Store, *, allow_reset: bool = False, project: Path | None = None, hosts: Collection[str] = ()
) -> Server:
    """The application over a store.

    Args:
        project: the folder of the project whose store it is, if there is one.
        hosts: names beside localhost by which a browser on this machine's proxy may call it.
        allow_reset: whether POST /api/threefold/reset may put the store back to empty.
    """
    return Server(Context(store, allow_reset, project, frozenset(hosts)))


def encoded(value: Any) -> bytes:
    """An answer as bytes: JSON, unless it is bytes already."""
    return value if isinstance(value, bytes) else _encode(value)


def _read_and_encode(connection: Any, work: Any, call: Call) -> bytes:
    return encoded(work(connection, call))


async def _body(receive: Receive) -> bytes:
    message = await receive()
    if not message.get("more_body") and message["type"] == "http.request":
        body: bytes = message.get("body", b"")
        return body
    return await whole(receive, message)
