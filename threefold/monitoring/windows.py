"""One window of live traffic, compared with what the version that answered was trained and accepted on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from math import sqrt

import numpy as np
import polars as pl

from threefold.design.canvas import Watching
from threefold.monitoring import backtest, drift, reference
from threefold.monitoring.backtest import GAP
from threefold.monitoring.reference import Reference
from threefold.quality.sampling import block_error
from threefold.records import Drift, TaskSpec, WindowReport
from threefold.training import metrics
from threefold.training.task import encode_labels

# What a report holds beside the plain metrics, under "<metric> <word>".
EXPECTED = "expected"  # the value of the acceptance test, less what windows of this length fell short of it in training
ERROR = "error"  # standard error of the window's value, or of the expected one where that is larger
MEAN = "mean prediction"  # binary: of the labelled rows
SHARE = "share true"  # binary: of the labelled rows
LIMIT = "limit"  # "missing:<feature> limit": the share of missing values from which on it is called missing
MIN_LABELLED = 30  # fewer outcomes say nothing about a metric

FEATURE = "x."  # how the log marks the columns of features
DAY_S = 86_400
MISSING = 0.25  # of the way from the worst window of training to nothing at all
GONE = "missing:"  # begins the check of a feature that went missing
BROKEN_INPUTS = "broken inputs"  # rows with a missing value or a new category where training had none
NO_OUTCOME = "label:no outcome"  # labels that are no class of the model, or no number
FALLBACK, UNANSWERED, STOPPED = "fallback", "unanswered", "stopped"


@dataclass(frozen=True, slots=True)
class Judged:
    """The version that a window is judged by, with what was promised for it.

    Attributes:
        reference: what training looked like; None where the bundle carries none.
        threshold: binary; a probability at or above it counts as "yes".
        expected: metric -> value in the acceptance test.
        errors: metric -> standard error of that value.
    """

    number: int
    task: TaskSpec
    reference: Reference | None = None
    threshold: float | None = None
    expected: Mapping[str, float] = field(default_factory=dict)
    errors: Mapping[str, float] = field(default_factory=dict)


def main_version(rows: pl.DataFrame) -> int | None:
    """The version whose model answered most rows of a window; the newer one where two answered as many."""
    counts = _versions(rows)
    return max(counts, key=lambda number: (counts[number], number)) if counts else None


def summarise(
    rows: pl.DataFrame, judged: Judged | None, start: datetime, end: datetime, *, endpoint: str, watching: Watching
) -> WindowReport:
    """Compare one window with training and acceptance.

    Args:
        rows: of the log with start <= time < end, and a column `label` (text, null while it is not known).
        judged: the version that answered most of them; drift and metrics are taken over its rows alone, so that a
            canary does not blur the picture. None: no model answered, only the checks are counted.
        start, end: data time.
        watching: the drift limit, and the metrics whose drop is watched.
    """
    days = (end - start).total_seconds() / DAY_S
    own = rows.filter(_by_model() & (pl.col("version") == judged.number)) if judged else rows.clear()
    drifts = _drift(own, judged, watching, days) if judged else ()
    told = _metrics(own, judged, watching, days) if judged else {}
    missing = _missing(drifts, judged, days, own.height) if judged else {}
    return WindowReport(
        endpoint=endpoint,
        start=start.isoformat(),
        end=end.isoformat(),
        rows=rows.height,
        labelled=int(rows["label"].count()),
        versions={str(number): count for number, count in sorted(_versions(rows).items())},
        drift=drifts,
        metrics=told | {f"{name} {LIMIT}": limit for name, (_, limit) in missing.items()},
        checks=_checks(rows) | {name: rows_ for name, (rows_, _) in missing.items()} | _odd_labels(own, judged),
        latency_ms=_latency(rows),
    )


def relabel(old: WindowReport, rows: pl.DataFrame, judged: Judged | None, watching: Watching) -> WindowReport:
    """The same window with more labels: its rows are the same, and so is all that does not hang on labels."""
    days = (datetime.fromisoformat(old.end) - datetime.fromisoformat(old.start)).total_seconds() / DAY_S
    own = rows.filter(_by_model() & (pl.col("version") == judged.number)) if judged else rows.clear()
    told = _metrics(own, judged, watching, days) if judged else {}
    kept = {name: value for name, value in old.metrics.items() if name.startswith(GONE)}
    checks = {name: count for name, count in old.checks.items() if name != NO_OUTCOME} | _odd_labels(own, judged)
    return replace(old, labelled=int(rows["label"].count()), metrics=kept | told, checks=checks)


def judged_version(report: WindowReport) -> int | None:
    """The version a report is about: the one with most rows, the newer one where two have as many."""
    versions = {int(number): rows for number, rows in report.versions.items()}
    return max(versions, key=lambda number: (versions[number], number)) if versions else None


def judged_rows(report: WindowReport) -> int:
    """How many rows the judged version answered."""
    return max(report.versions.values(), default=0)


def labelled_share(report: WindowReport) -> float:
    """Share of the rows whose outcome is known, 0 to 1."""
    return report.labelled / report.rows if report.rows else 0.0


# ------------------------------------------------------------------------------------------------------- features


def _by_model() -> pl.Expr:
    return (pl.col("source") == "model") & pl.col("score").is_not_null() & pl.col("version").is_not_null()


def _versions(rows: pl.DataFrame) -> dict[int, int]:
    counted = rows.filter(_by_model()).group_by("version").len()
    return {int(number): int(count) for number, count in counted.iter_rows()}


def _drift(own: pl.DataFrame, judged: Judged, watching: Watching, days: float) -> tuple[Drift, ...]:
    if judged.reference is None or own.is_empty():
        return ()
    usual = backtest.fitting(judged.reference.scales, days)
    columns = (*judged.reference.columns, judged.reference.prediction)
    window = own.select(
        pl.col(f"{FEATURE}{column.name}").alias(column.name)
        for column in judged.reference.columns
        if f"{FEATURE}{column.name}" in own.columns
    )
    scores = reference.predictions(judged.task, _scores(own, judged.task))
    return drift.compare(
        columns, window.with_columns(scores), watching.drift, usual.drift if usual else {}, min_rows=watching.min_rows
    )


def _missing(drifts: Sequence[Drift], judged: Judged, days: float, rows: int) -> dict[str, tuple[int, float]]:
    """Features that went missing: in how many rows, and the share of rows from which on they count as such.

    That is a quarter of the way from what training knew in its worst window to nothing at all: rain may take half of
    the readings of a sensor each time, and then half of them is no news.
    """
    usual = backtest.fitting(judged.reference.scales, days) if judged.reference else None
    found = {}
    for one in drifts:
        known = max(one.nulls_before, usual.nulls.get(one.column, 0.0) if usual else 0.0)
        limit = known + MISSING * (1 - known)
        if one.nulls_after > limit:
            found[f"{GONE}{one.column}"] = (round(one.nulls_after * rows), round(limit, 4))
    return found


def _scores(own: pl.DataFrame, task: TaskSpec) -> np.ndarray:
    if task.problem != "multiclass":
        return own["score"].to_numpy().astype(np.float64)
    # A row of another length cannot come from this version: its number of classes never changes.
    return np.array(own["scores"].to_list(), dtype=np.float64).reshape(own.height, len(task.classes))


# ---------------------------------------------------------------------------------------------------- performance


def _metrics(own: pl.DataFrame, judged: Judged, watching: Watching, days: float) -> dict[str, float]:
    labelled = own.filter(pl.col("label").is_not_null())
    y = encode_labels(labelled["label"], judged.task)
    readable = np.isfinite(y)
    if readable.sum() < MIN_LABELLED:
        return {}
    y, scores = y[readable], _scores(labelled, judged.task)[readable]
    told = metrics.compute(None, y, scores, judged.task, judged.threshold)
    for name in watching.drops:
        if name in told and name in judged.expected:
            told[f"{name} {EXPECTED}"] = judged.expected[name] - _shift(name, judged, days)
            told[f"{name} {ERROR}"] = _error(name, y, scores, judged, days)
    if judged.task.problem == "binary":
        told |= _calibration(y, scores, judged, days)
    return {name: round(value, 6) for name, value in told.items() if np.isfinite(value)}


def _error(name: str, y: np.ndarray, scores: np.ndarray, judged: Judged, days: float) -> float:
    """Standard error of the drop of a metric: of the window, by blocks of time, and of the acceptance test."""

    def statistic(kept: np.ndarray) -> float:
        told = metrics.compute([name], y[kept], scores[kept], judged.task, judged.threshold)
        return told.get(name, float("nan"))

    own = _at_least(block_error(statistic, len(y)), judged, name, days)
    return sqrt(own**2 + judged.errors.get(name, 0.0) ** 2)


def _calibration(y: np.ndarray, scores: np.ndarray, judged: Judged, days: float) -> dict[str, float]:
    difference = scores - y
    mean, share = float(scores.mean()), float(y.mean())
    binomial = sqrt(max(share * (1 - share), 0.25 / len(y)) / len(y))
    blocks = block_error(lambda kept: float(difference[kept].mean()), len(y))
    error = max(binomial, blocks) if np.isfinite(blocks) else binomial
    told = {MEAN: mean, SHARE: share, f"{GAP} {ERROR}": _at_least(error, judged, GAP, days)}
    if judged.reference is not None and judged.reference.positive_rate is not None:
        told[f"{SHARE} {EXPECTED}"] = judged.reference.positive_rate
    return told


def _shift(name: str, judged: Judged, days: float) -> float:
    return backtest.shift(judged.reference.scales, name, days) if judged.reference else 0.0


def _at_least(error: float, judged: Judged, name: str, days: float) -> float:
    """Windows differ from one another even when nothing is wrong; training says by how much."""
    usual = backtest.spread(judged.reference.scales, name, days) if judged.reference else 0.0
    return max(error, usual) if np.isfinite(error) else float("inf")


# --------------------------------------------------------------------------------------------------------- service


def _checks(rows: pl.DataFrame) -> dict[str, int]:
    """Rows per check that failed, and rows that the model did not answer."""
    counted: Counter[str] = Counter()
    flags = rows.select(pl.col("checks").list.explode().drop_nulls().alias("check")) if rows.height else None
    if flags is not None:
        counted.update(dict(flags.group_by("check").len().iter_rows()))
    broken = pl.col("checks").list.eval(pl.element().str.contains("^input:(null|values|type):")).list.any()
    stopped = pl.col("checks").list.contains("model:stopped")
    added = rows.select(
        broken.fill_null(False).sum().alias(BROKEN_INPUTS),
        (stopped.fill_null(False)).sum().alias(STOPPED),
        ((pl.col("source") == "fallback") & ~stopped.fill_null(False)).sum().alias(FALLBACK),
        ((pl.col("source") == "none") & ~stopped.fill_null(False)).sum().alias(UNANSWERED),
    ).row(0, named=True)
    counted.update({name: int(count or 0) for name, count in added.items()})
    return {name: count for name, count in sorted(counted.items()) if count}


def _odd_labels(own: pl.DataFrame, judged: Judged | None) -> dict[str, int]:
    """How many labels cannot be the outcome of a prediction: they count as labels, and judge nothing."""
    if judged is None:
        return {}
    odd = int((~np.isfinite(encode_labels(own["label"].drop_nulls(), judged.task))).sum())
    return {NO_OUTCOME: odd} if odd else {}


def _latency(rows: pl.DataFrame) -> dict[str, float]:
    times = rows["latency_ms"].drop_nulls()
    if times.is_empty():
        return {}
    return {name: round(float(times.quantile(share) or 0.0), 4) for name, share in (("p50", 0.5), ("p99", 0.99))}
