"""The gates that always stand, whether the canvas names them or not."""

from __future__ import annotations

import numpy as np

from threefold.quality.sampling import block_error, bootstrap
from threefold.quality.trial import Answers, Trial
from threefold.quality.wording import figure, plainly
from threefold.records import Gate, GateResult
from threefold.training import metrics

CONSTANT = "beats a constant"
# Of probabilities; of a regression it is a share of the value already. Float32 inside the package explains that much.
PARITY = Gate("parity", "parity", "<=", 1e-4)
ROUNDING = 1e-6  # by which a probability in float32 may leave 0 to 1
SAME = 1e-9  # a smaller lead is rounding: the model says the same as the constant


def finite_scores(trial: Trial) -> GateResult:
    """Every score is a number, and every probability lies between 0 and 1.

    Carries all metrics of the model in its details, and the standard error of each.
    """
    total, bad = trial.rows, trial.rows - int(np.sum(sound(trial)))
    kind = "finite numbers" if trial.task.problem == "regression" else "probabilities"
    details = {"n": total, "wrong": bad, "metrics": trial.all_metrics()}
    if not total:
        sentence = "there are no test rows to judge on; hold out more, with `split` under `predict` in the canvas"
        return GateResult("finite scores", False, None, "<= 0", sentence, details)
    if bad:
        sentence = f"{bad:,} of {total:,} scores are not {kind}; all must be"
        return GateResult("finite scores", False, float(bad), "<= 0", sentence, plainly(details))
    details["errors"] = {name: _error(trial, name) for name in trial.all_metrics()}
    return GateResult("finite scores", True, 0.0, "<= 0", f"all {total:,} scores are {kind}", plainly(details))


def sound(trial: Trial) -> np.ndarray:
    """Which rows have a score that can be one: booleans, shape (n,)."""
    finite = trial.candidate.finite
    if trial.task.problem == "regression" or not trial.rows:
        return finite
    rows = np.nan_to_num(trial.candidate.scores.reshape(trial.rows, -1), posinf=2.0, neginf=-1.0)
    return np.asarray(finite & ((rows >= -ROUNDING) & (rows <= 1 + ROUNDING)).all(axis=1))


def beats_a_constant(trial: Trial) -> GateResult:
    """The scores tell more than one and the same answer to every row would, beyond chance.

    The constant is the best there is: the share of each class among the test rows, or their mean. Binary: roc_auc, for
    which every constant gets 0.5. Multiclass: log_loss, or the share of right answers against that of the commonest
    class; one of the two is enough. Regression: rmse. The lower end of the 90 % interval must lie above 0.
    """
    one_outcome = trial.task.problem != "regression" and len(np.unique(trial.y)) < 2
    if trial.broken or trial.rows < 2 or one_outcome:
        why = f"{trial.broken:,} scores are not finite" if trial.broken else "the test rows hold one outcome only"
        why = why if trial.rows > 1 else f"there are {trial.rows} test rows"
        return GateResult(CONSTANT, False, None, "> 0", f"it cannot be told: {why}", {"n": trial.rows})
    primary = metrics.primary(trial.task.problem)
    also = ["accuracy"] if trial.task.problem == "multiclass" else []
    results = [_beaten(trial, name) for name in (primary, *also)]
    return next((result for result in results if result.passed), results[0])


def constant(trial: Trial) -> Answers:
    """The same answer to every row: the share of each class, or the mean, of the test rows themselves."""
    if trial.task.problem == "multiclass":
        shares = np.bincount(trial.y.astype(int), minlength=trial.candidate.scores.shape[1]) / trial.rows
        return Answers(np.tile(shares, (trial.rows, 1)))
    return Answers(np.full(trial.rows, trial.y.mean()), trial.candidate.threshold)


def _beaten(trial: Trial, metric: str) -> GateResult:
    same, sign = constant(trial), 1.0 if metrics.greater_is_better(metric) else -1.0

    def lead(rows: np.ndarray) -> float:
        return sign * (trial.metric(metric, trial.candidate, rows) - trial.metric(metric, same, rows))

    own, other = trial.metric(metric, trial.candidate), trial.metric(metric, same)
    value, interval = sign * (own - other), bootstrap(lead, trial.rows, level=0.9)
    passed = value > SAME and interval is not None and interval[0] > 0
    start = f"{metric} is {figure(own)}, and a constant gets {figure(other)}"
    if passed:
        sentence = f"{start}: {figure(value)} better"
    elif value > SAME:
        sentence = (
            f"{start}: {figure(value)} better, which may be chance on {trial.rows:,} rows; a clear lead would pass"
        )
    else:
        sentence = f"{start}; it must be {'more' if sign > 0 else 'less'} than that"
    details = {
        "n": trial.rows, "metric": metric, "candidate": own, "constant": other, "level": 0.9, "interval": interval,
        "metrics": trial.all_metrics(),
    }  # fmt: skip
    return GateResult(CONSTANT, passed, plainly(value), "> 0", sentence, plainly(details))


def _error(trial: Trial, name: str) -> float:
    return block_error(lambda rows: trial.metric(name, trial.candidate, rows), trial.rows)
