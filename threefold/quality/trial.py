"""The trial: the test rows, and what the candidate and its rivals say of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import polars as pl

from threefold.quality import sampling
from threefold.records import GateResult, TaskSpec
from threefold.training import metrics


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """What one model says of the test rows.

    Attributes:
        scores: as TrainedModel.score makes them, shape (n,) or (n, k).
        threshold: binary; a probability at or above it counts as "yes". None means 0.5.
    """

    scores: np.ndarray
    threshold: float | None = None

    @property
    def finite(self) -> np.ndarray:
        """Which rows have a finite answer: booleans, shape (n,)."""
        return (
            np.isfinite(self.scores.reshape(len(self.scores), -1)).all(axis=1)
            if len(self.scores)
            else np.empty(0, dtype=bool)
        )


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """Everything the gates may look at.

    Attributes:
        y: the encoded target of the test rows, shape (n,).
        candidate: the answers of the packaged model.
        rivals: "baseline" and "champion"; None where there is none.
        frame: the test rows with their features, in the same order.
        measures: what was measured on the packaged model: "parity", "latency p50" and "latency p99" in ms, "size".
        checks: what the project's own checks said, by the name of the function.
        known: metrics that were computed, so that many gates on one metric cost one.
    """

    y: np.ndarray
    candidate: Answers
    rivals: Mapping[str, Answers | None]
    task: TaskSpec
    frame: pl.DataFrame
    measures: Mapping[str, float] = field(default_factory=dict)
    checks: Mapping[str, GateResult] = field(default_factory=dict)
    known: dict[str, list[float]] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """How many test rows there are."""
        return len(self.y)

    @property
    def broken(self) -> int:
        """How many test rows the candidate gives no finite answer to."""
        return self.rows - int(np.sum(self.candidate.finite))

    def metric(self, name: str, answers: Answers, rows: np.ndarray | None = None) -> float:
        """A metric of some answers, on some rows; NaN where it cannot be told."""
        y, scores = (self.y, answers.scores) if rows is None else (self.y[rows], answers.scores[rows])
        return metrics.compute([name], y, scores, self.task, answers.threshold).get(name, float("nan"))

    def all_metrics(self) -> dict[str, float]:
        """Every metric of the candidate that is defined for the problem; none when an answer is not finite."""
        if self.broken:
            return {}
        return metrics.compute(None, self.y, self.candidate.scores, self.task, self.candidate.threshold)

    def resampled(self, name: str) -> list[float]:
        """A metric of the candidate on each resample of `sampling.draws`."""
        if name not in self.known:
            self.known[name] = [self.metric(name, self.candidate, rows) for rows in sampling.draws(self.rows)]
        return self.known[name]

    def only(self, rows: np.ndarray) -> Trial:
        """The same trial on some of the rows, without rivals. The argument is booleans, shape (n,)."""
        candidate = replace(self.candidate, scores=self.candidate.scores[rows])
        frame = self.frame.filter(pl.Series(rows))
        return replace(self, y=self.y[rows], candidate=candidate, rivals={}, frame=frame, known={})
