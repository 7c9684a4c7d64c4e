"""What names the rows of a table, and which of its columns says when a row came about."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta

import polars as pl

from threefold.data.moments import looks_like_dates
from threefold.records import ColumnProfile, utc_now

FEW_MOMENTS = 10  # a time column with fewer values is a period of the table, not a moment of the row
MOMENTS = re.compile(r"(^|_)(at|on|date|time|day|timestamp|datetime|when|month|period)($|_)|(date|time)$", re.I)
NOT_OF_THE_ROW = re.compile(r"birth|born|dob|expir|valid|until|due|_end|^end|deadline", re.I)
ID_NAME = re.compile(
    r"(^|[_\s.])(id|uuid|guid|key|number|no|nr|index|idx|code)$|Id$|ID$|^(unnamed: ?0|index|rownames|)$", re.I
)
CODE = re.compile(r"\S*\d\S*")  # a text that may name a row: no spaces, a digit; people are not to be named


def identifier_of(rows: pl.DataFrame, about: Mapping[str, ColumnProfile]) -> str | None:
    """The first column that names every row: no nulls, no repeats, and a name, text or numbering to show for it."""
    for name, column in about.items():
        if column.nulls or column.unique < rows.height or column.kind not in ("number", "category"):
            continue
        if ID_NAME.search(name) and name and (column.kind == "category" or rows[name].dtype.is_integer()):
            return name
        if column.kind == "category" and name and _are_codes(rows[name]):
            return name
    return None


def _are_codes(column: pl.Series) -> bool:
    return (
        column.dtype == pl.String
        and not looks_like_dates(column)
        and bool(column.str.contains(f"^{CODE.pattern}$").all())
    )


def moment_of(rows: pl.DataFrame, about: Mapping[str, ColumnProfile]) -> str | None:
    """The time column that says when a row came about: no nulls, many moments, not in the future; the earliest one."""
    horizon = utc_now().replace(tzinfo=None) + timedelta(days=1)
    found = []
    for name, column in about.items():
        if not is_moment(rows[name]) or column.nulls or NOT_OF_THE_ROW.search(name):
            continue
        latest = rows[name].cast(pl.Datetime("us")).max()
        if column.unique >= min(FEW_MOMENTS, rows.height / 2) and isinstance(latest, datetime) and latest <= horizon:
            found.append(name)
    named = [name for name in found if MOMENTS.search(name)] or found
    return min(named, key=lambda name: _lateness(rows, name, named)) if named else None


def days_between(moments: pl.Series) -> float:
    """Days from the first moment to the last; the column holds no nulls."""
    times = moments.cast(pl.Datetime("us"))
    first, last = times.min(), times.max()
    assert isinstance(first, datetime)
    assert isinstance(last, datetime)
    return (last - first) / timedelta(days=1)


def is_moment(column: pl.Series) -> bool:
    """Whether a column holds days or moments."""
    return column.dtype == pl.Date or isinstance(column.dtype, pl.Datetime)


def _lateness(rows: pl.DataFrame, name: str, others: list[str]) -> float:
    """How often other moments come before this one; the first to come is the one a prediction is about."""
    return sum(share_before(rows, other, name) for other in others if other != name)


def share_before(rows: pl.DataFrame, first: str, second: str) -> float:
    """The share of rows, 0 to 1, whose first moment comes before the second; rows without either do not count."""
    moments = [pl.col(name).cast(pl.Datetime("us")) for name in (first, second)]
    share = rows.select((moments[0] < moments[1]).mean()).item()
    return float(share or 0.0)
