"""Routes of the API: which function answers which method and path, and how it is to be called.

A path without a variable is found in one look-up; the few with a variable, as in "logged-models/{model_id}", are compared
part by part. A router that tries a hundred patterns one after the other would cost more than logging a metric.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from starlette.types import Receive, Scope, Send

from threefold.server.call import Call
from threefold.server.context import Context

Streaming = Callable[[Context, Call, Scope, Receive, Send], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One function of the API.

    Attributes:
        work: takes a connection (reading) or a Writer (writing), and the call; returns what is sent as JSON.
        kind: where it runs. "at once" takes the context and the call on the event loop, and must be quick; "await" is
            the same as a coroutine; "stream" speaks ASGI itself.
    """

    work: Callable[..., Any]
    kind: Literal["read", "write", "at once", "await", "stream"]


def reading(work: Callable[..., Any]) -> Endpoint:
    """A function that only reads: `work(connection, call)`."""
    return Endpoint(work, "read")


def writing(work: Callable[..., Any]) -> Endpoint:
    """A function that changes something: `work(tx, call)`, in the queue of writers."""
    return Endpoint(work, "write")


def at_once(work: Callable[[Context, Call], Any]) -> Endpoint:
    """A function that needs neither: `work(context, call)`, on the event loop."""
    return Endpoint(work, "at once")


def awaiting(work: Callable[[Context, Call], Awaitable[Any]]) -> Endpoint:
    """A function that needs several things of the context: `await work(context, call)`."""
    return Endpoint(work, "await")


def streaming(work: Streaming) -> Endpoint:
    """A function that takes or sends more than fits into memory: `await work(context, call, scope, receive, send)`."""
    return Endpoint(work, "stream")


Routes = Mapping[tuple[str, str], Endpoint]


class Table:
    """All routes of the API.

    A variable in braces takes one part of the path; `{path*}` at the end takes the rest.
    """

    def __init__(self, *families: Routes) -> None:
        self._exact: dict[tuple[str, str], Endpoint] = {}
        self._patterns: list[tuple[str, list[str], Endpoint]] = []
        self.paths: set[str] = set()
        for (method, path), endpoint in (item for family in families for item in family.items()):
            self.paths.add(path)
            if "{" in path:
                self._patterns.append((method, path.split("/"), endpoint))
            else:
                self._exact[method, path] = endpoint

    def find(self, method: str, path: str) -> tuple[Endpoint, dict[str, str]] | None:
        """The endpoint for a request, with the variables of its path; None where there is none."""
        exact = self._exact.get((method, path))
        if exact is not None:
            return exact, {}
        parts = path.split("/")
        for asked, pattern, endpoint in self._patterns:
            if asked == method and (words := _match(pattern, parts)) is not None:
                return endpoint, words
        return None


def _match(pattern: list[str], parts: list[str]) -> dict[str, str] | None:
    rest = pattern[-1].endswith("*}")
    if len(parts) < len(pattern) or (len(parts) > len(pattern) and not rest):
        return None
    words: dict[str, str] = {}
    for place, piece in enumerate(pattern):
        if piece.endswith("*}"):
            words[piece[1:-2]] = "/".join(parts[place:])
        elif piece.startswith("{"):
            words[piece[1:-1]] = parts[place]
        elif piece != parts[place]:
            return None
    return words
