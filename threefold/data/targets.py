"""The target of a table that starts a project: what kind of problem it poses, and whether it can be learned at all."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from threefold.data.words import counted, counted_as, did_you_mean, listing
from threefold.errors import DataError
from threefold.records import Problem

NEEDED = 20  # rows with a target: fewer cannot be split into a test, folds, and something to learn from
NEEDED_OF_A_CLASS = 5
MAX_CLASSES = 100
FEW_VALUES = 10  # whole numbers with at most this many values are classes, as in training/task.py
YES = ("true", "1", "yes", "y", "t")


def check_target(frame: pl.DataFrame, table: str, target: str, where: str) -> None:
    """Refuse a target that is not there, stands alone, or is empty. Raises DataError."""
    if target not in frame.columns:
        what = f"table '{table}' has no column '{target}' to predict"
        raise DataError(what, where, did_you_mean(target, frame.columns))
    if frame.width == 1:
        do = "bring columns that are known before the outcome"
        raise DataError(f"table '{table}' has no column but the target '{target}'", where, do)
    if frame[target].null_count() == frame.height:
        do = "name another column, or fill it in"
        raise DataError(f"the target '{target}' has no value in any row", f"{where}, column {target}", do)


def labelled_rows(rows: pl.DataFrame, table: str, target: str, where: str) -> pl.DataFrame:
    """The rows that have a target. Raises DataError where they are too few, or all alike."""
    labelled = _with_target(rows, target)
    if labelled[target].n_unique() == 1:
        what = f"the target '{target}' is '{shortened(labelled[target][0])}' in every row"
        do = "add rows with another outcome; there is nothing to tell apart"
        raise DataError(what, f"{where}, column {target}", do)
    if labelled.height < NEEDED:
        what = f"table '{table}' has {counted(labelled.height, 'different row')} with a target, at least {NEEDED} are needed"
        raise DataError(what, where, "bring more rows; a model that means something needs some hundreds")
    return labelled


def _with_target(rows: pl.DataFrame, target: str) -> pl.DataFrame:
    return rows.filter(pl.col(target).is_not_null())


def shortened(value: object) -> str:
    """A value as text, cut after 30 characters."""
    text = str(value)
    return text if len(text) <= 30 else text[:29] + "…"


def holds_nested(frame: pl.DataFrame) -> bool:
    """Whether rows cannot be compared as a whole: a column holds lists, records or Python objects."""
    return any(dtype.is_nested() or dtype == pl.Object for dtype in frame.dtypes)


def problem_of(target: pl.Series, name: str, where: str) -> Problem:
    """Two labels are binary; more labels, or few whole numbers, are classes; other numbers a regression.

    Raises:
        DataError: it is a time, has too many labels, or too few rows of one.
    """
    place = f"{where}, column {name}"
    if target.dtype.is_temporal() or target.dtype.is_nested():
        do = "predict a number, as the days until then, or a yes or no"
        raise DataError(f"the target '{name}' holds {target.dtype}, which cannot be predicted", place, do)
    unique, numeric = target.n_unique(), target.dtype.is_numeric()
    if numeric:
        whole = target.dtype.is_integer() or bool((target.round() == target).all())
        zero_one = unique == 2 and set(target.unique().to_list()) <= {0, 1}
        if not zero_one and not (whole and unique <= FEW_VALUES and len(target) >= 5 * unique):
            return "regression"
    if unique > MAX_CLASSES:
        do = "check that this is the target; or group the rare labels into one"
        raise DataError(
            f"the target '{name}' has {unique:,} different labels, {MAX_CLASSES} can be told apart", place, do
        )
    counts = target.value_counts(sort=True)
    if unique == 2 and counts["count"][1] < NEEDED_OF_A_CLASS:
        what = f"only {counted_as(counts['count'][1], 'row', 'have')} the target '{counts[target.name][1]}', {NEEDED_OF_A_CLASS} are needed"
        raise DataError(what, place, "bring more rows of the rare outcome")
    return "binary" if unique == 2 else "multiclass"


def positive_of(target: pl.Series) -> str:
    """The label that counts as "yes", as training would choose it: a word for yes, otherwise the rarer one."""
    counts = {_label(value): count for value, count in target.value_counts().sort(target.name).iter_rows()}
    said = [label for label in counts if label.lower() in YES]
    return said[0] if len(said) == 1 else min(counts, key=lambda label: counts[label])


def _label(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def rare_labels(target: pl.Series) -> Iterator[str]:
    """A sentence about labels that stand on too few rows; none where all have enough."""
    counts = target.value_counts(sort=True)
    rare = counts.filter(pl.col("count") < NEEDED_OF_A_CLASS)[target.name]
    if len(rare):
        names = listing((f"'{value}'" for value in rare), at_most=5)
        yield f"hard to learn, on fewer than {NEEDED_OF_A_CLASS} rows each: {names}"
