"""The test share, split off before anything looks at it."""

from __future__ import annotations

import hashlib

import polars as pl

from threefold.data.words import counted, counted_as, did_you_mean, listing
from threefold.design.canvas import Prediction
from threefold.errors import DataError

ID = "_id"  # the column that names a prediction, as text


def split(rows: pl.DataFrame, prediction: Prediction, seed: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Training rows and test rows, with their ids in a column `_id`.

    By time: the last share; rows of one moment stay together. At random: by a hash of the id, so that the same row
    falls on the same side in every run, and new rows do not move old ones.

    Raises:
        DataError: there are fewer than 2 rows, the ids are not unique, or the time to split by is missing.
    """
    rows = identified(rows, prediction)
    if rows.height < 2:
        raise DataError(
            f"table '{prediction.table}' has {counted(rows.height, 'row')} to learn from: too few to hold some out",
            f"table {prediction.table}",
            "bring more rows; a model that means something needs some hundreds",
        )
    tested = _by_time(rows, prediction) if prediction.split_by == "time" else _by_hash(rows, prediction, seed)
    return rows.filter(~tested), rows.filter(tested)


def identified(rows: pl.DataFrame, prediction: Prediction) -> pl.DataFrame:
    """The rows with a column `_id`: the id column as text, or the row's number from 0 where the canvas names none.

    Raises:
        DataError: the id column is missing, holds nulls, or names two rows alike.
    """
    if ID in rows.columns:
        return rows
    if prediction.id is None:
        return rows.with_columns(pl.int_range(pl.len()).cast(pl.String).alias(ID))
    if prediction.id not in rows.columns:
        raise DataError(
            f"table '{prediction.table}' has no column '{prediction.id}', which the canvas names as the id",
            f"table {prediction.table}",
            did_you_mean(prediction.id, rows.columns),
        )
    ids = rows[prediction.id].cast(pl.String).alias(ID)
    if ids.null_count() or ids.n_unique() < len(ids):
        raise _not_unique(ids, prediction)
    return rows.with_columns(ids)


def _not_unique(ids: pl.Series, prediction: Prediction) -> DataError:
    if ids.null_count():
        what = f"{counted_as(ids.null_count(), 'row', 'have')} no id"
    else:
        repeated = ids.filter(ids.is_duplicated()).unique().sort()
        what = f"{counted_as(len(repeated), 'id', 'stand')} more than once: {listing(repeated.to_list(), at_most=3)}"
    return DataError(
        what,
        f"table {prediction.table}, column {prediction.id}",
        f"name the id under `key` of the table, so that repeats are removed, or mend it in clean_{prediction.table}()",
    )


def _by_time(rows: pl.DataFrame, prediction: Prediction) -> pl.Series:
    times = time_of(rows, prediction)
    ordered = times.sort()
    first = min(len(ordered) - 1, max(1, round(len(ordered) * (1 - prediction.test_share))))
    tested: pl.Series = times >= ordered[first]
    if tested.all():  # one moment fills the whole front: the test is what comes after it
        tested = times > ordered[0]
    if not tested.any():
        raise DataError(
            f"all rows of table '{prediction.table}' are of one moment, {ordered[0]}: they cannot be split by time",
            f"table {prediction.table}, column {prediction.at}",
            "write `split: {by: random}` in the canvas",
        )
    return tested


def time_of(rows: pl.DataFrame, prediction: Prediction) -> pl.Series:
    """The moments that predictions are about.

    Raises:
        DataError: the canvas names no such column, the table lacks it, or it holds nulls or other things than times.
    """
    if prediction.at is None:
        raise DataError(
            "the canvas splits by time, but names no time", "threefold.yaml, predict", "add `at: <time column>`"
        )
    if prediction.at not in rows.columns:
        raise DataError(
            f"table '{prediction.table}' has no column '{prediction.at}', which the canvas names under `at`",
            f"table {prediction.table}",
            did_you_mean(prediction.at, rows.columns),
        )
    times = rows[prediction.at]
    where = f"table {prediction.table}, column {prediction.at}"
    if times.dtype != pl.Date and not isinstance(times.dtype, pl.Datetime):
        advice = f"turn it into times in clean_{prediction.table}()"
        raise DataError(f"column '{prediction.at}' should hold times, it holds {times.dtype}", where, advice)
    if times.null_count():
        advice = f"drop or mend these rows in clean_{prediction.table}()"
        raise DataError(f"{counted_as(times.null_count(), 'row', 'have')} no time in '{prediction.at}'", where, advice)
    return times.cast(pl.Datetime("us"))


def _by_hash(rows: pl.DataFrame, prediction: Prediction, seed: int) -> pl.Series:
    places = pl.Series([place(name, seed) for name in rows[ID].to_list()])
    tested = pl.Series(places.to_numpy() < prediction.test_share)
    if not tested.any():  # few rows: the test gets at least one, and so does the training
        tested = places == places.min()
    elif tested.all():
        tested = places != places.max()
    return tested


def place(name: str, seed: int) -> float:
    """Where an id falls between 0 and 1; the same on every machine.

    >>> place("a", 7) == place("a", 7) != place("a", 8)
    True
    """
    digest = hashlib.blake2b(f"{seed}:{name}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) / 2**64
