"""How much one column alone tells about the target: the mark of a leak, and of a good heuristic."""

from __future__ import annotations

import polars as pl

from threefold.records import Problem

AUC_LIMIT = 0.98  # at or above, a column alone is taken for the target in disguise
RANK_LIMIT = 0.99  # the same, where the target is a number
ENOUGH_ROWS = 50  # below, a perfect order is no rare accident
MAX_CLASSES = 20  # with more, one column cannot tell them all
RARE = 20  # a category with fewer rows says little about its mean


def strength(column: pl.Series, target: pl.Series, problem: Problem) -> float:
    """How well a column alone orders the target.

    Two classes: area under the ROC curve, 0.5 to 1, whichever way round. Several: that of the class which is told
    worst from the rest. Numbers: absolute rank correlation, 0 to 1. Categories count by the mean target of each of
    their values.

    Args:
        column: numbers or strings, shape (n,); nulls are passed over.
        target: shape (n,).
        problem: "regression" ranks numbers; the others tell classes apart, however many there are.
    Returns:
        0.5, or 0 for numbers, where there are too few rows to judge.
    """
    if problem == "regression":
        return _rank_correlation(column, target)
    classes = target.drop_nulls().unique().sort()
    if not 2 <= len(classes) <= MAX_CLASSES:
        return 0.5
    chosen = classes[:1] if len(classes) == 2 else classes
    return min(_auc(column, (target == label).cast(pl.Float64)) for label in chosen)


def _auc(column: pl.Series, label: pl.Series) -> float:
    pair = pl.DataFrame({"x": _as_numbers(column, label), "y": label}).drop_nulls()
    positives, rows = float(pair["y"].sum()), pair.height
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
    if column.n_unique() > len(column) / RARE:
        return pl.Series([None] * len(column), dtype=pl.Float64)
    mean = pl.when(pl.len().over("x") >= RARE).then(pl.col("y").mean().over("x"))
    return pl.DataFrame({"x": column, "y": target}).select(mean).to_series()
