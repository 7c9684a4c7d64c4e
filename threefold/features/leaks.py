"""Refusing features that know the future: by time, and by being too good to be true."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import polars as pl

from threefold.data.knowledge import later_columns, source_of
from threefold.data.strength import AUC_LIMIT, ENOUGH_ROWS, RANK_LIMIT, strength
from threefold.data.words import did_you_mean
from threefold.design.canvas import Prediction, Source
from threefold.errors import LeakError, StepFailed
from threefold.features.views import View

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
        score = strength(column, target, "regression" if regression else "multiclass")
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
