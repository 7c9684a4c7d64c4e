"""What was known at a moment: rows that existed, and labels that had arrived."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

import polars as pl

from threefold.data.words import counted, did_you_mean
from threefold.design.canvas import Prediction, Source
from threefold.errors import DataError
from threefold.records import utc_now

CLOCKS = timedelta(days=1)  # a local clock may run ahead of ours by up to 14 hours


def known(frame: pl.DataFrame, source: Source, as_of: datetime | None) -> pl.DataFrame:
    """A table as it was known at one moment of the data's own clock.

    Rows none of whose moments has come by `as_of` are not there yet. Later columns, with the time column that says
    when they come, are null where that time comes after `as_of` or is null.

    Args:
        frame: a clean table.
        source: as the canvas has it.
        as_of: without time zone; None leaves the table as it is.
    Raises:
        DataError: a later column holds values that are dated in the future, seen from today.
    """
    _check_future(frame, source)
    if as_of is None:
        return frame
    if source.time is not None:
        # A flight that left early is known to have left before its own time: any of its moments makes a row known.
        frame = frame.filter(pl.min_horizontal(source.time, *source.later) <= as_of)
    return frame.with_columns(
        pl.when(pl.col(moment) <= as_of).then(pl.col(name)).alias(name)
        for moment, names in source.later.items()
        for name in (*names, moment)
    )


def source_of(table: str, sources: Mapping[str, Source]) -> Source:
    """The source of a table; a table that a step of the project made has none, and no times of its own."""
    return sources.get(table) or Source(table, "")


def later_columns(source: Source) -> dict[str, str]:
    """Each column that is known only later, with the time column that says when; the time columns themselves too."""
    return {name: moment for moment, names in source.later.items() for name in (*names, moment)}


def check_labels(rows: pl.DataFrame, prediction: Prediction, sources: Mapping[str, Source]) -> None:
    """Refuse labels that were known before their prediction would have been made.

    Raises:
        DataError: such rows are there; the first of them are named.
    """
    moment = later_columns(source_of(prediction.table, sources)).get(prediction.target)
    if prediction.at is None or moment is None or moment not in rows.columns:
        return
    early = rows.filter(
        pl.col(prediction.target).is_not_null() & (pl.col(moment) <= pl.col(prediction.at) - prediction.ahead)
    )
    if early.height:
        first = early.row(0, named=True)
        raise DataError(
            f"{counted(early.height, 'row')} of table '{prediction.table}' know their label '{prediction.target}' before "
            f"the prediction is made, as {_named(first, prediction)}: label at {first[moment]}, prediction at "
            f"{first[prediction.at] - prediction.ahead}",
            f"table {prediction.table}, column {moment}",
            f"check how '{moment}' is computed, or drop these rows in clean_{prediction.table}()",
        )


def _named(row: Mapping[str, object], prediction: Prediction) -> str:
    if prediction.id is not None and prediction.id in row:
        return f"'{row[prediction.id]}'"
    return f"the one of {row[prediction.at]}" if prediction.at is not None else "the first of them"


def _check_future(frame: pl.DataFrame, source: Source) -> None:
    """Nobody can know today what happens tomorrow: such values are mistakes, or labels made up."""
    horizon = utc_now().replace(tzinfo=None) + CLOCKS
    for moment, names in source.later.items():
        for name in (moment, *names):
            if name not in frame.columns:
                raise DataError(
                    f"table '{source.name}' has no column '{name}', which the canvas names under `later`",
                    f"table {source.name}",
                    did_you_mean(name, frame.columns),
                )
        filled = [pl.col(name).is_not_null() for name in names] or [pl.lit(True)]
        dated = frame.with_row_index("row").filter((pl.col(moment) > horizon) & pl.any_horizontal(filled))
        if dated.height:
            first = dated.row(0, named=True)
            raise DataError(
                f"{counted(dated.height, 'row')} of table '{source.name}' are labelled in the future, the first is "
                f"row {first['row'] + 1:,} with {moment} {first[moment]}",
                f"table {source.name}, column {moment}",
                f"mend the dates in clean_{source.name}(), or drop these rows",
            )
