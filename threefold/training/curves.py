"""Curves that show how good scores are, as points (x, y)."""

from __future__ import annotations

import numpy as np

from threefold.records import TaskSpec

Points = tuple[tuple[float, float], ...]
POINTS = 60  # a page needs no more
BINS = 10


def curves(y: np.ndarray, scores: np.ndarray, task: TaskSpec) -> dict[str, Points]:
    """The curves that fit the problem, from held-out scores: roc and calibration, or calibration alone.

    `calibration` pairs what was predicted with what came true, in ten groups of equal size: probabilities and shares
    for a binary task, the likeliest class's probability and the share of right answers for several classes, predicted
    and true means for a regression.
    """
    if len(y) == 0:
        return {}
    if task.problem == "multiclass":
        top = np.argmax(scores, axis=1)
        return {"calibration": calibration((top == y).astype(float), scores.max(axis=1))}
    if task.problem == "regression" or len(np.unique(y)) < 2:
        return {"calibration": calibration(y.astype(float), scores)}
    return {"roc": roc(y, scores), "calibration": calibration(y.astype(float), scores)}


def roc(y: np.ndarray, scores: np.ndarray) -> Points:
    """False positive rate against true positive rate, from (0, 0) to (1, 1), thinned to at most POINTS points."""
    order = np.argsort(-scores, kind="stable")
    labels, ranked = y[order], scores[order]
    last = np.append(ranked[1:] != ranked[:-1], True)  # equal scores are one point
    found = np.cumsum(labels == 1)[last] / max(1, int(np.sum(y == 1)))
    alarms = np.cumsum(labels == 0)[last] / max(1, int(np.sum(y == 0)))
    keep = np.unique(np.linspace(0, len(found) - 1, POINTS - 1).astype(int))
    return ((0.0, 0.0), *zip(alarms[keep].tolist(), found[keep].tolist(), strict=True))


def calibration(outcome: np.ndarray, predicted: np.ndarray) -> Points:
    """Mean prediction against mean outcome in groups of equal size, from low to high predictions."""
    order = np.argsort(predicted, kind="stable")
    groups = [part for part in np.array_split(order, BINS) if len(part)]
    return tuple((float(predicted[part].mean()), float(outcome[part].mean())) for part in groups)
