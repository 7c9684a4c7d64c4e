"""Spools of runs, delivered by the recorder: how far one was taken, its files, its records."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import Connection
from starlette.types import Receive, Scope, Send

from threefold.server import transfer
from threefold.server.call import Call
from threefold.server.context import Context
from threefold.server.refusals import invalid
from threefold.server.routes import Endpoint, at_once, reading, streaming
from threefold.server.streams import respond, whole
from threefold.store.recorder import taking

PATH = "/api/threefold/spool"


class Delivery(msgspec.Struct):
    """The body of a delivery: records with their numbers."""

    records: list[tuple[int, dict[str, Any]]]


_decode = msgspec.json.Decoder(Delivery).decode


def taken(connection: Connection, call: Call) -> dict[str, int]:
    """How many records of a run's spool are in the catalogue."""
    return {"taken": taking.taken(connection, call.need("run_id"))}


def here(context: Context, call: Call) -> dict[str, bool]:
    """Whether the bytes of a file need not be sent."""
    return {"here": context.store.objects.has(call.need("digest"))}


async def keep_file(context: Context, call: Call, _scope: Scope, receive: Receive, send: Send) -> None:
    """Take the bytes of a file. Refused where they are not what their digest says."""
    digest, size = await transfer.take(context, receive)
    if digest != call.need("digest"):
        raise invalid(f"the bytes have the digest {digest}", "the body", "send the file again")
    await respond(send, 200, msgspec.json.encode({"size_bytes": size}))


async def take(context: Context, call: Call, _scope: Scope, receive: Receive, send: Send) -> None:
    """Take records; answers how many of the run are in the catalogue now."""
    body = await whole(receive)
    try:
        records = _decode(body).records
    except msgspec.DecodeError as error:
        raise invalid(f"the body is no delivery: {error}", "the body", 'send {"records": [[1, {…}], …]}') from None
    run_id, objects = call.need("run_id"), context.store.objects
    number = await context.write(lambda tx: taking.take(tx, run_id, records, objects))
    await respond(send, 200, msgspec.json.encode({"taken": number}))


ROUTES: dict[tuple[str, str], Endpoint] = {
    ("GET", f"{PATH}/{{run_id}}"): reading(taken),
    ("POST", f"{PATH}/{{run_id}}"): streaming(take),
    ("GET", f"{PATH}/files/{{digest}}"): at_once(here),
    ("PUT", f"{PATH}/files/{{digest}}"): streaming(keep_file),
}
