"""From which probability on "yes" costs least."""

from __future__ import annotations

import numpy as np

from threefold.records import TaskSpec


def cheapest(y: np.ndarray, scores: np.ndarray, task: TaskSpec) -> float:
    """The threshold with the lowest cost of mistakes on held-out scores.

    Every border between two neighbouring scores is tried. Where the canvas names no costs, or both classes are not
    there, it is 0.5.

    Args:
        y: 0 and 1, shape (n,). scores: probabilities of 1, shape (n,), of rows that were not learned from.
    Returns:
        A number strictly between 0 and 1, in the middle between two scores, so that the rounding of a packaged model
        does not turn an answer.
    """
    alarm, miss = task.mistakes.get("false_positive", 0.0), task.mistakes.get("false_negative", 0.0)
    if alarm <= 0 or miss <= 0 or len(np.unique(y)) < 2:
        return 0.5
    order = np.argsort(scores, kind="stable")
    ranked, labels = scores[order], y[order]
    # "yes" from position i on: the positives before it are missed, the negatives from it on are alarms.
    missed = np.concatenate([[0.0], np.cumsum(labels == 1)])
    alarms = np.sum(labels == 0) - np.concatenate([[0.0], np.cumsum(labels == 0)])
    cost = missed * miss + alarms * alarm
    border = np.concatenate([[True], ranked[1:] > ranked[:-1], [True]])
    best = int(np.flatnonzero(border)[np.argmin(cost[border])])
    low = ranked[best - 1] if best > 0 else 0.0
    high = ranked[best] if best < len(ranked) else 1.0
    return float(np.clip((low + high) / 2, 1e-6, 1 - 1e-6))
