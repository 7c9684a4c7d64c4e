"""Metrics of a yes-or-no question: y is 0 or 1, scores are probabilities of 1."""

from __future__ import annotations

import numpy as np

from threefold.records import TaskSpec
from threefold.training import metrics

NAN = float("nan")
TINY = 1e-15  # a probability is kept this far from 0 and 1, or one wrong certainty would make the loss infinite


@metrics.add("roc_auc", greater_is_better=True, problems=("binary",))
def roc_auc(y: np.ndarray, scores: np.ndarray, task: TaskSpec, threshold: float) -> float:
    """Probability that a random "yes" is scored above a random "no"; ties count half.

    Mann-Whitney: (sum of the ranks of the positives - p(p+1)/2) / (p n). Not defined with one class only.
    Source: Hanley and McNeil (1982), The Meaning and Use of the Area under a ROC Curve.
    """
    positives = int(np.sum(y == 1))
    negatives = len(y) - positives
    if not positives or not negatives:
        return NAN
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place]
    return float((ranks[y == 1].sum() - positives * (positives + 1) / 2) / (positives * negatives))


@metrics.add("brier", greater_is_better=False, problems=("binary",))
def brier(y: np.ndarray, scores: np.ndarray, task: TaskSpec, threshold: float) -> float:
    """Mean squared difference of probability and outcome; 0 is perfect, 0.25 is what a constant 0.5 gets."""
    return float(np.mean((scores - y) ** 2))


@metrics.add("calibration_gap", greater_is_better=False, problems=("binary",))
def calibration_gap(y: np.ndarray, scores: np.ndarray, task: TaskSpec, threshold: float) -> float:
    """|mean probability - share that came true|: whether the model promises too much or too little overall."""
    return float(abs(np.mean(scores) - np.mean(y)))


@metrics.add("calibration_error", greater_is_better=False, problems=("binary",))
def calibration_error(y: np.ndarray, scores: np.ndarray, task: TaskSpec, threshold: float) -> float:
    """Expected calibration error over ten bins of equal width, weighted by the rows in each.

    Source: Naeini, Cooper, Hauskrecht (2015), Obtaining Well Calibrated Probabilities Using Bayesian Binning.
    """
    bins = np.clip((scores * 10).astype(int), 0, 9)
    gaps = np.abs(np.bincount(bins, scores, 10) - np.bincount(bins, y, 10))
    return float(gaps.sum() / len(y))


@metrics.add("precision", greater_is_better=True, problems=("binary",))
def precision(y: np.ndarray, scores: np.ndarray, task: TaskSpec, threshold: float) -> float:
    """Share of the "yes" answers that were right. Not defined when there was none."""
    yes = scores >= threshold
    return float(np.mean(y[yes] == 1)) if yes.any() else NAN


@metrics.add("recall", greater_is_better=True, problems=("binary",))
def recall(y: np.ndarray, scores: np.ndarray, task: TaskSpec, threshold: float) -> float:
    """Share of the positives that were found. Not defined when there are none."""
    positives = y == 1
    return float(np.mean(scores[positives] >= threshold)) if positives.any() else NAN


@metrics.add("f1", greater_is_better=True, problems=("binary",))
def f1(y: np.ndarray, scores: np.ndarray, task: TaskSpec, threshold: float) -> float:
    """Harmonic mean of precision and recall: 2 tp / (2 tp + fp + fn). Not defined without any "yes" at all."""
    yes = scores >= threshold
    total = int(yes.sum() + (y == 1).sum())
    return float(2 * np.sum(yes & (y == 1)) / total) if total else NAN


@metrics.add("cost per prediction", greater_is_better=False, problems=("binary",))
def cost_per_prediction(y: np.ndarray, scores: np.ndarray, task: TaskSpec, threshold: float) -> float:
    """Mean cost of the mistakes, in the currency of the canvas. Not defined when the canvas names no costs."""
    if not task.mistakes:
        return NAN
    yes = scores >= threshold
    alarms = np.sum(yes & (y == 0)) * task.mistakes.get("false_positive", 0.0)
    misses = np.sum(~yes & (y == 1)) * task.mistakes.get("false_negative", 0.0)
    return float((alarms + misses) / len(y))
