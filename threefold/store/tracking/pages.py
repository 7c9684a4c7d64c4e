"""Pages of an answer: a token says where the next one begins."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from threefold.errors import DataError
from threefold.store.tracking.filters import identifier

_ORDER = re.compile(r"\s*(?P<name>(?:`[^`]*`|\"[^\"]*\"|[^`\"\s])+)(?:\s+(?P<word>\S+))?\s*")


def token_of(offset: int, asked: Mapping[str, Any] | None = None) -> str:
    """The token of a page that begins at a row.

    Args:
        asked: what the search asked for, under names that a person reads; the next page has to ask for the same.

    >>> offset_of(token_of(100))
    100
    """
    bound = {name: _digest(value) for name, value in (asked or {}).items()}
    said = {"offset": offset, "asked": bound} if bound else {"offset": offset}
    return base64.b64encode(json.dumps(said).encode()).decode()


def offset_of(token: str | None, asked: Mapping[str, Any] | None = None) -> int:
    """Where a page begins; 0 without a token. Raises DataError, also where another page was asked for."""
    if not token:
        return 0
    try:
        found = json.loads(base64.b64decode(token, validate=True))
        offset, bound = int(found["offset"]), dict(found.get("asked") or {})
    except (binascii.Error, ValueError, KeyError, TypeError, AttributeError):
        raise _bad(token) from None
    if offset < 0:
        raise _bad(token)
    for name, value in (asked or {}).items():
        if name in bound and bound[name] != _digest(value):
            verb = "do" if name.endswith("s") else "does"
            raise DataError(
                f"{name} in the page token {verb} not match what is asked for now", "page_token",
                "ask for the next page with the same arguments, or begin again without a token",
            )  # fmt: skip
    return offset


def ordering(clause: str, kinds: Sequence[str]) -> tuple[str, str, bool]:
    """Kind, name and direction of one clause of order_by; True is ascending. Raises DataError.

    >>> ordering("metrics.loss DESC", ("metric",))
    ('metric', 'loss', False)
    """
    found = _ORDER.fullmatch(clause)
    if found is None:
        raise _order_error(f"Invalid order_by clause '{clause}'. Could not be parsed")
    word = (found["word"] or "asc").lower()
    if word not in ("asc", "desc"):
        raise _order_error(f"Invalid ordering key in order_by clause '{clause}'")
    kind, name = identifier(found["name"].strip(), kinds)
    return kind, name, word == "asc"


def _order_error(what: str) -> DataError:
    return DataError(what, "order_by", "write a name, then ASC or DESC: metrics.loss DESC")


def _bad(token: str) -> DataError:
    return DataError(
        f"Invalid page token, could not base64-decode {token[:80]!r}", "page_token", "send it as it was given"
    )


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]
