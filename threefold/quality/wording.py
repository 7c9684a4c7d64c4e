"""Sentences of gates: by what, by how much, and what would pass."""

from __future__ import annotations

from math import isfinite

from threefold.records import Gate

NEAR = {">=": "at least", ">": "more than", "<=": "at most", "<": "less than"}


def figure(value: float, unit: str = "") -> str:
    """A number as a person reads it, with its unit.

    >>> figure(0.71234), figure(11.5, "USD"), figure(0.0000001), figure(1_500_000, "bytes")
    ('0.712', '11.50 USD', '1e-07', '1,500,000 bytes')
    """
    if not isfinite(value):
        text = "no number"
    elif value == 0:
        text = "0"
    elif abs(value) >= 1000:
        text = f"{value:,.0f}"
    elif abs(value) >= 10:
        text = f"{value:.2f}"
    elif abs(value) >= 0.001:
        text = f"{value:.3f}"
    else:
        text = f"{value:.2g}"
    return f"{text} {unit}".strip()


def limit_text(gate: Gate) -> str:
    """The limit as it stands in the canvas: ">= 0.7", "<= 12 USD"."""
    return f"{gate.operator} {gate.limit:g} {gate.unit}".strip()


def holds(gate: Gate, value: float) -> bool:
    """Whether a value keeps within the limit. A value that is no number never does."""
    if not isfinite(value):
        return False
    if gate.operator == ">=":
        return value >= gate.limit
    if gate.operator == ">":
        return value > gate.limit
    return value <= gate.limit if gate.operator == "<=" else value < gate.limit


def verdict(gate: Gate, subject: str, value: float, aside: str = "") -> str:
    """The sentence of a gate whose value is known.

    Args:
        subject: what was measured, as in "roc_auc" or "the gain of roc_auc over the baseline".
        aside: an explanation put behind the number, as in "0.71 of the model, 0.68 of the baseline".

    >>> verdict(Gate("roc_auc", "roc_auc", ">=", 0.7), "roc_auc", 0.65)
    'roc_auc is 0.650, 0.050 too low; at least 0.7 would pass'
    """
    number = figure(value, gate.unit) + (f" ({aside})" if aside else "")
    asked = f"{NEAR[gate.operator]} {gate.limit:g} {gate.unit}".strip()
    away = abs(value - gate.limit)
    if holds(gate, value):
        return f"{subject} is {number}; {asked} was asked"
    side = "low" if gate.operator in (">=", ">") else "high"
    missed = f"{figure(away, gate.unit)} too {side}" if away else "just on the limit"
    return f"{subject} is {number}, {missed}; {asked} would pass"
