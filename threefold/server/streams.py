"""Bodies that come in pieces, and answers that are sent whole."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from starlette.types import Message, Receive, Send

from threefold.server.refusals import ProtocolError

JSON = (b"content-type", b"application/json")
SILENCE_S = 300.0  # a client that went away without a word must not keep half a file here for ever
LARGEST = 100_000_000  # bytes that are read at once; the profiles of some datasets come to a tenth of it


async def pieces(receive: Receive, first: Message | None = None) -> AsyncIterator[bytes]:
    """The body of a request as it arrives.

    Args:
        first: a message that was received already.
    Raises:
        ProtocolError: the client hangs up in the middle, or falls silent.
    """
    message = first or await _next(receive)
    while True:
        if message["type"] == "http.disconnect":
            raise ProtocolError("BAD_REQUEST", "the client hung up in the middle", "the body", "send it again")
        if piece := message.get("body", b""):
            yield piece
        if not message.get("more_body", False):
            return
        message = await _next(receive)


async def whole(receive: Receive, first: Message | None = None) -> bytes:
    """The whole body of a request, for what is read at once. Raises ProtocolError, also where it is too large for that."""
    found, size = [], 0
    async for piece in pieces(receive, first):
        size += len(piece)
        if size > LARGEST:
            raise ProtocolError(
                "INVALID_PARAMETER_VALUE", f"the body has more than {LARGEST} bytes", "the body",
                "split it, or keep what is large as a file",
            )  # fmt: skip
        found.append(piece)
    return b"".join(found)


async def _next(receive: Receive) -> Message:
    try:
        async with asyncio.timeout(SILENCE_S):
            return await receive()
    except TimeoutError:
        said = f"nothing more of the body came for {SILENCE_S:g} s"
        raise ProtocolError("BAD_REQUEST", said, "the body", "send it again") from None


async def respond(send: Send, status: int, body: bytes, headers: tuple[tuple[bytes, bytes], ...] = (JSON,)) -> None:
    """Send a whole answer."""
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": body})
