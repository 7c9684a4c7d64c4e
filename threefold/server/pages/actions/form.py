"""A form that somebody sent: read with care, handed to the function behind its button, answered with the page it came from."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from threefold.errors import DataError, Refused
from threefold.server.pages.answer import action, as_json, packed, wants_json
from threefold.server.pages.look import DONE, address

LARGEST = 200_000  # bytes; a description is the longest that a form holds
FIELDS = 50


@dataclass(frozen=True, slots=True)
class Form:
    """The fields of a form."""

    fields: Mapping[str, str]
    where: str  # its address, for refusals

    def text(self, name: str) -> str:
        """One field, without blanks around it; empty where it was left out."""
        return self.fields.get(name, "").strip()

    def need(self, name: str, meaning: str) -> str:
        """One field that must be filled in. Raises DataError."""
        found = self.text(name)
        if not found:
            raise DataError(f"{meaning} is missing", self.where, f"fill in the field {name!r}")
        return found

    def reason(self) -> str:
        """Why; kept in the event log. Raises DataError."""
        return self.need("reason", "the reason")

    def sure(self) -> None:
        """What is hard to take back needs a second yes. Raises Refused."""
        if self.text("sure") != "1":
            raise Refused("it was not confirmed", self.where, "tick the box beside the button (sure=1 in a form)")


Work = Callable[[Request, Form], tuple[str, str]]


def does(work: Work) -> Callable[[Request], Awaitable[Response]]:
    """Make an address of a function that takes a form and returns the word for what it did and the page to go on with.

    It runs beside the event loop, and its refusal is shown as every other.
    """

    @action
    @wraps(work)
    async def endpoint(request: Request) -> Response:
        form = await read(request)
        word, page = await request.app.state.context.beside(work, request, form)
        if wants_json(request):
            return packed(request, as_json({"done": word, "said": DONE[word], "page": page}), "application/json")
        return RedirectResponse(address(page, {"done": word}), 303)

    return endpoint


async def read(request: Request) -> Form:
    """The form that a request carries. Raises DataError."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    where = request.url.path
    if kind != "application/x-www-form-urlencoded":
        raise DataError(
            f"this address takes a form, not {kind or 'nothing'}", where,
            "send it with the content type application/x-www-form-urlencoded",
        )  # fmt: skip
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > LARGEST:
            raise DataError(f"the form is larger than {LARGEST:,} bytes", where, "write it shorter")
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=FIELDS)
    except ValueError:
        raise DataError("the form cannot be read", where, "send UTF-8, with at most 50 fields") from None
    return Form(dict(pairs), where)
