"""The short way from the socket to the answer, for the request that nearly every client sends.

A plain inference request that arrives whole in one piece, with nothing but ordinary headers, is answered right where
it arrives: no scope, no task, one write. That halves what a single row costs. Everything else (a body in pieces,
chunked or compressed, an unusual header, several requests at once, every other address) goes through uvicorn, which
has the last word on what HTTP is. The short way never guesses: where it is not sure, it does not answer.
"""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from threefold.serving.protocol import encode_json

PATH_BEGINS, PATH_ENDS = b"POST /v2/models/", b"/infer HTTP/1.1"
# What the short way may meet. A header that could change what the request means is not among them.
ORDINARY = frozenset((b"host", b"user-agent", b"accept", b"accept-encoding", b"content-type", b"content-length"))


class ShortWay(HttpToolsProtocol):
    """uvicorn's protocol with the short way in front. The application offers it by a method `direct`."""

    _open = False  # uvicorn's parser stands inside a message
    _head = b""  # the head last seen, and what it said: a client sends the same one again and again
    _said: tuple[str, int] | None = None
    _answered_at = 0.0  # on the clock of the loop

    def data_received(self, data: bytes) -> None:
        """Bytes from the client."""
        if data.startswith(PATH_BEGINS) and self._idle():
            end = data.find(b"\r\n\r\n") + 4
            said = self._understood(data[:end]) if end > 3 else None
            if said is not None and len(data) - end == said[1]:
                answer = self.app.direct(said[0], data[end:])
                if answer is not None:
                    self._answer(*answer)
                    return
        super().data_received(data)

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP, in the shape of every other refusal, and hang up."""
        payload = encode_json(
            {"error": f"{msg.rstrip('.')} (this connection); send HTTP/1.1, as any client library does"}
        )
        head = b"content-type: application/json\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % len(payload)
        self.transport.write(STATUS_LINE[400] + head + payload)
        self.transport.close()

    def on_message_begin(self) -> None:
        """uvicorn's parser met the first byte of a message."""
        self._open = True
        super().on_message_begin()

    def on_message_complete(self) -> None:
        """uvicorn's parser met the last byte of a message."""
        self._open = False
        super().on_message_complete()

    def _idle(self) -> bool:
        """Whether nothing is under way on this connection: what comes now is the first byte of a request."""
        done: bool = self.cycle is None or self.cycle.response_complete
        return (
            done
            and not (self._open or self.pipeline or self.flow.write_paused or self.transport.is_closing())
            and hasattr(self.app, "direct")
        )

    def _understood(self, head: bytes) -> tuple[str, int] | None:
        """The endpoint and the length of the body; None where the head is not entirely ordinary."""
        if head != self._head:
            self._head, self._said = head, read_head(head)
        return self._said

    def _answer(self, status: int, payload: bytes) -> None:
        parts = [STATUS_LINE[status], b"content-type: application/json\r\ncontent-length: %d\r\n" % len(payload)]
        for name, value in self.server_state.default_headers:
            parts += (name, b": ", value, b"\r\n")
        self.transport.write(b"".join((*parts, b"\r\n", payload)))
        self.server_state.total_requests += 1
        self._answered_at = self.loop.time()
        if self.timeout_keep_alive_task is None:
            self._look_again_in(self.timeout_keep_alive)

    def timeout_keep_alive_handler(self) -> None:
        """The connection may have been idle for too long. One timer serves many answers: starting one for each costs."""
        rest = self._answered_at + self.timeout_keep_alive - self.loop.time()
        if rest > 0:
            self._look_again_in(rest)
        else:
            super().timeout_keep_alive_handler()

    def _look_again_in(self, seconds: float) -> None:
        loop: asyncio.AbstractEventLoop = self.loop
        self.timeout_keep_alive_task = loop.call_later(seconds, self.timeout_keep_alive_handler)


def read_head(head: bytes) -> tuple[str, int] | None:
    """The endpoint and the length of the body that the head of a request names; None where anything is unusual.

    >>> read_head(b"POST /v2/models/demo/infer HTTP/1.1\\r\\nHost: here\\r\\nContent-Length: 12\\r\\n\\r\\n")
    ('demo', 12)
    >>> read_head(b"POST /v2/models/demo/infer HTTP/1.1\\r\\nHost: here\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n")
    """
    first, *lines = head[:-4].split(b"\r\n")
    name = first[len(PATH_BEGINS) : -len(PATH_ENDS)]
    if not first.endswith(PATH_ENDS) or not _plain_name(name):
        return None
    headers: dict[bytes, bytes] = {}
    for line in lines:
        key, colon, value = line.partition(b":")
        key, value = key.lower(), value.strip(b" \t")
        if not colon or key in headers or not _harmless(key, value):
            return None
        headers[key] = value
    length = headers.get(b"content-length", b"")
    if b"host" not in headers or not length.isdigit() or len(length) > 9:
        return None
    return name.decode(), int(length)


def _plain_name(name: bytes) -> bool:
    return name.isascii() and name.replace(b"-", b"").replace(b"_", b"").replace(b".", b"").isalnum()


def _harmless(key: bytes, value: bytes) -> bool:
    if not value.isascii() or any(byte < 32 or byte == 127 for byte in value):
        return False
    return key in ORDINARY or (key == b"connection" and value.lower() == b"keep-alive")
