"""The rules: what each cause of an alert looks at in one window.

A rule turns a report into a reading, or into None where the window cannot tell: too few rows, labels not in yet. Whether
somebody is told is decided over several readings, in alerts.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt
from typing import Literal

from threefold.design.canvas import Watching
from threefold.monitoring.backtest import GAP
from threefold.monitoring.reference import PREDICTION
from threefold.monitoring.windows import (
    BROKEN_INPUTS,
    ERROR,
    EXPECTED,
    FALLBACK,
    GONE,
    LIMIT,
    MEAN,
    SHARE,
    STOPPED,
    UNANSWERED,
    judged_rows,
    labelled_share,
)
from threefold.records import TaskSpec, WindowReport
from threefold.training import metrics

MATURE = 0.8  # a window counts for quality when so many of its outcomes are known
BROKEN_LIMIT = 0.1  # share of rows that break what the inputs promised
UNANSWERED_LIMIT = 0.05  # share of rows that the model did not answer
# Metrics that fall with the calibration alone: when that is called, they are the same cause.
OF_CALIBRATION = ("brier", "calibration_error", "calibration_gap", "cost per prediction", "log_loss")

Severity = Literal["page", "digest"]


@dataclass(frozen=True, slots=True)
class Reading:
    """What one rule saw in one window.

    Attributes:
        value: how far off, with its sign, in the unit of the limit.
        error: its standard error; 0 where the interval was already looked at.
        over: whether the window alone is over the limit.
        about: what was read: a metric or a column.
        now, before: the numbers behind the value, for the sentence.
    """

    report: WindowReport
    value: float
    limit: float
    error: float
    over: bool
    about: str = ""
    now: float = 0.0
    before: float = 0.0


@dataclass(frozen=True, slots=True)
class Rule:
    """One cause, and how it is read.

    Attributes:
        by_version: a new model version starts afresh, and its takeover closes what was open.
    """

    cause: str
    severity: Severity
    read: Callable[[WindowReport, Watching, TaskSpec], Reading | None]
    by_version: bool = True


def calibration(report: WindowReport, watching: Watching, task: TaskSpec) -> Reading | None:
    """Mean prediction minus the share that came true."""
    told = report.metrics
    error = told.get(f"{GAP} {ERROR}")
    if watching.calibration is None or error is None or not _mature(report, watching):
        return None
    gap = told[MEAN] - told[SHARE]
    over = abs(gap) > watching.calibration
    return Reading(report, gap, watching.calibration, error, over, GAP, told[MEAN], told[SHARE])


def decay(report: WindowReport, watching: Watching, task: TaskSpec) -> Reading | None:
    """The watched metric that lost most against the acceptance test, measured by its own limit."""
    if not _mature(report, watching):
        return None
    read = [_drop(report, name, limit) for name, limit in sorted(watching.drops.items())]
    known = [one for one in read if one is not None]
    return max(known, key=lambda one: one.value / one.limit, default=None)


def decay_of(name: str) -> Callable[[WindowReport, Watching, TaskSpec], Reading | None]:
    """The rule of one watched metric."""

    def read(report: WindowReport, watching: Watching, task: TaskSpec) -> Reading | None:
        return _drop(report, name, watching.drops[name]) if _mature(report, watching) else None

    return read


def prediction_drift(report: WindowReport, watching: Watching, task: TaskSpec) -> Reading | None:
    """How far the predictions moved, while no labels can say whether they are right to.

    Once the labels are in, calibration and decay answer that question better, and this rule is calm.
    """
    drift = next((one for one in report.drift if one.column == PREDICTION), None)
    if drift is None or not _enough(report, watching):
        return None
    vouched = any(rule(report, watching, task) is not None for rule in (calibration, decay))
    return Reading(report, drift.score, watching.drift, 0.0, drift.drifted and not vouched, PREDICTION)


def input_checks(report: WindowReport, watching: Watching, task: TaskSpec) -> Reading | None:
    """Inputs that went missing, or rows that break what the inputs promised; a new season does neither."""
    if not _enough(report, watching):
        return None
    broken = _share(report, report.checks.get(BROKEN_INPUTS, 0) / report.rows, BROKEN_LIMIT, "")
    gone = [one for one in report.drift if f"{GONE}{one.column}" in report.checks]
    if not gone or broken.over:
        return broken
    worst = max(gone, key=lambda one: one.nulls_after - one.nulls_before)
    limit = report.metrics[f"{GONE}{worst.column} {LIMIT}"]
    return Reading(report, worst.nulls_after, limit, 0.0, True, worst.column, float(len(gone)), worst.nulls_before)


def answers(report: WindowReport, watching: Watching, task: TaskSpec) -> Reading | None:
    """Rows that the model did not answer itself, though nobody had stopped it."""
    asked = report.rows - report.checks.get(STOPPED, 0)
    if asked < watching.min_rows:
        return None
    failed = report.checks.get(FALLBACK, 0) + report.checks.get(UNANSWERED, 0)
    return _share(report, failed / asked, UNANSWERED_LIMIT, "")


def feature_drift(report: WindowReport, watching: Watching, task: TaskSpec) -> Reading | None:
    """Whether features lie beyond the limit."""
    features = [one for one in report.drift if one.column != PREDICTION]
    if not _enough(report, watching) or not features:
        return None
    moved = [one for one in features if one.drifted]
    furthest = max(features, key=lambda one: one.score)
    return Reading(report, furthest.score, watching.drift, 0.0, bool(moved), furthest.column, float(len(moved)))


def too_few_rows(report: WindowReport, watching: Watching, task: TaskSpec) -> Reading | None:
    """Windows that are too small for any verdict: silence is no health."""
    return Reading(report, float(report.rows), float(watching.min_rows), 0.0, report.rows < watching.min_rows)


def rules(watching: Watching) -> tuple[Rule, ...]:
    """Every rule, in the order in which they are asked: the causes before their consequences."""
    drops = sorted(watching.drops)
    return (
        Rule("unanswered", "page", answers, by_version=False),
        Rule("input checks", "page", input_checks),
        Rule("calibration", "page", calibration),
        *(Rule("decay", "page", decay_of(name)) for name in drops),
        Rule("prediction drift", "page", prediction_drift),
        Rule("feature drift", "digest", feature_drift),
        Rule("too few rows", "digest", too_few_rows, by_version=False),
    )


# --------------------------------------------------------------------------------------------------------- readings


def _enough(report: WindowReport, watching: Watching) -> bool:
    return judged_rows(report) >= watching.min_rows


def _mature(report: WindowReport, watching: Watching) -> bool:
    return _enough(report, watching) and labelled_share(report) >= MATURE


def _drop(report: WindowReport, name: str, limit: float) -> Reading | None:
    value, expected = report.metrics.get(name), report.metrics.get(f"{name} {EXPECTED}")
    error = report.metrics.get(f"{name} {ERROR}")
    if value is None or expected is None or error is None:
        return None
    drop = expected - value if metrics.greater_is_better(name) else value - expected
    return _reading(report, drop, limit, error, name, value, expected)


def _reading(
    report: WindowReport, value: float, limit: float, error: float, about: str, now: float, before: float
) -> Reading:
    return Reading(report, value, limit, error, value > limit, about, now, before)


def _share(report: WindowReport, share: float, limit: float, about: str) -> Reading:
    error = sqrt(max(share * (1 - share), 0.0) / max(report.rows, 1))
    return Reading(report, share, limit, error, share > limit, about, share)
