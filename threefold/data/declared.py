"""The columns that the canvas names under `predict`, held against the table; refusals name its line."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from threefold.data.words import did_you_mean
from threefold.design.canvas import Prediction
from threefold.design.places import place
from threefold.errors import DataError

# Columns that the features carry for their own use. A table that had one would be mistaken for a table of features.
RESERVED = ("_id", "_at", "_target", "_cut", "_row", "_known")


def check_prediction(rows: pl.DataFrame, prediction: Prediction, canvas: Path) -> None:
    """Refuse a canvas that predicts from columns that are not there.

    Args:
        rows: the prediction table, clean.
        canvas: `threefold.yaml`.
    Raises:
        DataError: the first of the columns that is missing, with the nearest right name.
    """
    named = [("target", prediction.target), ("at", prediction.at), ("id", prediction.id)]
    named += [("leave out", name) for name in prediction.leave_out]
    for key, name in named:
        if name is not None and name not in rows.columns:
            what = f"table '{prediction.table}' has no column '{name}', which the canvas names under `{key}`"
            if key == "target":
                what = f"the target '{name}' is not in table '{prediction.table}'"
            known = [column for column in rows.columns if column not in RESERVED]
            raise DataError(what, place(canvas, "predict", key, item=name), did_you_mean(name, known))


def check_reserved(frame: pl.DataFrame, table: str, where: str) -> None:
    """Refuse a table with a column that has a name of ours.

    Raises:
        DataError: names the column.
    """
    taken = [name for name in frame.columns if name in RESERVED]
    if taken:
        other = taken[0].strip("_")
        raise DataError(
            f"table '{table}' has a column '{taken[0]}', a name that Threefold keeps for itself",
            where,
            f'rename it in the source, or in clean_{table} of data.py: {table}.rename({{"{taken[0]}": "{other}_"}})',
        )
