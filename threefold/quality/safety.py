"""The gates that always stand, whether the canvas names them or not."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from threefold.quality.sampling import Statistic, block_error, bootstrap
from threefold.quality.wording import figure, verdict
from threefold.records import Gate, GateResult, TaskSpec
from threefold.training import metrics

CONSTANT = "beats a constant"
MEASURES = ("latency p50", "latency p99", "parity", "size")  # of the packaged model rather than of its answers
PARITY = 1e-4  # of the largest score, at least of 1: float32 inside the packaged model explains that much


def gates(
    y: np.ndarray, scores: np.ndarray, task: TaskSpec, threshold: float | None, measures: Mapping[str, float]
) -> list[GateResult]:
    """Finite scores, better than a constant, the packaged model answers as the trained one did.

    The first result carries all metrics of the model in its details, and the standard error of each.
    """
    finite = finite_scores(y, scores, task, threshold)
    if not finite.passed:
        return [finite, _blocked(CONSTANT), parity(scores, measures)]
    return [finite, beats_a_constant(y, scores, task), parity(scores, measures)]


def finite_scores(y: np.ndarray, scores: np.ndarray, task: TaskSpec, threshold: float | None) -> GateResult:
    """Every score is a number; a probability lies between 0 and 1."""
    rows = scores.reshape(len(scores), -1) if len(scores) else np.empty((0, 1))
    wrong = ~np.isfinite(rows).all(axis=1)
    if task.problem != "regression":
        wrong |= ((rows < -1e-6) | (rows > 1 + 1e-6)).any(axis=1)
    bad, total = int(wrong.sum()), len(rows)
    kind = "finite numbers" if task.problem == "regression" else "probabilities"
    if bad:
        sentence = f"{bad:,} of {total:,} scores are not {kind}; all must be"
        return GateResult("finite scores", False, float(bad), "<= 0", sentence, {"rows": total})
    details = {"rows": total, **_all_metrics(y, scores, task, threshold)}
    return GateResult("finite scores", True, 0.0, "<= 0", f"all {total:,} scores are {kind}", details)


def beats_a_constant(y: np.ndarray, scores: np.ndarray, task: TaskSpec) -> GateResult:
    """The scores tell more than one and the same answer to every row would, beyond chance.

    Binary: roc_auc, for which every constant gets 0.5. Multiclass: the share of right answers against that of the
    commonest class, or the log loss against the shares of the classes. Regression: the share of the variance that is
    explained, for which the mean gets 0. The lower end of the 90 % interval must lie above.
    """
    if len(y) < 2 or (task.problem != "regression" and len(np.unique(y)) < 2):
        sentence = f"{len(y):,} test rows with one outcome only cannot tell a model from a constant; more rows may"
        return GateResult(CONSTANT, False, None, "> 0", sentence)
    results = [_beaten(name, lead, len(y)) for name, lead in _leads(y, scores, task).items()]
    return next((result for result in results if result.passed), results[0])


def parity(scores: np.ndarray, measures: Mapping[str, float]) -> GateResult:
    """The packaged model gives the scores of the trained one."""
    if "parity" not in measures:
        sentence = "nobody compared the packaged model with the trained one; their scores must be equal to pass"
        return GateResult("packaged as trained", False, None, f"<= {PARITY:g}", sentence)
    finite = scores[np.isfinite(scores)]
    limit = PARITY * max(1.0, float(np.abs(finite).max()) if finite.size else 1.0)
    gate = Gate("packaged as trained", "parity", "<=", limit)
    value = float(measures["parity"])
    sentence = verdict(gate, "the largest difference between packaged and trained model", value)
    return GateResult(gate.name, bool(value <= limit), _finite(value), f"<= {limit:.3g}", sentence)


# ------------------------------------------------------------------------------------------------ against a constant


def _leads(y: np.ndarray, scores: np.ndarray, task: TaskSpec) -> dict[str, Statistic]:
    """By how much the model is better than a constant, in each way that counts; of the positions of some rows."""
    if task.problem == "binary":
        return {"roc_auc": lambda rows: _one("roc_auc", y[rows], scores[rows], task) - 0.5}
    if task.problem == "regression":
        return {"r2": lambda rows: _one("r2", y[rows], scores[rows], task)}
    shares = np.bincount(y.astype(int), minlength=len(task.classes)) / len(y)
    constant = np.tile(shares, (len(y), 1))
    return {
        "accuracy": lambda rows: _one("accuracy", y[rows], scores[rows], task) - float(shares.max()),
        "log_loss": lambda rows: (
            _one("log_loss", y[rows], constant[rows], task) - _one("log_loss", y[rows], scores[rows], task)
        ),
    }


def _beaten(metric: str, lead: Statistic, rows: int) -> GateResult:
    value = lead(np.arange(rows))
    interval = bootstrap(lead, rows, level=0.9)
    low = interval[0] if interval else float("nan")
    passed = bool(low > 0)
    how = f"{figure(value)} better than a constant in {metric} (at least {figure(low)}, sure to 95 %)"
    if value <= 0:
        how = f"no better than a constant in {metric}: {figure(-value)} worse"
    sentence = f"the model is {how}" + ("" if passed else "; a lead beyond chance would pass")
    details = {"metric": metric, "interval": list(interval) if interval else None, "rows": rows}
    return GateResult(CONSTANT, passed, _finite(value), "> 0", sentence, details)


def _one(metric: str, y: np.ndarray, scores: np.ndarray, task: TaskSpec) -> float:
    return metrics.compute([metric], y, scores, task).get(metric, float("nan"))


def _all_metrics(
    y: np.ndarray, scores: np.ndarray, task: TaskSpec, threshold: float | None
) -> dict[str, dict[str, float]]:
    values = metrics.compute(None, y, scores, task, threshold)

    def error(name: str) -> float:
        def statistic(rows: np.ndarray) -> float:
            return metrics.compute([name], y[rows], scores[rows], task, threshold).get(name, float("nan"))

        return block_error(statistic, len(y))

    errors = {name: error(name) for name in values}
    return {"metrics": values, "errors": {name: value for name, value in errors.items() if np.isfinite(value)}}


def _blocked(gate: str) -> GateResult:
    return GateResult(gate, False, None, "> 0", "it cannot be told: some scores are no numbers")


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
