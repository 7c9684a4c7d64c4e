"""Rivals: how much better the candidate is than the baseline or the champion, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from threefold.quality import sampling
from threefold.quality.trial import Answers, Trial
from threefold.training import metrics


@dataclass(frozen=True, slots=True)
class Gain:
    """The candidate against one rival, on the same rows.

    Attributes:
        gain: in the direction of the metric: positive is better, also where smaller values are better.
        interval: of the gain, 95 %; None where the rows are too few to tell.
        rows: how many both have a finite answer to.
    """

    candidate: float
    rival: float
    gain: float
    interval: tuple[float, float] | None
    rows: int


def compare(trial: Trial, metric: str, rival: Answers) -> Gain | None:
    """The gain over a rival, with a paired bootstrap: both are resampled together. None where it cannot be told.

    Rows to which the rival has no finite answer are left out for both. The candidate's answers must be finite.
    """
    sound = rival.finite
    if not np.all(sound):
        trial, rival = trial.only(sound), Answers(rival.scores[sound], rival.threshold)
    own, other = trial.metric(metric, trial.candidate), trial.metric(metric, rival)
    if not np.isfinite(own - other):
        return None
    sign = 1.0 if metrics.greater_is_better(metric) else -1.0
    theirs = [trial.metric(metric, rival, rows) for rows in sampling.draws(trial.rows)]
    gains = [sign * (a - b) for a, b in zip(trial.resampled(metric), theirs, strict=True)]
    gain = sign * (own - other)
    return Gain(own, other, gain, sampling.interval(gains, gain, trial.rows), trial.rows)
