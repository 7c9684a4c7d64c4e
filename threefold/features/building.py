"""Building features: the one definition for training sets and for online requests."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

import polars as pl

from threefold.data.calling import call, place_of
from threefold.data.knowledge import check_labels, source_of
from threefold.data.profile import is_prose
from threefold.data.split import ID, identified, time_of
from threefold.data.words import counted, did_you_mean, listing
from threefold.design.canvas import Prediction, Source
from threefold.errors import DataError, StepFailed
from threefold.features import leaks
from threefold.features.joining import CUT, join
from threefold.features.views import EVERY_COLUMN, View
from threefold.records import FeatureSpec

AT = "_at"  # the moment a prediction is about; null where the project knows no time
TARGET = "_target"


def build(
    views: Sequence[View],
    tables: Mapping[str, pl.DataFrame],
    rows: pl.DataFrame,
    prediction: Prediction,
    sources: Mapping[str, Source],
) -> pl.DataFrame:
    """The features of some rows, each as it was known when its prediction is made.

    Args:
        views: of the project, in the order the features shall have.
        tables: every clean table that a view reads, with all the rows known so far.
        rows: of the prediction table; label columns may be there or not, no view of the row sees them.
        prediction: says when a prediction is made: `ahead` before `at`.
        sources: as the canvas has them; they say which columns are known only later.
    Returns:
        One row per row, in their order: `_id` (text), `_at` (moment or null), then the features: numbers as Float32,
        categories and text as String, null where nothing was known.
    Raises:
        LeakError: a view uses what is not known when the prediction is made.
        StepFailed: a function of the project raised, or returned no table.
        DataError: what it returned does not fit.
    """
    rows = identified(rows, prediction)
    asked = _with_cut(leaks.permitted(rows, prediction, sources), prediction)
    head = [rows[ID].cast(pl.String), _moments(rows, prediction)]
    features: dict[str, tuple[str, pl.Series]] = {}
    for view in views:
        made = _features(view, tables, asked, prediction, sources)
        for column in made:
            if column.name in features:
                raise _made_twice(column.name, features[column.name][0], view)
            features[column.name] = (view.name, as_feature(column, view))
    return pl.DataFrame([*head, *(column for _, column in features.values())])


def training_frame(
    views: Sequence[View],
    tables: Mapping[str, pl.DataFrame],
    rows: pl.DataFrame,
    prediction: Prediction,
    sources: Mapping[str, Source],
) -> pl.DataFrame:
    """The features of labelled rows, with their label in a column `_target`; rows without a label are dropped.

    Raises:
        DataError: the target is not in the table, no row has one, a label was known before its prediction, or a
            feature holds no value at all; and what `build` raises.
    """
    if prediction.target not in rows.columns:
        raise DataError(
            f"the target '{prediction.target}' is not in table '{prediction.table}'",
            f"table {prediction.table}",
            did_you_mean(prediction.target, rows.columns),
        )
    labelled = identified(rows, prediction).filter(pl.col(prediction.target).is_not_null())
    if labelled.is_empty():
        raise DataError(
            f"no row of table '{prediction.table}' has a value of the target '{prediction.target}'",
            f"table {prediction.table}, column {prediction.target}",
            "check that the label is filled in, and that it had arrived by the moment the data are seen from",
        )
    check_labels(labelled, prediction, sources)
    frame = build(views, tables, labelled, prediction, sources)
    _check_filled(frame, views)
    return frame.with_columns(labelled[prediction.target].alias(TARGET))


def specs(frame: pl.DataFrame, views: Sequence[View]) -> tuple[FeatureSpec, ...]:
    """What the features of a frame are: number, category or text, and which view makes them.

    The view is the one whose source names the feature; it is left empty where two do.
    """
    words = {view: feature_words(view) for view in views}
    return tuple(_spec(column, views, words) for column in frame if column.name not in (ID, AT, TARGET))


# ------------------------------------------------------------------------------------------------------ one view


def _features(
    view: View,
    tables: Mapping[str, pl.DataFrame],
    asked: pl.DataFrame,
    prediction: Prediction,
    sources: Mapping[str, Source],
) -> pl.DataFrame:
    if view.function is None:
        return every_column(asked.drop(CUT), prediction)
    if view.of_rows:
        with leaks.explained(view, asked.columns, prediction, sources):
            made = call(view.function, asked.drop(CUT, ID), f"view '{view.name}'")
        return _same_height(view, made, asked.height)
    if view.table not in tables:
        raise DataError(
            f"view '{view.name}' reads table '{view.table}', which is not at hand",
            place_of(view.function),
            did_you_mean(view.table, tables, "tables"),
        )
    table = leaks.known_with(view, tables[view.table], prediction, source_of(view.table, sources))
    with leaks.explained(view, table.columns, prediction, sources):
        made = call(view.function, table, f"view '{view.name}'")
    return join(view, made, asked)


def every_column(rows: pl.DataFrame, prediction: Prediction) -> pl.DataFrame:
    """The features of a project without views: every column that is there, times as month, weekday and hour."""
    left_out = {ID, prediction.id, *prediction.leave_out}
    expressions: list[pl.Expr] = []
    for name, dtype in rows.schema.items():
        if name in left_out or dtype.is_nested() or dtype in (pl.Duration, pl.Time, pl.Binary, pl.Object):
            continue
        if dtype.is_temporal():
            expressions += [part for part in _calendar(name, dtype) if part.meta.output_name() not in rows.columns]
        else:
            expressions.append(pl.col(name))
    return rows.select(expressions)


def _calendar(name: str, dtype: pl.DataType) -> Iterator[pl.Expr]:
    yield pl.col(name).dt.month().alias(f"{name}_month")
    yield pl.col(name).dt.weekday().alias(f"{name}_weekday")
    if dtype != pl.Date:
        yield pl.col(name).dt.hour().alias(f"{name}_hour")


def _same_height(view: View, made: pl.DataFrame, height: int) -> pl.DataFrame:
    if made.height == height:
        return made
    assert view.function is not None
    if not made.width:
        raise StepFailed(
            f"view '{view.name}' returned no column", place_of(view.function), "return at least one feature"
        )
    raise StepFailed(
        f"view '{view.name}' returned {counted(made.height, 'row')} for {counted(height, 'row')}",
        place_of(view.function),
        "return one row per row, in their order, as .select() does; views that group need @view(key=..., known=...)",
    )


def as_feature(column: pl.Series, view: View) -> pl.Series:
    """A column in one of the two types a model takes: Float32 or String.

    Raises:
        DataError: it is a time, a list or something else that is neither.
    """
    dtype = column.dtype
    if dtype.is_numeric() or dtype in (pl.Boolean, pl.Null):
        # A division by zero is no value: both engines and the contract treat it as missing.
        numbers = column.cast(pl.Float32)
        if (
            column.dtype == pl.Float64
            and (too_large := column.filter(column.is_finite() & numbers.is_infinite())).len()
        ):
            raise DataError(
                f"feature '{column.name}' holds {too_large[0]:g}, and a model's numbers end at 3.4e38",
                place_of(view.function) if view.function else f"table {view.table}, column {column.name}",
                "mend such values, or take the logarithm of the column",
            )
        return numbers.set(~numbers.is_finite(), None) if not numbers.is_finite().all() else numbers
    if dtype in (pl.String, pl.Categorical, pl.Enum):
        return column.cast(pl.String)
    advice = "take hours, weekday or a difference in minutes of it" if dtype.is_temporal() else "return plain columns"
    where = place_of(view.function) if view.function else f"table {view.table}"
    raise DataError(f"feature '{column.name}' is a {dtype}, a model takes numbers and text", where, advice)


# ------------------------------------------------------------------------------------------------- rows and times


def _with_cut(rows: pl.DataFrame, prediction: Prediction) -> pl.DataFrame:
    if prediction.at is None:
        return rows.with_columns(pl.lit(None, pl.Datetime("us")).alias(CUT))
    return rows.with_columns((time_of(rows, prediction) - prediction.ahead).alias(CUT))


def _moments(rows: pl.DataFrame, prediction: Prediction) -> pl.Series:
    if prediction.at is None:
        return pl.Series(AT, [None] * rows.height, pl.Datetime("us"))
    return time_of(rows, prediction).alias(AT)


# -------------------------------------------------------------------------------------------------------- refusals


def _made_twice(name: str, first: str, view: View) -> DataError:
    where = place_of(view.function) if view.function else f"table {view.table}"
    return DataError(f"the views '{first}' and '{view.name}' both make a feature '{name}'", where, "rename one of them")


def _check_filled(frame: pl.DataFrame, views: Sequence[View]) -> None:
    features = [column for column in frame if column.name not in (ID, AT)]
    if not features:
        raise DataError("there is no feature to learn from", "features.py", "let a view return at least one column")
    empty = [column.name for column in features if column.null_count() == len(column)]
    if empty:
        of_columns = [view.name for view in views] == [EVERY_COLUMN]
        raise DataError(
            f"feature '{empty[0]}' has no value in any of {counted(frame.height, 'row')}"
            + (f", and so have {listing(empty[1:])}" if empty[1:] else ""),
            f"view {', '.join(view.name for view in views)}",
            "list it under `leave out` in the canvas" if of_columns else "check the view's key and moment, or drop it",
        )


# ------------------------------------------------------------------------------------------------------------ specs


def _spec(column: pl.Series, views: Sequence[View], words: Mapping[View, set[str]]) -> FeatureSpec:
    makers = [view for view in views if column.name in words[view]] if len(views) > 1 else list(views)
    maker = makers[0] if len(makers) == 1 else None
    if column.dtype != pl.String:
        return FeatureSpec(column.name, "number", maker.name if maker else "", maker.table if maker else "")
    kind: Literal["text", "category"] = "text" if is_prose(column) else "category"
    return FeatureSpec(column.name, kind, maker.name if maker else "", maker.table if maker else "")


def feature_words(view: View) -> set[str]:
    """Every name and text in the source of a view: where a feature's name must stand."""
    found: set[str] = {view.age} if view.age else set()
    if view.function is None:
        return found
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(view.function)))
    except (OSError, SyntaxError):
        return found
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg:
            found.add(node.arg)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.add(node.value)
    return found - {*view.key, view.known}
