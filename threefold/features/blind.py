"""The future-blind check: take the future away, and see whether a feature changes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import polars as pl

from threefold.data.calling import place_of
from threefold.data.knowledge import known, source_of
from threefold.data.split import ID, identified, time_of
from threefold.design.canvas import Prediction, Source
from threefold.errors import Finding
from threefold.features.building import AT, build, feature_words
from threefold.features.views import View

MOMENTS = 3
ROWS_PER_MOMENT = 20
TOLERANCE = 1e-4  # relative; sums in Float32 may differ in their last digits


def check_future_blind(
    views: Sequence[View],
    tables: Mapping[str, pl.DataFrame],
    rows: pl.DataFrame,
    prediction: Prediction,
    sources: Mapping[str, Source],
    *,
    moments: int = MOMENTS,
) -> tuple[Finding, ...]:
    """Compute some rows again with everything after their moment removed; each feature must stay what it was.

    This finds what no list of columns can: a mean over the whole table, a window around the moment, a fill from
    below. It also finds views of the row that look at the other rows of their batch.

    Args:
        rows: of the prediction table; a few moments are picked from them, spread evenly.
        moments: how many; each computes the views once on what was known then.
    Returns:
        One finding per feature that changed, with the first row that shows it; empty when all is well.
    """
    rows = identified(rows, prediction)
    together = build(views, tables, rows, prediction, sources)
    found: dict[str, Finding] = {}
    for picked, cut in _picked(rows, prediction, moments):
        past = {name: _past(name, table, views, source_of(name, sources), cut) for name, table in tables.items()}
        alone = build(views, past, picked, prediction, sources)
        among = together.filter(pl.col(ID).is_in(picked[ID].to_list()))
        for finding in _changed(views, among, alone, cut):
            found.setdefault(finding[0], finding[1])
    return tuple(found.values())


def _picked(rows: pl.DataFrame, prediction: Prediction, moments: int) -> Iterator[tuple[pl.DataFrame, datetime | None]]:
    """A few rows of each of some moments, with the moment their predictions are made."""
    if prediction.at is None:
        yield rows.gather_every(max(1, rows.height // ROWS_PER_MOMENT)).head(ROWS_PER_MOMENT), None
        return
    times = time_of(rows, prediction)
    ordered = times.sort()
    places = [round((len(ordered) - 1) * (step + 1) / (moments + 1)) for step in range(moments)]
    for moment in sorted({ordered[place] for place in places}):
        yield rows.filter(times == moment).head(ROWS_PER_MOMENT), moment - prediction.ahead


def _past(name: str, table: pl.DataFrame, views: Sequence[View], source: Source, cut: datetime | None) -> pl.DataFrame:
    """A table as it was at the cut; where the canvas knows no time of it, the moment that a view names counts."""
    moments = [view.known for view in views if view.table == name and view.known in table.columns]
    if cut is None or source.time is not None or source.later or not moments:
        return known(table, source, cut)
    return table.filter(pl.col(moments[0]) <= cut)


def _changed(
    views: Sequence[View], among: pl.DataFrame, alone: pl.DataFrame, cut: datetime | None
) -> Iterator[tuple[str, Finding]]:
    for column in among.drop(ID, AT):
        other = alone[column.name]
        differs = ~_equal(column, other)
        if differs.any():
            row = int(differs.arg_true()[0])
            yield column.name, _finding(views, column.name, among[ID][row], column[row], other[row], cut)


def _equal(column: pl.Series, other: pl.Series) -> pl.Series:
    if column.dtype != pl.Float32:
        return column.eq_missing(other)
    near = (column - other).abs() <= TOLERANCE * (1 + column.abs())
    return near.fill_null(False) | (column.is_null() & other.is_null())


def _finding(views: Sequence[View], name: str, row: str, seen: Any, alone: Any, cut: datetime | None) -> Finding:
    spec = next((maker for maker in views if name in feature_words(maker)), None)
    place = place_of(spec.function) if spec is not None and spec.function is not None else "features.py"
    without = f"with only what was known at {cut}" if cut is not None else "computed without the other rows"
    return Finding(
        what=f"feature '{name}' of row '{row}' is {_shown(seen)}, and {_shown(alone)} {without}: it looks "
        + ("into the future" if cut is not None else "at the other rows"),
        where=place,
        do="use only the row itself, or windows that end at the row's own moment, as rolling_mean_by() does",
    )


def _shown(value: Any) -> str:
    return "null" if value is None else f"{value:.4g}" if isinstance(value, float) else repr(value)
