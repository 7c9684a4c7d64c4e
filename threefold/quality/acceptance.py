"""The acceptance test: every gate says yes or no, with its number."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from threefold.data.words import counted, did_you_mean, listing
from threefold.design.gates import COST, MEASURES
from threefold.errors import DataError, NotFound
from threefold.quality import rivals, safety, sampling
from threefold.quality.slices import MIN_ROWS, Slice, Slices, across
from threefold.quality.trial import Answers, Trial
from threefold.quality.wording import asked, figure, holds, limit_text, plainly, verdict
from threefold.records import Gate, GateResult, TaskSpec
from threefold.training import metrics


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
    champion_threshold: float | None = None,
) -> tuple[GateResult, ...]:
    """Let every gate speak: those of the canvas, the project's own checks, the safety gates that always stand.

    Args:
        y: shape (n,), as `task.encode_target` makes it.
        scores: of the packaged model on the sealed rows, as TrainedModel.score.
        threshold: binary; a probability at or above it counts as "yes".
        frame: the test rows, in the order of y; the features that gates slice by.
        baseline_scores, champion_scores: of the rivals on the same rows; None: there is none.
        measures: "parity", "latency p50", "latency p99" in ms, "size" in bytes.
        checks: results of `checks.run_checks`; a gate may name one and set a limit on its number.
        champion_threshold: the champion's own; None: it is judged at the candidate's.
    Returns:
        The gates of the canvas in their order, the checks without a limit there, then "finite scores", "parity" (unless
        the canvas has a gate for it) and "beats a constant". The details of each say "n", the number of test rows;
        those of gates on the whole test set hold all "metrics".
    Raises:
        NotFound, DataError: a gate asks for what this project does not have, see `validate`; or the lengths differ.
    """
    own = {_function(result): result for result in checks}
    validate(gates, task, own)
    _same_length(y, scores, frame)
    known = {
        "baseline": None if baseline_scores is None else Answers(baseline_scores, threshold),
        "champion": None
        if champion_scores is None
        else Answers(champion_scores, threshold if champion_threshold is None else champion_threshold),
    }
    trial = Trial(y, Answers(scores, threshold), known, task, frame, measures or {}, own)
    limited = {gate.metric for gate in gates}
    return (
        *(_judge(gate, trial) for gate in gates),
        *(result for name, result in own.items() if name not in limited),
        safety.finite_scores(trial),
        *(() if "parity" in limited else (_by_measure(safety.PARITY, trial),)),
        safety.beats_a_constant(trial),
    )


def validate(gates: Iterable[Gate], task: TaskSpec, checks: Iterable[str] = ()) -> None:
    """Refuse gates that could never be told. It needs no model, so it can be asked before one is trained.

    Args:
        checks: names of the functions in checks.py, which may stand in the place of a metric.
    Raises:
        NotFound: a metric or a feature does not exist; says the nearest right one and what there is.
        DataError: a metric belongs to another kind of problem, needs costs that the canvas does not name, or is
            measured once and can be neither compared nor cut into slices.
    """
    once = {*MEASURES, *checks}
    for gate in gates:
        if gate.metric in once:
            _check_whole(gate)
        else:
            _check_metric(gate, task)
        if gate.across is not None:
            _check_feature(gate, task)


def _judge(gate: Gate, trial: Trial) -> GateResult:
    if gate.metric in trial.checks:
        return _by_check(gate, trial.checks[gate.metric])
    if gate.metric in MEASURES:
        return _by_measure(gate, trial)
    if trial.broken:
        return _untold(gate, trial, f"{trial.broken:,} of {trial.rows:,} scores are not finite")
    if gate.over is not None:
        return _by_rival(gate, trial)
    return _by_slices(gate, trial) if gate.across is not None else _by_metric(gate, trial)


# ---------------------------------------------------------------------------------------------- the kinds of gates


def _by_metric(gate: Gate, trial: Trial) -> GateResult:
    value = trial.metric(gate.metric, trial.candidate)
    if not np.isfinite(value):
        return _untold(gate, trial, _why_untold(trial))
    interval = sampling.interval(trial.resampled(gate.metric), value, trial.rows)
    details = {"metrics": trial.all_metrics(), "threshold": trial.candidate.threshold, "interval": interval}
    return _told(gate, trial, value, details=details)


def _by_rival(gate: Gate, trial: Trial) -> GateResult:
    rival = trial.rivals[str(gate.over)]
    if rival is None:
        return _without_rival(gate, trial)
    found = rivals.compare(trial, gate.metric, rival)
    if found is None:
        return _untold(gate, trial, _why_untold(trial))
    unit = _unit(gate, trial)
    tail = ""
    if found.interval:
        tail = f"; 95 % interval {figure(found.interval[0], unit)} to {figure(found.interval[1], unit)}"
    if found.rows < trial.rows:
        tail += f"; the {gate.over} has no finite score for {counted(trial.rows - found.rows, 'row')}"
    details = {
        "metrics": trial.all_metrics(), "candidate": found.candidate, str(gate.over): found.rival,
        "interval": found.interval, "compared": found.rows,
    }  # fmt: skip
    aside = f"{figure(found.candidate, unit)} against {figure(found.rival, unit)}"
    return _told(gate, trial, found.gain, aside, tail, details)


def _without_rival(gate: Gate, trial: Trial) -> GateResult:
    """Without a champion there is nothing to be better than; a baseline is always trained, so that one must be there."""
    if gate.over != "champion":
        return _untold(gate, trial, f"there is no {gate.over} to compare with")
    sentence = "there is no champion to compare with on these rows, so this gate passes"
    details = {"n": trial.rows, "champion": None, "metrics": trial.all_metrics()}
    return GateResult(gate.name, True, None, limit_text(gate, _unit(gate, trial)), sentence, plainly(details))


def _by_slices(gate: Gate, trial: Trial) -> GateResult:
    column, own = trial.frame[str(gate.across)], trial.candidate
    found = across(column, gate.metric, trial.y, own.scores, trial.task, own.threshold)
    listed = [{"slice": one.name, "value": one.value, "n": one.rows} for one in found.told]
    details = {"column": found.column, "slices": listed, "left_out": found.small, "untold": found.untold}
    tail = _left_out(found, gate.metric)
    if len(found.told) < (2 if gate.reduce == "gap" else 1):
        enough = (
            f"{counted(len(found.told), 'slice')} with {MIN_ROWS} rows"
            if found.told
            else f"no slice has {MIN_ROWS} rows"
        )
        both = " and both classes" if trial.task.problem == "binary" else ""
        return _untold(gate, trial, f"{enough}{both}{tail}", details)
    unit = _unit(gate, trial)
    if gate.reduce == "worst":
        worst = found.told[0]
        return _told(gate, trial, worst.value, f"{worst.name}, {counted(worst.rows, 'row')}", tail, details)
    ends = sorted((found.told[0], found.told[-1]), key=lambda one: -one.value)
    return _told(gate, trial, found.gap, ", ".join(_shown(one, unit) for one in ends), tail, details)


def _by_measure(gate: Gate, trial: Trial) -> GateResult:
    value = trial.measures.get(gate.metric)
    if value is None:
        return _untold(gate, trial, "it was not measured", {})
    if not np.isfinite(value):
        return _untold(gate, trial, "the model and its package do not both answer with finite numbers", {})
    return _told(gate, trial, float(value))


def _by_check(gate: Gate, result: GateResult) -> GateResult:
    """The number of a check, held against the limit that the canvas gives it."""
    if result.value is None:
        why = f"{result.sentence}; a limit needs a check that returns a number"
        return GateResult(gate.name, False, None, limit_text(gate), why, result.details)
    sentence = verdict(gate, gate.name, result.value)
    return GateResult(
        gate.name, holds(gate, result.value), result.value, limit_text(gate), sentence, result.details
    )  # fmt: skip


# --------------------------------------------------------------------------------------------------------- results


def _told(
    gate: Gate, trial: Trial, value: float, aside: str = "", tail: str = "", details: Mapping[str, Any] | None = None
) -> GateResult:
    unit = _unit(gate, trial)
    sentence = verdict(gate, gate.name, value, aside, unit) + tail
    full = plainly({"n": trial.rows, **(details or {})})
    return GateResult(gate.name, bool(holds(gate, value)), float(value), limit_text(gate, unit), sentence, full)


def _untold(gate: Gate, trial: Trial, why: str, details: Mapping[str, Any] | None = None) -> GateResult:
    """What cannot be told does not pass."""
    unit = _unit(gate, trial)
    sentence = f"{gate.name} cannot be told: {why}; {asked(gate, unit)}"
    full = plainly({"n": trial.rows, **({"metrics": trial.all_metrics()} if details is None else details)})
    return GateResult(gate.name, False, None, limit_text(gate, unit), sentence, full)


def _unit(gate: Gate, trial: Trial) -> str:
    return gate.unit or (trial.task.currency if gate.metric == COST else MEASURES.get(gate.metric, ""))


def _shown(one: Slice, unit: str) -> str:
    return f"{one.name} {figure(one.value, unit)}"


def _left_out(found: Slices, metric: str) -> str:
    small = f"; {counted(found.small, 'small slice')} {'was' if found.small == 1 else 'were'} left out"
    untold = f"; in {counted(found.untold, 'slice')} {metric} is not defined"
    return (small if found.small else "") + (untold if found.untold else "")


def _why_untold(trial: Trial) -> str:
    if trial.rows == 0:
        return "there are no test rows"
    if trial.task.problem != "regression" and len(np.unique(trial.y)) < 2:
        return "the test rows hold one outcome only"
    return f"it is not defined on these {counted(trial.rows, 'row')}"


def _function(result: GateResult) -> str:
    return str(result.details.get("function", result.gate))


# ---------------------------------------------------------------------------------------------------------- refusals


def _check_metric(gate: Gate, task: TaskSpec) -> None:
    known = metrics.for_problem(task.problem)
    if gate.metric not in metrics.names():
        words = did_you_mean(gate.metric, (*known, *MEASURES), f"metrics and measures for a {task.problem} problem")
        raise NotFound(f"no metric is called '{gate.metric}'", f"gate '{gate.name}'", words)
    if gate.metric not in known:
        raise DataError(
            f"{gate.metric} is not defined for a {task.problem} problem",
            f"gate '{gate.name}'",
            f"use one of: {listing(known)}",
        )
    if gate.metric == COST and not task.mistakes:
        raise DataError(
            "the canvas does not say what a mistake costs",
            f"gate '{gate.name}'",
            "add value.mistakes, such as {false_positive: 40 USD, false_negative: 250 USD}",
        )


def _check_whole(gate: Gate) -> None:
    if gate.over or gate.across:
        raise DataError(
            f"{gate.metric} is measured once, so it cannot be {'compared' if gate.over else 'cut into slices'}",
            f"gate '{gate.name}'",
            f"write '{gate.metric}' alone",
        )


def _check_feature(gate: Gate, task: TaskSpec) -> None:
    names = [spec.name for spec in task.features]
    if gate.across not in names:
        raise NotFound(
            f"'{gate.across}' is not among the features, so there are no slices of it",
            f"gate '{gate.name}'",
            did_you_mean(str(gate.across), names, "features"),
        )


def _same_length(y: np.ndarray, scores: np.ndarray, frame: pl.DataFrame) -> None:
    if not len(y) == len(scores) == frame.height:
        raise DataError(
            f"{len(y)} target values stand against {len(scores)} scores and {frame.height} rows of features",
            "acceptance test",
            "score the same rows that are judged",
        )
