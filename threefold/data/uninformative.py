"""Columns that tell a model nothing, or nothing yet, each with the reason."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import polars as pl

from threefold.data.moments import looks_like_dates
from threefold.data.rows import ID_NAME, is_moment, share_before
from threefold.data.targets import NEEDED, shortened
from threefold.records import ColumnProfile

OWN_VALUES = 0.5  # strings with more different values than this share of the rows name rows rather than kinds


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A column that is no feature, and the reason in a few words."""

    column: str
    reason: str


def uninformative(
    rows: pl.DataFrame,
    learned: pl.DataFrame,
    about: Mapping[str, ColumnProfile],
    at: str | None,
    passed: set[str | None],
) -> Iterator[LeftOut]:
    """The columns that are no features.

    Args:
        rows: all rows with a target; times are compared here.
        learned: those that training will see; a column needs a value among them.
        about: the profile of each column.
        at: the moment of each row; None where there is none.
        passed: columns that are judged elsewhere: identifier and target.
    """
    for name, column in about.items():
        if name in passed:
            continue
        reason = _why_not(rows, learned[name], column, at)
        if reason:
            yield LeftOut(name, reason)


def _why_not(rows: pl.DataFrame, learned: pl.Series, column: ColumnProfile, at: str | None) -> str | None:
    """Why a column is no feature, in a few words; None where it is one."""
    filled = column.rows - column.nulls
    if not filled:
        return "has no value in any row"
    if learned.null_count() == len(learned):
        return "has no value in the rows to learn from"
    if not column.name:
        return "has no name"
    if column.unique == 1 and not column.nulls:
        return f"is always the same: {shortened(learned.drop_nulls()[0])}"
    if learned.dtype.is_nested() or learned.dtype in (pl.Object, pl.Binary, pl.Duration, pl.Time):
        return f"holds {learned.dtype}, which is neither number nor text"
    if is_moment(learned):
        late = at is not None and column.name != at and share_before(rows, at, column.name) > 0.5
        return f"comes after {at}: not known yet" if late else None
    if column.kind == "category":
        return _why_no_category(learned, column, filled)
    if learned.dtype.is_integer() and _counts_rows(rows[column.name], column):
        return "numbers the rows"
    return None


def _why_no_category(learned: pl.Series, column: ColumnProfile, filled: int) -> str | None:
    if learned.dtype != pl.String:
        return None
    if looks_like_dates(learned):
        return "holds dates that can be read in more than one way: make them times in data.py"
    if column.unique == filled:
        return "names every row: no two are the same"
    if column.unique > OWN_VALUES * filled and filled >= NEEDED:
        return f"has {column.unique:,} different values in {filled:,} rows"
    return None


def _counts_rows(values: pl.Series, column: ColumnProfile) -> bool:
    """Whether whole numbers run through the rows: 0, 1, 2 … or 1, 2, 3 …"""
    if column.nulls or column.unique < len(values):
        return False
    return bool((values.diff().drop_nulls() == 1).all()) or bool(ID_NAME.search(column.name))
