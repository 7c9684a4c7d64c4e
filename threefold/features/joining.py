"""Joining a view to the rows to predict: by key, and as of the moment each prediction is made."""

from __future__ import annotations

import polars as pl

from threefold.data.calling import place_of
from threefold.data.words import counted, did_you_mean
from threefold.errors import DataError
from threefold.features.views import View

CUT = "_cut"  # the moment a prediction is made: only what was known at or before it may be used
ROW = "_row"
KNOWN = "_known"


def join(view: View, made: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """The features of a view for each row, in the order of the rows.

    Args:
        view: with a key.
        made: what the view's function returned.
        rows: the key columns and `_cut`, the moment of each prediction.
    Returns:
        One row per row, with the view's features only; null where nothing was known.
    Raises:
        DataError: a column is missing on either side, or facts that do not change have two rows for one key.
    """
    where = place_of(view.function) if view.function else view.name
    _check(view, made, rows, where)
    made = _same_keys(view, made, rows, where)
    if view.known is None:
        return _facts(view, made, rows, where)
    return _as_of(view, made, rows, where)


def _check(view: View, made: pl.DataFrame, rows: pl.DataFrame, where: str) -> None:
    needed = (*view.key, view.known) if view.known else view.key
    for name in needed:
        if name not in made.columns:
            kind = "the moment its rows were known" if name == view.known else "its key"
            raise DataError(
                f"view '{view.name}' returns no column '{name}', {kind}", where, did_you_mean(name, made.columns)
            )
    for name in view.key:
        if name not in rows.columns:
            raise DataError(
                f"view '{view.name}' is joined by '{name}', which the rows to predict do not have when the prediction "
                "is made",
                where,
                did_you_mean(name, [column for column in rows.columns if not column.startswith("_")]),
            )


def _same_keys(view: View, made: pl.DataFrame, rows: pl.DataFrame, where: str) -> pl.DataFrame:
    """Key columns of the view in the types of the rows."""
    made = made.drop_nulls(list(view.key))
    try:
        return made.with_columns(pl.col(name).cast(rows.schema[name]) for name in view.key)
    except pl.exceptions.PolarsError as error:
        types = ", ".join(f"{name}: {made.schema[name]} and {rows.schema[name]}" for name in view.key)
        raise DataError(
            f"the key of view '{view.name}' does not fit the rows to predict ({types})", where, "give both one type"
        ) from error


def _facts(view: View, made: pl.DataFrame, rows: pl.DataFrame, where: str) -> pl.DataFrame:
    made = made.unique(maintain_order=True)
    repeated = made.select(view.key).is_duplicated()
    if repeated.any():
        first = made.filter(repeated).select(view.key).row(0)
        raise DataError(
            f"view '{view.name}' has {counted(int(repeated.sum()), 'row')} that share a key but differ, as for {first}",
            where,
            "return one row per key, or say with known= when each was known",
        )
    features = [name for name in made.columns if name not in view.key]
    return rows.select(view.key).join(made, on=list(view.key), how="left", maintain_order="left").select(features)


def _as_of(view: View, made: pl.DataFrame, rows: pl.DataFrame, where: str) -> pl.DataFrame:
    features = [name for name in made.columns if name not in (*view.key, view.known)]
    asked = rows.select(*view.key, CUT).with_row_index(ROW).sort(CUT)
    held = _in_order(view, made, where)
    joined = asked.join_asof(
        held,
        left_on=CUT,
        right_on=KNOWN,
        by=list(view.key),
        strategy="backward",
        tolerance=view.max_age,
        coalesce=False,
        check_sortedness=False,  # sorted just above, over all keys
    )
    if view.age is not None:
        hours = (pl.col(CUT) - pl.col(KNOWN)).dt.total_seconds() / 3600
        joined = joined.with_columns(hours.alias(view.age))
        features.append(view.age)
    return joined.sort(ROW).select(features)


def _in_order(view: View, made: pl.DataFrame, where: str) -> pl.DataFrame:
    """The view's rows by the moment they were known; of several of one key and moment, the last stays."""
    assert view.known is not None
    moments = made[view.known]
    if moments.dtype != pl.Date and not isinstance(moments.dtype, pl.Datetime):
        raise DataError(
            f"column '{view.known}' of view '{view.name}' should hold times, it holds {moments.dtype}",
            where,
            "return the moment from which a row may be used",
        )
    made = made.with_columns(moments.cast(pl.Datetime("us")).alias(KNOWN)).drop(view.known).drop_nulls(KNOWN)
    ordered = made.sort(KNOWN, maintain_order=True)
    if ordered.select(*view.key, KNOWN).is_duplicated().any():
        ordered = ordered.unique([*view.key, KNOWN], keep="last", maintain_order=True)
    return ordered
