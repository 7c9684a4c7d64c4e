"""The acceptance test: every gate says yes or no, with its number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from threefold.design.words import nearest
from threefold.errors import NotFound
from threefold.quality import safety
from threefold.quality.sampling import bootstrap
from threefold.quality.slices import MIN_ROWS, Slices, across
from threefold.quality.wording import figure, holds, limit_text, verdict
from threefold.records import Gate, GateResult, TaskSpec
from threefold.training import metrics

SHOWN_SLICES = 50  # kept in the evidence, worst first


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """Everything the gates may look at.

    Attributes:
        y: the encoded target of the test rows, shape (n,).
        scores: of the packaged model, as TrainedModel.score.
        frame: the test rows with their features, in the same order.
        baseline, champion: scores of the rivals on the same rows; None where there is none.
        measures: what was measured on the packaged model: "parity", "latency p50" and "latency p99" in ms, "size".
        checks: what the project's own checks said.
    """

    y: np.ndarray
    scores: np.ndarray
    task: TaskSpec
    threshold: float | None
    frame: pl.DataFrame
    baseline: np.ndarray | None
    champion: np.ndarray | None
    measures: Mapping[str, float]
    checks: Mapping[str, GateResult]

    def metric(self, name: str, scores: np.ndarray, rows: np.ndarray | None = None) -> float:
        """A metric of some scores, on some rows; NaN where it cannot be told."""
        y, chosen = (self.y, scores) if rows is None else (self.y[rows], scores[rows])
        return metrics.compute([name], y, chosen, self.task, self.threshold).get(name, float("nan"))


def judge(
    gates: Sequence[Gate],
    *,
    y: np.ndarray,
    scores: np.ndarray,
    task: TaskSpec,
    threshold: float | None,
    frame: pl.DataFrame,
    baseline_scores: np.ndarray | None = None,
    champion_scores: np.ndarray | None = None,
    measures: Mapping[str, float] | None = None,
    checks: Sequence[GateResult] = (),
) -> tuple[GateResult, ...]:
    """Let every gate speak: the safety gates that always stand, those of the canvas, the project's own checks.

    Args:
        y: shape (n,), as `task.encode_target` makes it.
        scores: of the packaged model on the sealed rows, as TrainedModel.score.
        threshold: binary; a probability at or above it counts as "yes".
        frame: the test rows, in the order of y; the columns that gates slice by.
        baseline_scores, champion_scores: of the rivals on the same rows; None: there is none.
        measures: "parity", "latency p50", "latency p99" in ms, "size" in bytes.
        checks: results of `checks.run_checks`; a gate may name one and set a limit on its number.
    Returns:
        One result per gate; the first carries all metrics in its details.
    Raises:
        NotFound: a gate names a metric or a column that does not exist; says which exist.
    """
    own = {result.gate: result for result in checks}
    trial = Trial(y, scores, task, threshold, frame, baseline_scores, champion_scores, measures or {}, own)
    for gate in gates:
        _check(gate, trial)
    results = safety.gates(y, scores, task, threshold, trial.measures)
    sound = results[0].passed
    results += [_judge(gate, trial) if sound or _independent(gate, trial) else _unsound(gate) for gate in gates]
    limited = {gate.metric for gate in gates}
    return (*results, *(result for result in checks if result.gate not in limited))


def _judge(gate: Gate, trial: Trial) -> GateResult:
    if gate.metric in trial.checks:
        return _by_check(gate, trial.checks[gate.metric])
    if gate.metric in safety.MEASURES:
        return _by_measure(gate, trial.measures)
    if gate.over is not None:
        return _by_rival(gate, trial)
    return _by_slices(gate, trial) if gate.across is not None else _by_metric(gate, trial)


# ---------------------------------------------------------------------------------------------- the kinds of gates


def _by_metric(gate: Gate, trial: Trial) -> GateResult:
    value = trial.metric(gate.metric, trial.scores)
    if not np.isfinite(value):
        return _untold(gate, _why_untold(gate.metric, trial))
    details: dict[str, Any] = {"rows": len(trial.y)}
    if gate.metric == "cost per prediction":
        details |= {"threshold": trial.threshold, "mistakes": dict(trial.task.mistakes)}
    interval = bootstrap(lambda rows: trial.metric(gate.metric, trial.scores, rows), len(trial.y))
    return _told(_in_currency(gate, trial), value, gate.metric, details=details | _interval(interval))


def _by_rival(gate: Gate, trial: Trial) -> GateResult:
    rival = trial.baseline if gate.over == "baseline" else trial.champion
    if rival is None:
        sentence = f"there is no {gate.over} to compare with on these rows, so nothing was asked"
        return GateResult(gate.name, True, None, limit_text(gate), sentence)
    sign = 1.0 if metrics.greater_is_better(gate.metric) else -1.0
    own, other = trial.metric(gate.metric, trial.scores), trial.metric(gate.metric, rival)
    if not np.isfinite(own - other):
        return _untold(gate, _why_untold(gate.metric, trial))

    def gain(rows: np.ndarray) -> float:
        return sign * (trial.metric(gate.metric, trial.scores, rows) - trial.metric(gate.metric, rival, rows))

    details = {"model": own, str(gate.over): other, "rows": len(trial.y)}
    named = _in_currency(gate, trial)
    aside = f"{figure(own, named.unit)} of the model, {figure(other, named.unit)} of the {gate.over}"
    subject = f"the gain in {gate.metric} over the {gate.over}"
    return _told(named, sign * (own - other), subject, aside, details | _interval(bootstrap(gain, len(trial.y))))


def _by_slices(gate: Gate, trial: Trial) -> GateResult:
    assert gate.across is not None
    found = across(trial.frame[gate.across], gate.metric, trial.y, trial.scores, trial.task, trial.threshold)
    needed = 2 if gate.reduce == "gap" else 1
    if len(found.told) < needed:
        return _untold(
            gate, f"only {len(found.told)} slices of {gate.across} have {MIN_ROWS} rows and more than one outcome"
        )
    worst, best = found.told[0], found.told[-1]
    named = _in_currency(gate, trial)
    small = "slice is" if found.skipped == 1 else "slices are"
    skipped = f"; {found.skipped} {small} too small to judge" if found.skipped else ""
    if gate.reduce == "gap":
        aside = f"{figure(worst.value, named.unit)} for {worst.name}, {figure(best.value, named.unit)} for {best.name}"
        subject, value = f"the gap in {gate.metric} across {gate.across}", found.gap
    else:
        aside, value = f"{gate.across} {worst.name}, {worst.rows:,} rows", worst.value
        subject = f"the worst {gate.metric} across {gate.across}"
    return _told(named, value, subject, aside + skipped, _slice_details(found))


def _by_measure(gate: Gate, measures: Mapping[str, float]) -> GateResult:
    value = measures.get(gate.metric)
    if value is None:
        return _untold(gate, f"{gate.metric} was not measured")
    return _told(gate, float(value), gate.metric)


def _by_check(gate: Gate, result: GateResult) -> GateResult:
    if result.value is None:
        return _untold(gate, f"check {gate.metric!r} gave no number: {result.sentence}")
    return _told(gate, result.value, gate.metric, details=dict(result.details))


# --------------------------------------------------------------------------------------------------------- results


def _told(
    gate: Gate, value: float, subject: str, aside: str = "", details: Mapping[str, Any] | None = None
) -> GateResult:
    sentence = verdict(gate, subject, value, aside)
    finite = float(value) if np.isfinite(value) else None
    return GateResult(gate.name, holds(gate, value), finite, limit_text(gate), sentence, details or {})


def _untold(gate: Gate, why: str) -> GateResult:
    sentence = f"{gate.name} cannot be told: {why}; {limit_text(gate)} was asked"
    return GateResult(gate.name, False, None, limit_text(gate), sentence)


def _unsound(gate: Gate) -> GateResult:
    return _untold(gate, "some scores are not finite numbers")


def _independent(gate: Gate, trial: Trial) -> bool:
    """Whether a gate can speak even where scores are no numbers."""
    return gate.metric in safety.MEASURES or gate.metric in trial.checks


def _in_currency(gate: Gate, trial: Trial) -> Gate:
    if gate.metric != "cost per prediction" or gate.unit or not trial.task.currency:
        return gate
    return Gate(
        gate.name, gate.metric, gate.operator, gate.limit, trial.task.currency, gate.over, gate.across, gate.reduce
    )


def _interval(interval: tuple[float, float] | None) -> dict[str, Any]:
    return {"interval": list(interval), "level": 0.95} if interval else {}


def _slice_details(found: Slices) -> dict[str, Any]:
    shown = [{"slice": one.name, "rows": one.rows, "value": one.value} for one in found.told[:SHOWN_SLICES]]
    return {"column": found.column, "slices": shown, "judged": len(found.told), "skipped": found.skipped}


def _why_untold(metric: str, trial: Trial) -> str:
    if len(trial.y) == 0:
        return "there are no test rows"
    if metric == "cost per prediction" and not trial.task.mistakes:
        return "the canvas does not say what a mistake costs (value: mistakes)"
    if trial.task.problem != "regression" and len(np.unique(trial.y)) < 2:
        return "the test rows hold one outcome only"
    return f"it is not defined on these {len(trial.y):,} rows"


# ---------------------------------------------------------------------------------------------------------- checks


def _check(gate: Gate, trial: Trial) -> None:
    """Refuse a gate that names what does not exist."""
    known = (*metrics.for_problem(trial.task.problem), *safety.MEASURES, *trial.checks)
    if gate.metric not in known:
        raise _unknown(gate.metric, known, f"gate '{gate.name}'", f"for a {trial.task.problem} problem there are")
    if gate.across is not None and gate.across not in trial.frame.columns:
        columns = [name for name in trial.frame.columns if not name.startswith("_")]
        raise _unknown(gate.across, columns, f"gate '{gate.name}'", "the columns are")


def _unknown(word: str, known: Sequence[str], where: str, there_are: str) -> NotFound:
    near = nearest(word, known)
    hint = f"did you mean {near!r}? " if near else ""
    return NotFound(f"there is no {word!r}", where, f"{hint}{there_are}: {', '.join(sorted(known))}")
