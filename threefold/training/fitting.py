"""Fit one candidate: search within the budget, judge over folds, learn from all rows."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from threefold.design.canvas import Training
from threefold.errors import DataError
from threefold.records import CandidateReport, TaskSpec
from threefold.training import columns, metrics, search
from threefold.training.candidates import Candidate
from threefold.training.curves import Points, curves
from threefold.training.folds import Fold, make_folds
from threefold.training.model import TrainedModel, scores_of
from threefold.training.project import faults, find
from threefold.training.search import Held
from threefold.training.task import encode_target
from threefold.training.threads import fixed_threads
from threefold.training.thresholds import cheapest

MIN_ROWS = 10
SAMPLE_ROWS = 256

Progress = Callable[[str], None]  # "boosting: search 2 of 5 (3 of 19 fits)"


def fit_candidate(
    name: str,
    frame: pl.DataFrame,
    task: TaskSpec,
    training: Training,
    budget_s: float,
    project: Mapping[str, Callable[..., Any]] | None = None,
    on_progress: Progress | None = None,
    *,
    run_id: str = "",
) -> tuple[TrainedModel, CandidateReport]:
    """Build the best model a candidate can give within its budget.

    The points of the search are compared on at most 20,000 rows; how many there are follows from the budget by a fixed
    reckoning (see search.py), so equal inputs give an equal model. The best one is judged on all rows, fold by fold,
    and learns once more from all of them.

    Args:
        name: a built-in candidate, or a function or class of the project.
        frame: features, `_target`, and `_at` where there is time.
        budget_s: for the search of this candidate.
        project: the functions and classes of model.py.
        on_progress: told in a few words what is being fitted.
        run_id: of the run that this fit is recorded as; goes into the report.
    Returns:
        The model, and its report.
    Raises:
        NotFound: no candidate has this name.
        DataError: there are too few rows, or one class only; or a prediction has the wrong shape.
        StepFailed: code of the project raised, with file and line.
    """
    started = time.perf_counter()
    with fixed_threads():
        bench = _Bench(name, frame, task, training, find(name, project or {}), on_progress)
        trials, chosen = bench.search(budget_s)
        held = bench.judge(chosen)
        estimator = bench.learn(frame, bench.y, chosen)
    y, scores = _pooled(held, bench.y)
    threshold = cheapest(y, scores, task) if task.problem == "binary" else None
    numbers = [metrics.compute(None, bench.y[part.rows], part.scores, task, threshold) for part in held]
    model = TrainedModel(name, task, estimator, threshold, bench.sample(), chosen, training.seed)
    report = CandidateReport(
        name=name,
        run_id=run_id,
        params=chosen,
        metrics=_means(numbers),
        folds=tuple({**values, "rows": len(part.rows)} for values, part in zip(numbers, held, strict=True)),
        trials=tuple(trials),
        curves={**curves(y, scores, task), **bench.learning(held)},
        duration_s=time.perf_counter() - started,
        threshold=threshold,
    )
    return model, report


class _Bench:
    """One candidate at work on one frame."""

    def __init__(
        self,
        name: str,
        frame: pl.DataFrame,
        task: TaskSpec,
        training: Training,
        candidate: Candidate,
        on_progress: Progress | None,
    ) -> None:
        self.name, self.frame, self.task, self.training, self.candidate = name, frame, task, training, candidate
        self.on_progress = on_progress
        self.done, self.planned = 0, 1
        columns.require(frame, task.features)
        self.y = encode_target(frame, task)
        _require_rows(self.y, task)
        self.folds = make_folds(frame, self.y, task, training.folds, training.seed)
        self.metric = training.metric or metrics.primary(task.problem)

    def search(self, budget_s: float) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        """Try the points the budget pays for; returns every trial, and the parameters of the best."""
        rows = search.thinned(self.frame.height)
        frame, y = self.frame[rows], self.y[rows]
        folds = make_folds(frame, y, self.task, self.training.folds, self.training.seed)
        width = _width(frame, self.task)
        cost = sum(self.candidate.cost_s(len(fold.train), width, self.task) for fold in folds)
        points = search.points_within(budget_s, cost, self.candidate.space(self.task))
        sizes = [len(fold.train) for fold in self.folds] + [self.frame.height]
        whole = sum(self.candidate.cost_s(size, width, self.task) for size in sizes)
        if whole > budget_s:  # judging and learning alone take more than the budget: nothing is left to search with
            points = [self.candidate.lighter(points[0], budget_s / whole)]
        self.planned = (len(points) * len(folds) if len(points) > 1 else 0) + len(self.folds) + 1
        if len(points) == 1 or not folds:
            return [], points[0]
        trials: list[dict[str, Any]] = []
        for point in points:
            held = self._judge(frame, y, folds, point, f"search {len(trials) + 1} of {len(points)}")
            trials.append(
                {"params": point, self.metric: search.mean_metric(self.metric, held, y, self.task), "rows": len(rows)}
            )
        return trials, search.best_of(trials, self.metric)

    def judge(self, params: dict[str, Any]) -> list[Held]:
        """Score every fold of the whole frame."""
        return self._judge(self.frame, self.y, self.folds, params, "cross-validation")

    def _judge(
        self, frame: pl.DataFrame, y: np.ndarray, folds: Sequence[Fold], params: dict[str, Any], note: str
    ) -> list[Held]:
        def score(train: np.ndarray, test: np.ndarray) -> np.ndarray:
            estimator = self.learn(frame[train], y[train], params, note)
            with faults(f"predict of candidate {self.name!r}"):
                return scores_of(estimator, frame[test], self.task, self.name)

        return search.judged(folds, score)

    def learn(self, frame: pl.DataFrame, y: np.ndarray, params: dict[str, Any], note: str = "all rows") -> Any:
        """A fresh estimator that has learned from these rows."""
        self.done += 1
        if self.on_progress:
            self.on_progress(f"{self.name}: {note} ({self.done} of {self.planned} fits)")
        estimator = self.candidate.build(self.task, params, self.training.seed)
        inputs = columns.canonical(frame, self.task.features)
        with faults(f"fit of candidate {self.name!r}"):
            fitted = estimator.fit(inputs, y)
        return fitted if hasattr(fitted, "predict") else estimator

    def sample(self) -> pl.DataFrame:
        """Some rows, spread evenly, features only."""
        rows = np.unique(np.linspace(0, self.frame.height - 1, SAMPLE_ROWS).astype(np.int64))
        return self.frame[rows].select([feature.name for feature in self.task.features])

    def learning(self, held: Sequence[Held]) -> dict[str, Points]:
        """Rows learned from against the metric, one point per fold; only where folds grow with time."""
        points = []
        for fold, part in zip(self.folds, held, strict=True):
            value = search.mean_metric(self.metric, [part], self.y, self.task)
            if value is not None:
                points.append((float(len(fold.train)), value))
        return {"learning": tuple(points)} if len({rows for rows, _ in points}) > 1 else {}


def _width(frame: pl.DataFrame, task: TaskSpec) -> int:
    """Columns for the reckoning of costs: ten letters of a text take about as long as a number."""
    letters = [columns.texts(frame, name).str.len_chars().mean() for name in columns.of_kind(task.features, "text")]
    return len(task.features) + sum(int(mean) // 10 for mean in letters if isinstance(mean, float))


def _require_rows(y: np.ndarray, task: TaskSpec) -> None:
    where = f"training rows for {task.target}"
    if len(y) < MIN_ROWS:
        raise DataError(f"there are {len(y)} rows to learn from; at least {MIN_ROWS} are needed", where, "add data")
    if task.problem != "regression" and len(np.unique(y)) < 2:
        only = task.classes[int(y[0])]
        raise DataError(
            f"every training row has the target {only!r}, so there is nothing to tell apart",
            where,
            "add rows with another outcome, or change the split",
        )


def _pooled(held: Sequence[Held], y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if not held:
        return y[:0], np.empty(0)
    rows = np.concatenate([part.rows for part in held])
    return y[rows], np.concatenate([part.scores for part in held])


def _means(folds: Sequence[Mapping[str, float]]) -> dict[str, float]:
    means: dict[str, float] = {}
    for name in sorted({name for fold in folds for name in fold}):
        values = [fold[name] for fold in folds if name in fold]
        means[name] = float(np.mean(values))
        means[f"{name}_std"] = float(np.std(values))
    return means
