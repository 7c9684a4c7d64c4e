"""One answer, one write.

uvicorn hands the head and the body of an answer to the transport one after the other, and uvloop sends each at once:
two system calls, and a client that is woken twice. For an answer of a few hundred bytes that is half of the cost. Here
the head waits for the first bytes of the body.
"""

from __future__ import annotations

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD = b"HTTP/1."


class OneWrite:
    """A transport that holds the head of an answer back until its body, or its end, comes."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._head = b""

    def write(self, data: bytes) -> None:
        """Send some bytes, behind a head that waits."""
        if self._head:
            data, self._head = self._head + data, b""
        elif data.startswith(HEAD) and not data.startswith(b"HTTP/1.1 100"):
            self._head = data
            return
        self._transport.write(data)

    def flush(self) -> None:
        """Send a head that nothing follows: the answer to HEAD, or one whose body was empty."""
        if self._head:
            data, self._head = self._head, b""
            self._transport.write(data)

    def close(self) -> None:
        """Send what waits, then close."""
        self.flush()
        self._transport.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class OneWriteProtocol(HttpToolsProtocol):
    """uvicorn's protocol over such a transport."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client connected."""
        super().connection_made(cast(asyncio.Transport, OneWrite(cast(asyncio.Transport, transport))))

    def on_response_complete(self) -> None:
        """An answer is whole."""
        cast(OneWrite, self.transport).flush()
        super().on_response_complete()
