"""What a table looks like: one pass of expressions over all of its columns."""

from __future__ import annotations

from typing import Any

import polars as pl

from threefold.records import ColumnProfile, Kind, Profile

QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
TOP = 200  # values counted per column; enough for every category a model can use as one
WORDS_OF_TEXT = 3.0  # columns with more words per value than this, hardly ever repeated, are prose


def profile(table: str, frame: pl.DataFrame) -> Profile:
    """The profile of a table.

    Args:
        table: its name in the canvas.
        frame: any number of rows, also none.
    Returns:
        Counts for every column; numbers also get moments and quantiles, the others their most frequent values.
    """
    measures = _measure(frame)
    columns = tuple(_describe(column, measures[position]) for position, column in enumerate(frame))
    return Profile(table=table, rows=frame.height, duplicates=_duplicates(frame), columns=columns)


def kind_of(column: pl.Series) -> Kind:
    """What a column is for a reader: number, category, text, time or boolean.

    Text is a column of several words whose values hardly repeat; every other column of strings is a category.
    """
    dtype = column.dtype
    if dtype == pl.Boolean:
        return "boolean"
    if dtype.is_numeric() or dtype == pl.Null:
        return "number"
    if dtype.is_temporal():
        return "time"
    return "text" if dtype == pl.String and is_prose(column) else "category"


def is_prose(column: pl.Series) -> bool:
    """Whether strings are sentences rather than names: many words, few repetitions."""
    values = column.drop_nulls().head(2_000)
    if values.is_empty():
        return False
    words = values.str.count_matches(r"\S+").mean()
    assert isinstance(words, float)
    return words > WORDS_OF_TEXT and values.n_unique() > 0.5 * len(values)


def _duplicates(frame: pl.DataFrame) -> int:
    if not frame.width or not frame.height:
        return 0
    return frame.height - frame.hash_rows(seed=1).n_unique()  # 64 bits: a false duplicate once in 10^7 such tables


def _measure(frame: pl.DataFrame) -> list[dict[str, Any]]:
    """All numbers of all columns, in one pass; one mapping per column."""
    if not frame.width:
        return []
    structs = [
        pl.struct(measure.alias(name) for name, measure in _expressions(column).items()).alias(str(position))
        for position, column in enumerate(frame)
    ]
    return list(frame.select(structs).row(0))


def _expressions(column: pl.Series) -> dict[str, pl.Expr]:
    values, dtype = pl.col(column.name), column.dtype
    found: dict[str, pl.Expr] = {"nulls": values.null_count()}
    if dtype.is_nested() or dtype == pl.Object:
        return found
    found["unique"] = values.drop_nulls().n_unique()
    if dtype.is_numeric() and dtype != pl.Null:
        sound = values.cast(pl.Float64).filter(values.cast(pl.Float64).is_finite())
        found |= {"min": sound.min(), "max": sound.max(), "mean": sound.mean(), "std": sound.std()}
        found |= {f"q{q}": sound.quantile(q, "linear") for q in QUANTILES}
    elif dtype.is_temporal():
        found |= {"min": values.min(), "max": values.max()}
    return found


def _describe(column: pl.Series, measured: dict[str, Any]) -> ColumnProfile:
    kind = kind_of(column)
    quantiles = tuple(measured[f"q{q}"] for q in QUANTILES if measured.get(f"q{q}") is not None)
    return ColumnProfile(
        name=column.name,
        dtype=str(column.dtype),
        kind=kind,
        rows=len(column),
        nulls=measured["nulls"],
        unique=measured.get("unique", 0),
        minimum=_plain(measured.get("min")),
        maximum=_plain(measured.get("max")),
        mean=measured.get("mean"),
        deviation=measured.get("std"),
        quantiles=quantiles,
        top=_top(column) if kind in ("category", "boolean") else (),
    )


def _plain(limit: Any) -> float | str | None:
    """A number as it is, a time as text."""
    return limit if limit is None or isinstance(limit, float) else str(limit)


def _top(column: pl.Series) -> tuple[tuple[str, int], ...]:
    """The most frequent values; equal counts in the order of the alphabet, so that equal tables profile alike."""
    if column.dtype.is_nested() or column.dtype in (pl.Object, pl.Binary):
        return ()
    counts = column.drop_nulls().cast(pl.String).alias("value").value_counts(name="count")
    ranked = counts.sort("count", "value", descending=[True, False]).head(TOP)
    return tuple(zip(ranked["value"].to_list(), ranked["count"].to_list(), strict=True))
