"""One call of the API: its arguments, read and checked.

The protocol is protobuf in JSON: a field that is absent, null or an empty text counts as not given; a whole number may
arrive as text; a list in a query is a repeated word. A GET may carry its arguments in the query, everything else in the body.
"""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs

import msgspec

from threefold.server.refusals import ProtocolError, invalid

_decode = msgspec.json.Decoder().decode
LARGEST = 2**63 - 1
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")  # the escape itself, not a backslash that is written before "u0000"


class Call:
    """The arguments of one request.

    Attributes:
        body: as it came; a door with a form of its own decodes it itself.
    """

    __slots__ = ("_args", "_queried", "_words", "body")

    def __init__(self, body: bytes, words: Mapping[str, str], query: dict[str, list[str]] | None = None) -> None:
        self.body = body
        self._words = words  # of the path
        self._queried = query is not None  # values are lists of texts, as a query gives them
        self._args: dict[str, Any] | None = query if query is None else {**query, **{k: [v] for k, v in words.items()}}

    @classmethod
    def read(cls, method: str, query: bytes, body: bytes, words: Mapping[str, str]) -> Call:
        """The call that a request makes. Raises ProtocolError where a text holds what Postgres cannot keep."""
        if b"\\u0000" in body and _NUL.search(body):
            raise invalid("a text holds the letter U+0000, which not every database keeps", "the body", "leave it out")
        if method == "GET" and query:
            return cls(body, words, parse_qs(query.decode("utf-8", "replace"), keep_blank_values=True))
        return cls(body, words)

    @property
    def args(self) -> dict[str, Any]:
        """Name -> value, from the body, the query and the path. Raises ProtocolError where the body is no JSON object."""
        if self._args is None:
            self._args = {**(_object(self.body) if self.body else {}), **self._words}
        return self._args

    def text(self, name: str, default: str | None = None) -> str | None:
        """A text; the default where it is not given."""
        value = self._one(name)
        if value is None:
            return default
        if not isinstance(value, str):
            raise wrong(name, value)
        return value

    def need(self, name: str) -> str:
        """A text that must be given, and not be empty."""
        value = self.text(name)
        if not value:
            raise missing(name)
        return value

    def run_id(self) -> str:
        """The run a call is about; old clients say `run_uuid`."""
        value = self.text("run_id") or self.text("run_uuid")
        if not value:
            raise missing("run_id")
        return value

    def whole(self, name: str, default: int | None = None) -> int | None:
        """A whole number; the default where it is not given."""
        value = self._one(name)
        return default if value is None else whole(value, name)

    def number(self, name: str) -> float | None:
        """A number; NaN and infinity are numbers."""
        value = self._one(name)
        return None if value is None else number(value, name)

    def truth(self, name: str, default: bool = False) -> bool:
        """True or false."""
        value = self._one(name)
        if value is None:
            return default
        if isinstance(value, str) and self._queried and value.lower() in ("true", "false"):
            return value.lower() == "true"
        if not isinstance(value, bool):
            raise invalid(f"Invalid boolean value: {value}, must be 'true' or 'false'", f"parameter '{name}'")
        return value

    def choice(self, name: str, choices: Sequence[str], default: str) -> str:
        """One of a few words, or its number among them, counted from 1."""
        value = self._one(name)
        if value is None:
            return default
        if isinstance(value, str) and value in choices:
            return value
        if (isinstance(value, int) or (isinstance(value, str) and value.isdecimal())) and 1 <= int(value) <= len(
            choices
        ):
            return choices[int(value) - 1]
        raise wrong(name, value, f"it is one of {', '.join(choices)}")

    def texts(self, name: str) -> list[str]:
        """A list of texts; empty where it is not given."""
        values = self._all(name)
        if not all(isinstance(value, str) for value in values):
            raise wrong(name, values)
        return values

    def items(self, name: str) -> list[dict[str, Any]]:
        """A list of objects; empty where it is not given."""
        values = self._all(name)
        if not all(isinstance(value, dict) for value in values):
            raise wrong(name, self.args.get(name))
        return values

    def given(self, name: str) -> bool:
        """Whether the call says anything under a name."""
        return self._one(name) is not None

    def _one(self, name: str) -> Any:
        value = self.args.get(name)
        return value[0] if self._queried and value is not None else value

    def _all(self, name: str) -> list[Any]:
        values = self.args.get(name)
        if values is None:
            return []
        if not isinstance(values, list):
            raise wrong(name, values)
        return values


def missing(name: str) -> ProtocolError:
    """A field that must be given is not."""
    return invalid(f"Missing value for required parameter '{name}'", "the request", "give it; see docs/tracking.md")


def whole(value: Any, name: str) -> int:
    """A whole number of 64 bits, however JSON or a query wrote it."""
    try:
        found = int(value) if not isinstance(value, float) or value.is_integer() else None
    except (TypeError, ValueError):
        found = None
    if found is None or isinstance(value, bool) or not -LARGEST - 1 <= found <= LARGEST:
        raise wrong(name, value, "it is a whole number of 64 bits")
    return found


def number(value: Any, name: str) -> float:
    """A number, however JSON wrote it; "NaN", "Infinity" and "-Infinity" are numbers."""
    try:
        found = float(value)
    except (TypeError, ValueError, OverflowError):
        raise wrong(name, value, "it is a number") from None
    if isinstance(value, bool):
        raise wrong(name, value, "it is a number")
    return found


def sent(value: float) -> float | str:
    """A number as the protocol's JSON carries it. Infinity goes as the largest number there is, which is what MLflow sends.

    >>> sent(0.5), sent(math.nan), sent(-math.inf)
    (0.5, 'NaN', -1.7976931348623157e+308)
    """
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else math.copysign(sys.float_info.max, value)


def shown(value: Any) -> str:
    """A value as an error quotes it: JSON without blanks, cut where it is long."""
    text = json.dumps(value, default=str, sort_keys=True, separators=(",", ":"))
    return text if len(text) <= 500 else f"{text[:500]}..."


def wrong(name: str, value: Any, hint: str = "") -> ProtocolError:
    """A field holds what it cannot hold."""
    said = f"Invalid value {shown(value)} for parameter '{name}' supplied"
    return invalid(said, "the request", hint or f"it came as {type(value).__name__}; see docs/tracking.md")


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        found = _lenient(body)
    if isinstance(found, str):  # old clients encode twice
        found = _lenient(found.encode("utf-8", "replace"))
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise ProtocolError("BAD_REQUEST", "the body is not a JSON object", "the body", "send {…}")
    return found


def _lenient(body: bytes) -> Any:
    """JSON with the NaN and Infinity that Python writes."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ProtocolError("BAD_REQUEST", f"the body is not JSON: {error}", "the body", "send an object {…}") from None
