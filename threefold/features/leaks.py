"""Refusing features that know the future: by time, and by being too good to be true."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import polars as pl

from threefold.data.knowledge import later_columns, source_of
from threefold.data.words import did_you_mean
from threefold.design.canvas import Prediction, Source
from threefold.errors import LeakError, StepFailed
from threefold.features.views import View

AUC_LIMIT = 0.98
RANK_LIMIT = 0.99
ENOUGH_ROWS = 50  # below, a perfect order is no rare accident
HEAD = ("_id", "_at", "_target")


# -------------------------------------------------------------------------------------------------------- by time


def permitted(rows: pl.DataFrame, prediction: Prediction, sources: Mapping[str, Source]) -> pl.DataFrame:
    """The rows without what is not known when their prediction is made: the target and the later columns."""
    unknown = {prediction.target, *later_columns(source_of(prediction.table, sources))}
    return rows.drop(unknown & set(rows.columns))


def known_with(view: View, table: pl.DataFrame, prediction: Prediction, source: Source) -> pl.DataFrame:
    """The table of a view without the columns that come after the view's own moment.

    A later column stays when its time is never after the view's `known` in any row: who has landed has departed.
    A moment that the view itself computes cannot be judged here; the future-blind check does. The target goes where
    the canvas does not say when it is known: a row could otherwise find its own.
    """
    later = later_columns(source)
    unknown = {prediction.target} if view.table == prediction.table and prediction.target not in later else set()
    if view.known is not None and view.known in table.columns:
        unknown |= {name for name, moment in later.items() if not _before(table, moment, view.known)}
    return table.drop(unknown & set(table.columns))


def _before(table: pl.DataFrame, moment: str, known: str) -> bool:
    return moment == known or bool(table.select((pl.col(moment) <= pl.col(known)).all()).item())


@contextmanager
def explained(
    view: View, columns: Sequence[str], prediction: Prediction, sources: Mapping[str, Source]
) -> Iterator[None]:
    """Turn "no such column" of a project function into the reason why the column is not there.

    Raises:
        LeakError: the column exists, but is not known when the prediction is made.
        StepFailed: the column does not exist; the nearest name is given.
    """
    try:
        yield
    except StepFailed as failed:
        name = _missing(failed.__cause__)
        if name is None:
            raise
        if name in later_columns(source_of(view.table, sources)) or _is_target(name, view, prediction):
            raise _leak(name, view, prediction, source_of(view.table, sources), failed.where) from failed.__cause__
        advice = did_you_mean(name, [column for column in columns if not column.startswith("_")])
        raise StepFailed(
            f"view '{view.name}' reads column '{name}', which table '{view.table}' does not have", failed.where, advice
        ) from failed.__cause__


def _is_target(name: str, view: View, prediction: Prediction) -> bool:
    return name == prediction.target and view.table == prediction.table


def _missing(error: BaseException | None) -> str | None:
    """The column that Polars did not find."""
    if not isinstance(error, pl.exceptions.ColumnNotFoundError):
        return None
    quoted = re.search(r'"([^"]+)"', str(error))
    return quoted.group(1) if quoted else None


def _leak(name: str, view: View, prediction: Prediction, source: Source, where: str) -> LeakError:
    moment = later_columns(source).get(name)
    out = f"take it out of view '{view.name}'"
    if view.of_rows:
        when = f"it is known only at {moment}" if moment else "it is what shall be predicted"
        earlier = f", or use values of earlier rows through @view(key=..., known='{moment}')" if moment else ""
        return LeakError(
            f"feature '{name}' would leak: {when}, the prediction is made {_made_at(prediction)}", where, out + earlier
        )
    if moment is None:
        return LeakError(
            f"column '{name}' would leak: it is what shall be predicted, and the canvas does not say when it is known",
            where,
            f"list it under `later` of table '{source.name}' with its time column, or {out}",
        )
    return LeakError(
        f"column '{name}' would leak: it is known only at {moment}, the rows of view '{view.name}' already at {view.known}",
        where,
        f"write known='{moment}' above the view, or leave the column out",
    )


def _made_at(prediction: Prediction) -> str:
    if prediction.at is None:
        return "before"
    hours = prediction.ahead.total_seconds() / 3600
    return f"{hours:g} h before {prediction.at}" if hours else f"at {prediction.at}"


# ----------------------------------------------------------------------------------------- too good to be true


def check(training: pl.DataFrame, prediction: Prediction, *, auc_limit: float = AUC_LIMIT) -> None:
    """Refuse a feature that alone tells the target nearly perfectly: it is most likely the target in disguise.

    Two classes are judged by the area under the ROC curve of the feature alone, several by the worst class against
    the rest, numbers by the rank correlation. Categories count by the mean target of each of their values.

    Args:
        training: features and `_target`; fewer than 50 rows are not judged.
        auc_limit: between 0.5 and 1.
    Raises:
        LeakError: with the feature and its number.
    """
    if training.height < ENOUGH_ROWS:
        return
    target = training["_target"]
    regression = prediction.problem == "regression" or (prediction.problem is None and _many_numbers(target))
    for column in training.drop(HEAD, strict=False):
        score = _rank_correlation(column, target) if regression else _worst_auc(column, target)
        if score >= (RANK_LIMIT if regression else auc_limit):
            measure = "rank correlation" if regression else "area under the ROC curve"
            raise LeakError(
                f"feature '{column.name}' alone tells '{prediction.target}' nearly perfectly ({measure} {score:.3f})",
                f"table {prediction.table}, column {column.name}",
                "it is most likely known only with the target: list it under `later` or `leave out` in the canvas; "
                "if it truly is known before, this is no task for a model",
            )


def _many_numbers(target: pl.Series) -> bool:
    return target.dtype.is_numeric() and target.n_unique() > 20


def _worst_auc(column: pl.Series, target: pl.Series) -> float:
    """The smallest, over the classes, area under the ROC curve of the feature alone; 0.5 is no knowledge."""
    classes = target.drop_nulls().unique()
    if not 2 <= len(classes) <= 20:
        return 0.5
    chosen = classes[:1] if len(classes) == 2 else classes
    return min(_auc(column, (target == label).cast(pl.Float64)) for label in chosen)


def _auc(column: pl.Series, label: pl.Series) -> float:
    values = _as_numbers(column, label)
    pair = pl.DataFrame({"x": values, "y": label}).drop_nulls()
    positives, rows = float(pair["y"].cast(pl.Float64).sum()), pair.height
    if rows < ENOUGH_ROWS or not 0 < positives < rows:
        return 0.5
    ranks = pair.select((pl.col("x").rank() * pl.col("y")).sum()).item()
    area = (ranks - positives * (positives + 1) / 2) / (positives * (rows - positives))
    return float(max(area, 1 - area))


def _rank_correlation(column: pl.Series, target: pl.Series) -> float:
    pair = pl.DataFrame({"x": _as_numbers(column, target.cast(pl.Float64)), "y": target}).drop_nulls()
    if pair.height < ENOUGH_ROWS or pair["x"].n_unique() < 2 or pair["y"].n_unique() < 2:
        return 0.0
    return abs(float(pair.select(pl.corr("x", "y", method="spearman")).item()))


def _as_numbers(column: pl.Series, target: pl.Series) -> pl.Series:
    """The column itself, or the mean target of each category; null where a category is too rare to mean anything."""
    if column.dtype != pl.String:
        return column
    if column.n_unique() > len(column) / 20:
        return pl.Series([None] * len(column), dtype=pl.Float64)
    mean = pl.when(pl.len().over("x") >= 20).then(pl.col("y").mean().over("x"))
    return pl.DataFrame({"x": column, "y": target}).select(mean).to_series()
