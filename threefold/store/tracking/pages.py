"""Pages of an answer: a token says where the next one begins."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Sequence

from threefold.errors import DataError
from threefold.store.tracking.filters import identifier

_ORDER = re.compile(r"\s*(?P<name>(?:`[^`]*`|\"[^\"]*\"|[^`\"\s])+)(?:\s+(?P<word>\S+))?\s*")


def token_of(offset: int) -> str:
    """The token of a page that begins at a row.

    >>> offset_of(token_of(100))
    100
    """
    return base64.b64encode(json.dumps({"offset": offset}).encode()).decode()


def offset_of(token: str | None) -> int:
    """Where a page begins; 0 without a token. Raises DataError."""
    if not token:
        return 0
    try:
        found = json.loads(base64.b64decode(token, validate=True))
        offset = int(found["offset"])
    except (binascii.Error, ValueError, KeyError, TypeError):
        raise _bad(token) from None
    if offset < 0:
        raise _bad(token)
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
