"""Candidates: ways of building a model, one file each.

Takes     a task, parameters and a seed.
Hands on  an Estimator that learns from a frame; `candidates.add` is the way in for a new one.
Start in  Candidate below, then linear.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import polars as pl

from threefold.records import TaskSpec
from threefold.training.family import Family


class Estimator(Protocol):
    """What a candidate builds.

    Promises: `fit` looks at the features of the task only; the same rows, parameters and seed give the same estimator;
    missing values and categories never seen are answered, not refused.
    """

    def fit(self, frame: pl.DataFrame, y: np.ndarray) -> Any:
        """Learn from rows and their encoded target."""

    def predict(self, frame: pl.DataFrame) -> np.ndarray:
        """One class number or value per row."""


class Candidate(Protocol):
    """One way of building a model."""

    def build(self, task: TaskSpec, params: Mapping[str, Any], seed: int) -> Estimator:
        """A fresh estimator with these parameters."""

    def space(self, task: TaskSpec) -> list[dict[str, Any]]:
        """The points of the search, best guess first; at least one, each plain JSON."""

    def cost_s(self, rows: int, width: int, task: TaskSpec) -> float:
        """Seconds that one fit is reckoned to take; a fixed rule, so that a search can be repeated elsewhere."""

    def lighter(self, point: Mapping[str, Any], share: float) -> dict[str, Any]:
        """The point made cheaper, where the budget pays only for a share (0 to 1) of it; itself where there is no way."""


family: Family[type[Candidate]] = Family("candidate", "threefold.training.candidates")
add = family.add
names = family.names


def make(name: str) -> Candidate:
    """A built-in candidate by name. Raises NotFound with the nearest name."""
    return family.get(name).thing()
