"""One window of live traffic, compared with training."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

import numpy as np
import polars as pl

from threefold.monitoring.drift import drifts
from threefold.monitoring.reference import Reference
from threefold.records import TaskSpec, WindowReport
from threefold.training import metrics
from threefold.training.task import encode_labels

LABELLED_SHARE = 0.8  # fewer labels than this are a selection: the quick outcomes come first
BLOCKS = 10  # stretches of time that are left out in turn, to see how much a metric rests on one of them
TOP_CHECKS = 20  # names of failed checks that a report keeps

# The checks whose failures are a broken pipe. A number beyond the limits of training, or a new category, also fails a
# check, but a summer after a winter of training does that by itself: that is drift, and told as such.
BROKEN = ("output:", "model:", "input:null:", "input:type:")


def summarise(
    rows: pl.DataFrame,
    labels: pl.DataFrame,
    reference: Reference,
    task: TaskSpec,
    threshold: float | None,
    endpoint: str,
    start: datetime,
    end: datetime,
    *,
    limit: float = 0.2,
    min_rows: int = 500,
) -> WindowReport:
    """Say what happened in one window.

    Drift and metrics are those of the version that answered most rows; the other numbers are of all rows.

    Args:
        rows: the window's predictions, from read_predictions.
        labels: from read_feedback; of several labels for one prediction the last counts.
        reference, task, threshold: of the version that answered most rows.
        limit: the distance over which a column has drifted.
        min_rows: with fewer labelled rows no metric is told.
    Returns:
        `metrics` holds, where at least 80 % of the rows are labelled, every metric of the problem with its standard
        error as "<metric>_se", "judged" (rows), and for binary and regression "predicted" and "observed" (means).
        `checks` holds "broken" (rows the model could not soundly answer), "fallback", "error", and single checks.
    """
    main = rows.filter(pl.col("version") == main_version(versions_of(rows)))
    labelled = with_labels(rows, labels, task)
    return WindowReport(
        endpoint=endpoint,
        start=start.isoformat(),
        end=end.isoformat(),
        rows=rows.height,
        labelled=labelled.height,
        versions=versions_of(rows),
        drift=drifts(main, reference, limit),
        metrics=_metrics(main, with_labels(main, labels, task), task, threshold, min_rows),
        checks=_checks(rows),
        latency_ms=_latency(rows),
    )


def versions_of(rows: pl.DataFrame) -> dict[str, int]:
    """Rows by the version that answered them, as text; smallest version first."""
    counts = Counter(rows["version"].drop_nulls().to_list())
    return {str(version): counts[version] for version in sorted(counts)}


def main_version(versions: dict[str, int]) -> int | None:
    """The version that answered most rows; the newest of those that answered equally many. None: there is no row."""
    return max((int(version) for version in versions), key=lambda one: (versions[str(one)], one), default=None)


def with_labels(rows: pl.DataFrame, labels: pl.DataFrame, task: TaskSpec) -> pl.DataFrame:
    """The rows whose label has arrived and can be read, with it as a number in `_y`."""
    last = labels.select("prediction_id", "value").unique("prediction_id", keep="last", maintain_order=True)
    joined = rows.join(last, on="prediction_id", how="inner", maintain_order="left")
    return joined.with_columns(pl.Series("_y", encode_labels(joined["value"], task), dtype=pl.Float64)).filter(
        pl.col("_y").is_finite()
    )


# -------------------------------------------------------------------------------------------------------- metrics


def _metrics(
    rows: pl.DataFrame, labelled: pl.DataFrame, task: TaskSpec, threshold: float | None, min_rows: int
) -> dict[str, float]:
    known = labelled.filter(pl.col("score").is_not_null())
    if known.height < max(min_rows, 1) or labelled.height < LABELLED_SHARE * rows.height:
        return {}
    y, scores = known["_y"].to_numpy(), _scores(known, task)
    values = metrics.compute(None, y, scores, task, threshold)
    values |= _errors(values, y, scores, task, threshold)
    if task.problem != "multiclass":
        values |= {"predicted": float(np.mean(scores)), "observed": float(np.mean(y))}
    return {**values, "judged": float(known.height)}


def _scores(rows: pl.DataFrame, task: TaskSpec) -> np.ndarray:
    if task.problem == "multiclass":
        return np.array(rows["scores"].to_list(), dtype=np.float64)
    return rows["score"].to_numpy()


def _errors(
    values: dict[str, float], y: np.ndarray, scores: np.ndarray, task: TaskSpec, threshold: float | None
) -> dict[str, float]:
    """Standard errors by a jackknife over stretches of time.

    Rows of one hour share their weather, so single rows are not independent and a formula that counts them is too
    sure. Source: Kuensch (1989), The Jackknife and the Bootstrap for General Stationary Observations.
    """
    blocks = np.arange(len(y)) * BLOCKS // len(y)
    # The signed gap has no kink at 0, where the absolute one would look surer than it is.
    left_out = [metrics.compute(list(values), y[blocks != one], scores[blocks != one], task, threshold)
                for one in range(BLOCKS)]  # fmt: skip
    errors = {f"{name}_se": _jackknife([one[name] for one in left_out if name in one]) for name in values}
    if "calibration_gap" in values:
        gaps = [float(np.mean((scores - y)[blocks != one])) for one in range(BLOCKS)]
        errors["calibration_gap_se"] = _jackknife(gaps)
    return errors


def _jackknife(without: list[float]) -> float:
    if len(without) < 2:
        return 0.0
    return float(np.sqrt((len(without) - 1) * np.var(without)))


# -------------------------------------------------------------------------------------------------------- service


def _checks(rows: pl.DataFrame) -> dict[str, int]:
    failed = rows["checks"].explode().drop_nulls()
    named = Counter(failed.to_list())
    broken = pl.col("checks").list.eval(
        pl.any_horizontal([pl.element().str.starts_with(prefix) for prefix in BROKEN])
    ).list.any().fill_null(False)  # fmt: skip
    counts = {
        "broken": rows.filter(broken | (pl.col("status") != "ok")).height,
        "fallback": rows.filter(pl.col("status") == "fallback").height,
        "error": rows.filter(pl.col("status") == "error").height,
    }
    return counts | dict(named.most_common(TOP_CHECKS))


def _latency(rows: pl.DataFrame) -> dict[str, float]:
    times = rows["latency_ms"].drop_nulls().to_numpy()
    if not len(times):
        return {}
    middle, slow = np.quantile(times, [0.5, 0.99])
    return {"p50": float(middle), "p99": float(slow)}
