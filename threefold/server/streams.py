"""Bodies that come in pieces, and answers that are sent whole."""

from __future__ import annotations

from collections.abc import AsyncIterator

from starlette.types import Receive, Send

from threefold.server.refusals import ProtocolError

JSON = (b"content-type", b"application/json")


async def pieces(receive: Receive) -> AsyncIterator[bytes]:
    """The body of a request as it arrives. Raises ProtocolError where the client hangs up in the middle."""
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ProtocolError("BAD_REQUEST", "the client hung up in the middle", "the body", "send it again")
        more = message.get("more_body", False)
        if piece := message.get("body", b""):
            yield piece


async def respond(send: Send, status: int, body: bytes, headers: tuple[tuple[bytes, bytes], ...] = (JSON,)) -> None:
    """Send a whole answer."""
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": body})
