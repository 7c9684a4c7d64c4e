"""Metrics: how good scores are, one file per problem.

Takes     the encoded target and the scores of a model.
Hands on  numbers by name; `compute` is the door, `metrics.add` the way in for a new one.
Start in  compute below, then binary.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import isfinite

import numpy as np

from threefold.errors import DataError
from threefold.records import Problem, TaskSpec
from threefold.training.family import Family

Metric = Callable[[np.ndarray, np.ndarray, TaskSpec, float], float]

family: Family[Metric] = Family("metric", "threefold.training.metrics")
add = family.add
names = family.names

DEFAULT: dict[Problem, str] = {"binary": "roc_auc", "multiclass": "log_loss", "regression": "rmse"}


def primary(problem: Problem) -> str:
    """What the search looks at when the canvas does not say."""
    return DEFAULT[problem]


def greater_is_better(name: str) -> bool:
    """Whether more of it is better. Raises NotFound for a name that is no metric."""
    return bool(family.get(name).facts["greater_is_better"])


def for_problem(problem: Problem) -> tuple[str, ...]:
    """The metrics that are defined for a kind of problem, sorted."""
    return tuple(name for name in names() if problem in family.get(name).facts["problems"])


def compute(
    wanted: Sequence[str] | None, y: np.ndarray, scores: np.ndarray, task: TaskSpec, threshold: float | None = None
) -> dict[str, float]:
    """Metrics of some scores.

    Args:
        wanted: names; None means every metric that is defined for the problem.
        y: shape (n,), as `task.encode_target` makes it; 0 and 1, class numbers, or values in the target's unit.
        scores: as TrainedModel.score makes them: (n,) or, for several classes, (n, k).
        threshold: binary only; a probability at or above it counts as "yes". None means 0.5.
    Returns:
        Finite numbers by name. A metric that these rows cannot tell (one class only, no rows, no costs in the
        canvas) is left out.
    Raises:
        NotFound: a wanted name is no metric.
        DataError: a wanted metric is not defined for this problem, or the shapes do not fit.
    """
    _check(y, scores)
    results: dict[str, float] = {}
    for name in for_problem(task.problem) if wanted is None else wanted:
        metric = family.get(name)
        if task.problem not in metric.facts["problems"]:
            raise DataError(
                f"metric {name!r} is not defined for a {task.problem} problem",
                f"target {task.target}",
                f"use one of: {', '.join(for_problem(task.problem))}",
            )
        value = metric.thing(y, scores, task, 0.5 if threshold is None else threshold) if len(y) else float("nan")
        if isfinite(value):
            results[name] = float(value)
    return results


def _check(y: np.ndarray, scores: np.ndarray) -> None:
    if len(y) != len(scores):
        raise DataError(
            f"{len(y)} target values stand against {len(scores)} scores",
            "metrics",
            "score the same rows that are judged",
        )
