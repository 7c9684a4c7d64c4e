"""Alerts in words: one sentence with a number, the probable cause, what to do."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from threefold.design.canvas import Watching
from threefold.monitoring.reference import PREDICTION
from threefold.monitoring.rules import Reading, Rule
from threefold.monitoring.windows import EXPECTED, GONE, SHARE
from threefold.records import Alert, Drift, TaskSpec, WindowReport, utc_now
from threefold.store import new_id

NAMED = 3  # features in a sentence
RETRAIN = "retrain on newer data: threefold watch --retrain; if it began with a release: threefold rollback"


def alert_of(
    rule: Rule, readings: Sequence[Reading], task: TaskSpec, watching: Watching, weights: Mapping[str, float]
) -> Alert:
    """The alert that some readings in a row give rise to.

    Args:
        readings: the last k of the rule, the newest last.
        weights: feature -> share of the score that hangs on it; for the probable cause.
    """
    last = readings[-1]
    sentence, probable, do = _tellers[rule.cause](readings, task, watching, weights)
    return Alert(
        id=new_id(),
        endpoint=last.report.endpoint,
        cause=rule.cause,
        severity=rule.severity,
        sentence=sentence,
        value=round(_mean(readings, lambda one: one.value), 6),
        limit=last.limit,
        probable=probable,
        do=do,
        window_start=readings[0].report.start,
        window_end=last.report.end,
        opened_at=utc_now(),
    )


Words = tuple[str, str, str]


def _calibration(
    readings: Sequence[Reading], task: TaskSpec, watching: Watching, weights: Mapping[str, float]
) -> Words:
    predicted, true = _mean(readings, lambda one: one.now), _mean(readings, lambda one: one.before)
    labelled = sum(one.report.labelled for one in readings)
    sentence = (
        f"{_positive(task)}: {predicted:.1%} was predicted on average and {true:.1%} came true, "
        f"{abs(predicted - true) * 100:.1f} points apart (limit {readings[-1].limit * 100:g}; "
        f"{labelled:,} labelled rows {_period(readings)})"
    )
    return sentence, _probable(readings[-1].report, weights), RETRAIN


def _decay(readings: Sequence[Reading], task: TaskSpec, watching: Watching, weights: Mapping[str, float]) -> Words:
    now, before, name = (
        _mean(readings, lambda one: one.now),
        _mean(readings, lambda one: one.before),
        readings[-1].about,
    )
    sentence = (
        f"{name} is {now:.3f} where the acceptance test promised {before:.3f}, {abs(now - before):.3f} worse "
        f"(limit {readings[-1].limit:g}; {_rows(readings):,} rows {_period(readings)})"
    )
    return sentence, _probable(readings[-1].report, weights), RETRAIN


def _prediction(readings: Sequence[Reading], task: TaskSpec, watching: Watching, weights: Mapping[str, float]) -> Words:
    drift = _of(readings[-1].report, PREDICTION)
    told = drift.sentence.removeprefix(f"{PREDICTION}: ") if drift else ""
    sentence = (
        f"the predictions moved: {told} ({_rows(readings):,} rows {_period(readings)}, not enough labels to judge)"
    )
    do = "bring the labels in to see whether the predictions are right to move; compare the inputs named here"
    return sentence, _probable(readings[-1].report, weights), do


def _inputs(readings: Sequence[Reading], task: TaskSpec, watching: Watching, weights: Mapping[str, float]) -> Words:
    last = readings[-1]
    if last.about:
        others = f" and so do {last.now - 1:.0f} others" if last.now > 1 else ""
        sentence = (
            f"{last.about} lacks its value in {last.value:.0%} of the rows{others}, {last.before:.0%} in training "
            f"(limit {last.limit:.0%}; {_rows(readings):,} rows {_period(readings)})"
        )
        return sentence, f"the source of {last.about} stopped, or its join finds no partner", f"look at {last.about}"
    checks = sorted(_broken(last.report).items(), key=lambda one: -one[1])
    sentence = (
        f"{last.value:.0%} of the rows break what the inputs promised (limit {last.limit:.0%}; "
        f"{_rows(readings):,} rows {_period(readings)})"
    )
    named = ", ".join(f"{name.removeprefix('input:')} in {count:,} rows" for name, count in checks[:NAMED])
    return sentence, named or "the log names no check", "mend the caller or the source, or retrain with such values"


def _unanswered(readings: Sequence[Reading], task: TaskSpec, watching: Watching, weights: Mapping[str, float]) -> Words:
    last = readings[-1]
    sentence = (
        f"the model did not answer {last.value:.1%} of the rows itself (limit {last.limit:.0%}; "
        f"{_rows(readings):,} rows {_period(readings)})"
    )
    kinds = {name: n for name, n in last.report.checks.items() if name.startswith(("model:", "output:"))}
    named = ", ".join(f"{name} in {n:,} rows" for name, n in sorted(kinds.items(), key=lambda one: -one[1])[:NAMED])
    return sentence, named or "the log names no check", "go back to the version before: threefold rollback"


def _features(readings: Sequence[Reading], task: TaskSpec, watching: Watching, weights: Mapping[str, float]) -> Words:
    report = readings[-1].report
    features = [one for one in report.drift if one.column != PREDICTION]
    moved = _ranked([one for one in features if one.drifted], weights)
    sentence = (
        f"{len(moved)} of {len(features)} features lie beyond {watching.drift:g} of training, "
        f"most {_names(moved)} ({_period(readings)})"
    )
    return sentence, "a new season or market, or a change upstream", "nothing while the quality holds"


def _few(readings: Sequence[Reading], task: TaskSpec, watching: Watching, weights: Mapping[str, float]) -> Words:
    rows = _mean(readings, lambda one: one.value)
    sentence = (
        f"the last {len(readings)} windows hold {rows:,.0f} rows on average, too few to judge ({watching.min_rows})"
    )
    return sentence, "little traffic for the length of the window", "set a longer `window` under `watch` in the canvas"


Teller = Callable[[Sequence[Reading], TaskSpec, Watching, Mapping[str, float]], Words]
_tellers: dict[str, Teller] = {
    "calibration": _calibration,
    "decay": _decay,
    "prediction drift": _prediction,
    "input checks": _inputs,
    "unanswered": _unanswered,
    "feature drift": _features,
    "too few rows": _few,
}


# ---------------------------------------------------------------------------------------------------------- phrases


def _probable(report: WindowReport, weights: Mapping[str, float]) -> str:
    """What most likely lies behind it: values that went missing, a changed share, the inputs that moved."""
    features = [one for one in report.drift if one.column != PREDICTION]
    lost = [one for one in features if f"{GONE}{one.column}" in report.checks]
    told = [f"{one.column} went missing ({one.nulls_before:.0%} → {one.nulls_after:.0%})" for one in lost[:NAMED]]
    share, expected = report.metrics.get(SHARE), report.metrics.get(f"{SHARE} {EXPECTED}")
    if share is not None and expected is not None and abs(share - expected) > 0.05:
        told.append(f"the share itself went from {expected:.0%} in training to {share:.0%}")
    moved = _ranked([one for one in features if one.drifted], weights)
    if moved:
        told.append(f"of the inputs {_names(moved)} moved most")
    return "; ".join(told) or "no input moved: what the inputs say about the outcome has changed"


def _ranked(drifts: Sequence[Drift], weights: Mapping[str, float]) -> list[Drift]:
    """Furthest first, each distance weighed by how much of the score hangs on the feature."""
    return sorted(drifts, key=lambda one: (-one.score * weights.get(one.column, 1.0), one.column))


def _names(drifts: Sequence[Drift]) -> str:
    return ", ".join(f"{one.column} ({one.score:.2f})" for one in drifts[:NAMED])


def _positive(task: TaskSpec) -> str:
    plain = (task.positive or "").lower() in ("true", "1", "yes")
    return task.target if plain else f"{task.target} = {task.positive}"


def _period(readings: Sequence[Reading]) -> str:
    return f"from {readings[0].report.start[:16].replace('T00:00', '')} to {readings[-1].report.end[:16].replace('T00:00', '')}"


def _rows(readings: Sequence[Reading]) -> int:
    return sum(one.report.rows for one in readings)


def _mean(readings: Sequence[Reading], number: Callable[[Reading], float]) -> float:
    return sum(number(one) for one in readings) / len(readings)


def _of(report: WindowReport, column: str) -> Drift | None:
    return next((one for one in report.drift if one.column == column), None)


def _broken(report: WindowReport) -> dict[str, int]:
    kinds = ("input:null:", "input:values:", "input:type:")
    return {name: count for name, count in report.checks.items() if name.startswith(kinds)}
