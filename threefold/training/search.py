"""A bounded search that comes out the same on every machine.

A search that stops by the clock cannot be repeated: a busy minute would choose another model. So the number of points
follows from a fixed reckoning: what one fit of so many rows costs by the candidate's own rule, and how many of these
the budget pays for. A slow machine takes longer; it does not choose differently.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from threefold.records import TaskSpec
from threefold.training import metrics
from threefold.training.folds import Fold

SEARCH_ROWS = 20_000  # the search looks at no more rows than this; the chosen point is then judged on all


@dataclass(frozen=True, slots=True)
class Held:
    """Held-out rows with their scores."""

    rows: np.ndarray
    scores: np.ndarray


def points_within(budget_s: float, cost_s: float, space: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The first points of the space that the budget pays for; at least one."""
    affordable = int(budget_s / cost_s) if cost_s > 0 else len(space)
    return list(space[: max(1, affordable)])


def thinned(rows: int) -> np.ndarray:
    """Row numbers spread evenly over a table, at most SEARCH_ROWS of them."""
    if rows <= SEARCH_ROWS:
        return np.arange(rows)
    return np.linspace(0, rows - 1, SEARCH_ROWS).astype(np.int64)


def judged(folds: Sequence[Fold], score: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> list[Held]:
    """Score each fold's test rows with an estimator that learned from its train rows."""
    return [Held(fold.test, score(fold.train, fold.test)) for fold in folds]


def mean_metric(name: str, held: Sequence[Held], y: np.ndarray, task: TaskSpec) -> float | None:
    """The mean of a metric over the folds that can tell it; None when none can."""
    values = [metrics.compute([name], y[part.rows], part.scores, task).get(name) for part in held]
    told = [value for value in values if value is not None]
    return float(np.mean(told)) if told else None


def best_of(trials: Sequence[dict[str, Any]], metric: str) -> dict[str, Any]:
    """The parameters of the best trial; of equals the first, which is the plainer one."""
    told = [trial for trial in trials if trial[metric] is not None]
    if not told:
        return dict(trials[0]["params"])
    sign = 1 if metrics.greater_is_better(metric) else -1
    return dict(max(told, key=lambda trial: sign * trial[metric])["params"])
