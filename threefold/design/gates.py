"""Release gates, as the canvas writes them: `recall gap across carrier: "<= 0.2"`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, cast

from threefold.design.offered import METRICS, metric_named
from threefold.design.units import Unfit, quantity
from threefold.design.words import nearest, plain_key
from threefold.errors import ThreefoldError
from threefold.records import Gate

COST = "cost per prediction"
# What is measured on the packaged model rather than on its answers -> unit of the limit.
MEASURES = {"latency p50": "ms", "latency p99": "ms", "parity": "", "size": "bytes"}
UNITS = {"ms": {"ms": 1.0, "s": 1e3, "us": 1e-3}, "bytes": {"bytes": 1.0, "B": 1.0, "kB": 1e3, "MB": 1e6, "GB": 1e9}}

FORMS = (
    "a gate such as 'roc_auc', 'roc_auc over baseline', 'roc_auc over champion', 'worst recall across <column>' "
    "or 'recall gap across <column>'"
)
LIMIT = 'a limit in quotes, such as ">= 0.7" or "<= 12 USD"'


@dataclass(frozen=True, slots=True)
class Subject:
    """What a gate looks at, before its limit is known."""

    metric: str
    over: str | None = None
    across: str | None = None
    reduce: str | None = None


def parse_gate(name: str, limit: str, *, checks: Iterable[str] = ()) -> Gate:
    """One line of `accept`.

    Args:
        name: `<metric>`, `<metric> over baseline`, `<metric> over champion`, `<metric> gap across <column>`,
            `worst <metric> across <column>`, or a measure: latency p50, latency p99, parity, size.
        limit: an operator (>=, <=, >, <), a number, and a unit where the metric has one. Latencies become
            milliseconds, sizes bytes, "90%" becomes 0.9.
        checks: names of the project's own checks, which may stand in the place of a metric.
    Raises:
        ThreefoldError: the name or the limit is not of this form; says the nearest right one.
    """
    try:
        subject = parse_subject(name, tuple(checks))
    except Unfit as wrong:
        raise ThreefoldError(f"'{name}' is no gate", f"gate '{name}'", wrong.advice) from None
    try:
        operator, number, unit = parse_limit(limit, subject.metric)
    except Unfit as wrong:
        raise ThreefoldError(f"'{limit}' is no limit", f"gate '{name}'", wrong.advice) from None
    return make_gate(name, subject, (operator, number, unit))


def make_gate(name: str, subject: Subject, limit: tuple[str, float, str]) -> Gate:
    """The record of a gate from its two halves."""
    operator, number, unit = limit
    return Gate(
        " ".join(name.split()), subject.metric, cast(Any, operator), number, unit,
        subject.over, subject.across, cast(Any, subject.reduce),
    )  # fmt: skip


def parse_subject(name: str, checks: tuple[str, ...] = ()) -> Subject:
    """What a gate looks at. Raises Unfit with the nearest right form."""
    text = " ".join(name.split())
    if found := re.fullmatch(r"(.+) over (\S+)", text):
        rival = _one_of(found[2], ("baseline", "champion"), f"{found[1]} over ")
        return Subject(_metric(found[1], (), " over " + rival), over=rival)
    if found := re.fullmatch(r"(.+) gap across (.+)", text):
        return Subject(_metric(found[1], (), f" gap across {found[2]}"), across=found[2], reduce="gap")
    if found := re.fullmatch(r"worst (.+) across (.+)", text):
        return Subject(_metric(found[1], (), f" across {found[2]}", "worst "), across=found[2], reduce="worst")
    return Subject(_metric(text, (*MEASURES, *checks)))


def parse_limit(limit: str, metric: str) -> tuple[str, float, str]:
    """Operator, number and unit of a limit. Raises Unfit with what would be right."""
    text = limit.strip().replace("≥", ">=").replace("≤", "<=")
    found = re.fullmatch(r"(>=|<=|>|<)\s*(.+)", text)
    if not found:
        bare = quantity(text)
        raise Unfit(LIMIT, f'">= {text}" or "<= {text}' + '"' if bare and bare[1] in ("", "%") else None)
    parts = quantity(found[2])
    if parts is None:
        raise Unfit(LIMIT)
    return found[1], *_in_unit(*parts, metric)


def _in_unit(number: float, unit: str, metric: str) -> tuple[float, str]:
    if metric == COST:
        if unit and not re.fullmatch("[A-Za-z]{3}", unit):
            raise Unfit('a cost such as "<= 12 USD"')
        return number, unit.upper()
    own = MEASURES.get(metric, "")
    if own:
        known = {plain_key(one): factor for one, factor in UNITS[own].items()}
        if unit and plain_key(unit) not in known:
            raise Unfit(f"the limit in {', '.join(UNITS[own])}", nearest(unit, UNITS[own]))
        return number * known[plain_key(unit or own)], own
    if unit not in ("", "%"):
        raise Unfit(f"the limit without a unit: {metric} has none")
    return (number / 100 if unit else number), ""


def _metric(word: str, further: tuple[str, ...], after: str = "", before: str = "") -> str:
    known = (*METRICS, *further)
    same = next((one for one in further if plain_key(one) == plain_key(word)), None) or metric_named(word)
    if same is not None:
        return same
    near = nearest(word, known)
    if near is None:
        raise Unfit(f"{FORMS}; the metrics are: {', '.join(known)}")
    raise Unfit("", f"{before}{near}{after}")


def _one_of(word: str, known: tuple[str, ...], before: str) -> str:
    if word.lower() in known:
        return word.lower()
    near = nearest(word, known)
    raise Unfit(f"'{before}baseline' or '{before}champion'", f"{before}{near}" if near else None)
