"""Columns that are nearly something else: numbers but for a few cells, a time but for what disqualifies it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta

import polars as pl

from threefold.data.moments import LOOKS_LIKE
from threefold.data.rows import FEW_MOMENTS, NOT_OF_THE_ROW, is_moment
from threefold.data.words import counted, counted_as, listing
from threefold.records import ColumnProfile, utc_now

NEARLY = 0.9  # of the values
ISO = r"^\d{4}-\d\d?-\d\d?"


def nearly_numbers(rows: pl.DataFrame) -> Iterator[str]:
    """A sentence about each column of texts that would be numbers but for a few cells."""
    for column in rows.select(pl.col(pl.String)):
        values = column.drop_nulls()
        strange = values.filter(values.str.strip_chars().cast(pl.Float64, strict=False).is_null())
        if len(values) and 0 < len(strange) <= (1 - NEARLY) * len(values):
            named = listing((f"'{text}'" for text in strange.unique(maintain_order=True)), at_most=3)
            yield f"'{column.name}' is text, and would be numbers but for {named}: mend them, or list them under `nulls`"


def unused_times(rows: pl.DataFrame, about: Mapping[str, ColumnProfile]) -> Iterator[str]:
    """A sentence about each column that looks like the moment of a row, and why it was not taken for it."""
    horizon = utc_now().replace(tzinfo=None) + timedelta(days=1)
    for name in about:
        column = rows[name]
        if is_moment(column):
            reason = _against(name, column.cast(pl.Datetime("us")), horizon, rows.height)
            if reason:
                yield f"'{name}' is a time, and not taken for that of a row: {reason}"
        elif column.dtype == pl.String:
            yield from _nearly_times(column)


def _against(name: str, moments: pl.Series, horizon: object, rows: int) -> str:
    ahead = moments.filter(moments > horizon)
    if moments.null_count():
        return f"{counted_as(moments.null_count(), 'row', 'have')} none"
    if len(ahead):
        return f"{counted_as(len(ahead), 'row', 'lie')} in the future, up to {str(ahead.max())[:10]}"
    if NOT_OF_THE_ROW.search(name):
        return "by its name it is about something else, such as a birth or an end"
    return (
        f"it has only {counted(moments.n_unique(), 'moment')}"
        if moments.n_unique() < min(FEW_MOMENTS, rows / 2)
        else ""
    )


def _nearly_times(column: pl.Series) -> Iterator[str]:
    values = column.drop_nulls()
    fits = values.str.contains(LOOKS_LIKE) | values.str.contains(ISO)
    strange = values.filter(~fits)
    if len(values) and len(strange) <= (1 - NEARLY) * len(values):
        if len(strange):
            but = f"but for {counted(len(strange), 'row')}, as with '{strange[0]}'"
        else:
            but = "but its dates are written in more than one way, or some of them are no dates"
        yield f"'{column.name}' would be a time {but}: make it one in clean_<table> of data.py"
