"""Bytes in and out, in constant memory: an upload grows beside the event loop, a download leaves piece by piece."""

from __future__ import annotations

import mimetypes
import re
from collections.abc import Iterator
from urllib.parse import quote

from starlette.types import Receive, Scope, Send

from threefold.server.context import Context
from threefold.server.refusals import ProtocolError
from threefold.server.streams import pieces

TOGETHER = 1 << 20  # bytes handed to a thread at once: each hand-over costs
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")
_TEXTS = {"": "text/plain", ".yaml": "text/plain", ".yml": "text/plain", ".log": "text/plain", ".cfg": "text/plain"}


async def take(context: Context, receive: Receive) -> tuple[str, int]:
    """Keep the body of a request as an object; returns digest and size. A broken one leaves nothing.

    Raises:
        ProtocolError: the client went away before the end.
    """
    with await context.beside(context.store.objects.growing) as half:
        waiting, size = [], 0
        async for piece in pieces(receive):
            waiting.append(piece)
            size += len(piece)
            if size >= TOGETHER:
                await context.beside(half.write, b"".join(waiting))
                waiting, size = [], 0
        if waiting:
            await context.beside(half.write, b"".join(waiting))
        return await context.beside(half.keep)


async def give(context: Context, scope: Scope, send: Send, digest: str, size: int, path: str) -> None:
    """Send an object as the file of a path; a single range of it where the client asks for one."""
    start, end = _asked(scope, size)
    headers = [
        (b"content-type", media_type(path).encode()),
        (b"content-length", str(end - start).encode()),
        (b"content-disposition", attached(path.rpartition("/")[2]).encode()),
        (b"x-content-type-options", b"nosniff"),
        (b"accept-ranges", b"bytes"),
    ]
    partial = (start, end) != (0, size)
    if partial:
        headers.append((b"content-range", f"bytes {start}-{end - 1}/{size}".encode()))
    stored = await context.beside(context.store.objects.open_stream, digest, start)
    first = await context.beside(next, stored, b"")  # a damaged small file is refused before anything is sent
    await send({"type": "http.response.start", "status": 206 if partial else 200, "headers": headers})
    await _send(context, send, first, stored, end - start)


async def _send(context: Context, send: Send, piece: bytes, stored: Iterator[bytes], left: int) -> None:
    while piece and left > len(piece):
        await send({"type": "http.response.body", "body": piece, "more_body": True})
        left -= len(piece)
        piece = await context.beside(next, stored, b"")
    await send({"type": "http.response.body", "body": piece[:left]})


def media_type(path: str) -> str:
    """What kind of file a path names; a file without an ending is text, as those of MLflow's models are."""
    ending = re.search(r"(\.\w+)?$", path.rpartition("/")[2])
    known = _TEXTS.get(ending[0] if ending else "")
    return known or mimetypes.guess_type(path)[0] or "application/octet-stream"


def attached(name: str) -> str:
    """The header that lets a browser save an answer as a file: the plain form where the name allows it, for clients that
    know no other; the encoded one of RFC 6266 for names with blanks, quotes or letters beyond ASCII.

    >>> attached("MLmodel"), attached("März.csv")
    ('attachment; filename=MLmodel', "attachment; filename*=UTF-8''M%C3%A4rz.csv")
    """
    plain = re.fullmatch(r"[\w!#$%&'+.^`|~-]+", name, re.ASCII)  # a token of HTTP
    return f"attachment; filename={name}" if plain else f"attachment; filename*=UTF-8''{quote(name)}"


def _asked(scope: Scope, size: int) -> tuple[int, int]:
    """The bytes that a client asks for; a range that is not understood counts as all of them, as HTTP says."""
    said = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"range"), "")
    found = _RANGE.fullmatch(said)
    if not found or found[0] == "bytes=-":
        return 0, size
    first, last = found.groups()
    start = int(first) if first else max(0, size - int(last))
    end = min(size, int(last) + 1) if first and last else size
    if start >= size or end <= start:
        raise ProtocolError("RANGE_NOT_SATISFIABLE", f"the file has {size} bytes", f"range {said}", "ask for less")
    return start, end
