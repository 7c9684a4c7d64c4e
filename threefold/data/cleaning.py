"""Clean tables: the project's own cleaning first, then what holds for every table."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl

from threefold.data.calling import call, place_of
from threefold.data.declared import check_reserved
from threefold.data.words import counted, did_you_mean
from threefold.design.canvas import Source
from threefold.design.places import place
from threefold.errors import DataError


def clean(
    source: Source,
    frame: pl.DataFrame,
    function: Callable[..., Any] | None = None,
    canvas: Path | None = None,
) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """Clean one table.

    Args:
        source: as the canvas has it; its `time`, `later` and `key` columns must be there afterwards.
        frame: as it was read.
        function: the project's `clean_<table>`, from a table to a table; None where it has none.
        canvas: its file, so that a refusal can name the line.
    Returns:
        The table without rows that stand twice, and with the first row of each key; and notes that say how many rows
        went where.
    Raises:
        StepFailed: the function raised, or returned no table.
        DataError: nothing is left, a declared column is missing, or a time column holds no times.
    """
    notes: list[str] = []
    if function is not None:
        before = frame.height
        frame = call(function, frame, f"cleaning of table '{source.name}' ({_name(function)})")
        notes += _change(before, frame.height, f"by {_name(function)}")
    where = place_of(function) if function is not None else f"table {source.name}"
    _check_columns(source, frame, where, canvas)
    check_reserved(frame, source.name, where)
    if frame.is_empty():
        raise DataError(f"cleaning left no row of table '{source.name}'", where, "see which filter drops them all")
    before = frame.height
    frame = _without_repeats(source, frame)
    notes += _change(before, frame.height, _repeats(source))
    return with_moments(source, frame, where), tuple(notes)


def with_moments(source: Source, frame: pl.DataFrame, where: str) -> pl.DataFrame:
    """The same table with its time columns as moments; a day counts from its midnight.

    Raises:
        DataError: a time column of the canvas holds something else than times.
    """
    moments = list(dict.fromkeys(name for name in (source.time, *source.later) if name is not None))
    for name in moments:
        if frame[name].dtype != pl.Date and not isinstance(frame[name].dtype, pl.Datetime):
            raise DataError(
                f"column '{name}' of table '{source.name}' should hold times, it holds {frame[name].dtype}",
                where,
                f"turn it into times in clean_{source.name}(), as with .str.to_datetime()",
            )
    return frame.with_columns(pl.col(name).cast(pl.Datetime("us")) for name in moments)


def _check_columns(source: Source, frame: pl.DataFrame, where: str, canvas: Path | None) -> None:
    declared = {
        "time": [source.time] if source.time else [],
        "key": list(source.key),
        "later": [name for moment, names in source.later.items() for name in (moment, *names)],
    }
    for entry, names in declared.items():
        for name in names:
            if name not in frame.columns:
                line = f"{place(canvas, 'data', source.name, entry, item=name)}, " if canvas else ""
                raise DataError(
                    f"table '{source.name}' has no column '{name}', which the canvas names under `{entry}`",
                    line + where,
                    did_you_mean(name, frame.columns),
                )


def _without_repeats(source: Source, frame: pl.DataFrame) -> pl.DataFrame:
    """The first row of each key. Without a key: the first of equal rows."""
    if not source.key:
        return frame.unique(keep="first", maintain_order=True)
    key = list(source.key)
    if frame.select(key).n_unique() == frame.height:
        return frame
    return frame.unique(subset=key, keep="first", maintain_order=True)


def _repeats(source: Source) -> str:
    key = ", ".join(source.key)
    return f"because another row has the same {key}" if key else "because another row is the same in every column"


def _change(before: int, after: int, why: str) -> list[str]:
    if before == after:
        return []
    verb = "removed" if after < before else "added"
    return [f"{counted(abs(before - after), 'row')} of {before:,} {verb} {why}"]


def _name(function: Callable[..., Any]) -> str:
    return getattr(function, "__name__", "the function")
