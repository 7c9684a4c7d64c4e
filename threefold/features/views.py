"""Feature views: how a project says what a model may see."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

from threefold.data.calling import place_of
from threefold.data.words import did_you_mean
from threefold.design.canvas import Prediction, Source
from threefold.errors import DataError

MARK = "__threefold_view__"
EVERY_COLUMN = "columns"  # the view of a project that has none of its own

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class View:
    """One feature view. Three kinds: of the row itself, as of a moment, and of facts that do not change."""

    name: str
    function: Callable[..., Any] | None  # None: every permitted column of the prediction table
    table: str  # the table it reads
    key: tuple[str, ...] = ()  # empty: a row view
    known: str | None = None  # the column that says when a row of the view was known; None: facts that do not change
    max_age: timedelta | None = None  # what was known longer ago is not used
    age: str | None = None  # name of a further feature: hours since the row of the view was known

    @property
    def of_rows(self) -> bool:
        """Whether it computes from the row to predict alone."""
        return not self.key


@dataclass(frozen=True, slots=True)
class _Options:
    key: tuple[str, ...]
    known: str | None
    max_age: timedelta | None
    age: str | None


def view(
    *, key: str | Sequence[str], known: str | None = None, max_age: timedelta | None = None, age: str | None = None
) -> Callable[[F], F]:
    """Mark a function of features.py as a view that is joined by key, as of the moment of each prediction.

    The function takes one table, named by its parameter, and returns the key, the `known` column and its features.
    A prediction gets the newest row of its key that was known when it is made, that is at `at - ahead`. Where one
    key has several rows at one moment, the last in the order of the returned table counts.

    Args:
        key: the column or columns that the rows to predict have in common with the view.
        known: the column with the moment from which a row may be used. Without it the view holds facts that do not
            change, one row per key; it is then joined whatever the time.
        max_age: rows known longer ago than this are not used; the features are null instead.
        age: name of a further feature, the hours that have passed since the row was known.

    >>> @view(key="origin", known="observed_at")
    ... def weather_there(weather):
    ...     return weather.select("origin", "observed_at", "temp", "visib")
    """
    names = (key,) if isinstance(key, str) else tuple(key)

    def mark(function: F) -> F:
        setattr(function, MARK, _Options(names, known, max_age, age))
        return function

    return mark


def collect(
    functions: Mapping[str, Callable[..., Any]], prediction: Prediction, tables: Mapping[str, Source]
) -> tuple[View, ...]:
    """The views of a project.

    Args:
        functions: the public functions of its features.py, in source order; classes are passed over. When there are
            none, every permitted column of the prediction table is a feature.
        prediction: as the canvas has it.
        tables: the tables of the canvas.
    Raises:
        DataError: a function names no table, or its kind of view does not fit its table.
    """
    views = tuple(
        _view(name, function, prediction, tables)
        for name, function in functions.items()
        if inspect.isfunction(function)
    )
    return views or (View(EVERY_COLUMN, None, prediction.table),)


def _view(name: str, function: Callable[..., Any], prediction: Prediction, tables: Mapping[str, Source]) -> View:
    options: _Options | None = getattr(function, MARK, None)
    table = _table(name, function, tables)
    if options is None:
        if table != prediction.table:
            raise DataError(
                f"view '{name}' reads table '{table}' but does not say how its rows are found",
                place_of(function),
                f"put @view(key=..., known=...) above it; only views of '{prediction.table}' go without",
            )
        return View(name, function, table)
    _check_moment(name, function, options, tables[table], prediction)
    return View(name, function, table, options.key, options.known, options.max_age, options.age)


def _table(name: str, function: Callable[..., Any], tables: Mapping[str, Source]) -> str:
    """The table a view reads: its only parameter without a default."""
    parameters = [p.name for p in inspect.signature(function).parameters.values() if p.default is p.empty]
    if len(parameters) != 1:
        raise DataError(
            f"view '{name}' takes {len(parameters)} parameters, not one table",
            place_of(function),
            "let it take one table; a function that is no view starts with an underscore",
        )
    if parameters[0] not in tables:
        raise DataError(
            f"view '{name}' takes '{parameters[0]}', which is no table of the canvas",
            place_of(function),
            did_you_mean(parameters[0], tables, "tables") + "; a function that is no view starts with an underscore",
        )
    return parameters[0]


def _check_moment(
    name: str, function: Callable[..., Any], options: _Options, source: Source, prediction: Prediction
) -> None:
    """A table that changes needs a moment, and a moment needs a time to compare it with."""
    if options.known is None and (source.time is not None or source.later):
        raise DataError(
            f"view '{name}' does not say when its rows were known, but table '{source.name}' changes over time",
            place_of(function),
            f"write @view(key=..., known='{source.time or next(iter(source.later))}')",
        )
    if options.known is not None and prediction.at is None:
        raise DataError(
            f"view '{name}' is as of a moment, but the canvas does not say when predictions are made",
            place_of(function),
            "add `at: <time column>` under `predict`",
        )
    if options.known is None and (options.max_age or options.age):
        raise DataError(f"view '{name}' has an age but no moment", place_of(function), "add known='<time column>'")
