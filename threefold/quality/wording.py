"""Sentences of gates: by what, by how much, and what would pass."""

from __future__ import annotations

from math import isfinite
from typing import Any

import numpy as np

from threefold.records import Gate

NEEDS = {">=": "it needs {}", ">": "it needs more than {}", "<=": "at most {} passes", "<": "less than {} passes"}


def figure(value: float, unit: str = "", decimals: int | None = None) -> str:
    """A number as a person reads it, with its unit.

    >>> figure(0.71234), figure(11.5, "USD"), figure(0.0000001), figure(1_500_000, "bytes")
    ('0.712', '11.5 USD', '1e-07', '1,500,000 bytes')
    """
    places = _decimals(value) if decimals is None else decimals
    if not isfinite(value):
        text = "no number"
    elif value != 0 and abs(value) < 10**-places:
        text = f"{value:.2g}"
    else:
        text = f"{value + 0.0:,.{places}f}"  # -0.0 + 0.0 is 0.0: no reader wants "-0"
        text = text.rstrip("0").rstrip(".") if "." in text else text
    return f"{text} {unit}".strip()


def limit_text(gate: Gate, unit: str = "") -> str:
    """The limit as it stands in the canvas: ">= 0.7", "<= 12 USD"."""
    return f"{gate.operator} {figure(gate.limit, unit or gate.unit, 12)}"


def asked(gate: Gate, unit: str = "") -> str:
    """What would pass, where there is no value to tell a distance from."""
    return NEEDS[gate.operator].format(figure(gate.limit, unit or gate.unit, 12))


def holds(gate: Gate, value: float) -> bool:
    """Whether a value keeps within the limit. A value that is no number never does."""
    if not isfinite(value):
        return False
    if gate.operator == ">=":
        return value >= gate.limit
    if gate.operator == ">":
        return value > gate.limit
    return value <= gate.limit if gate.operator == "<=" else value < gate.limit


def verdict(gate: Gate, subject: str, value: float, aside: str = "", unit: str = "") -> str:
    """The sentence of a gate whose value is known.

    Args:
        subject: what was measured, as in "roc_auc" or "recall gap across carrier".
        aside: an explanation put behind the number, as in "0.742 against 0.7".
        unit: where the limit in the canvas does not name it.

    >>> verdict(Gate("roc_auc", "roc_auc", ">=", 0.7), "roc_auc", 0.742)
    'roc_auc is 0.742, 0.042 above the limit 0.7'
    >>> verdict(Gate("roc_auc", "roc_auc", ">=", 0.7), "roc_auc", 0.612)
    'roc_auc is 0.612; it needs 0.7, 0.088 more'
    >>> verdict(Gate("latency p99", "latency p99", "<=", 20.0, "ms"), "latency p99", 31.5)
    'latency p99 is 31.5 ms; at most 20 ms passes, 11.5 ms less'
    """
    unit = unit or gate.unit
    places = _enough(value, gate.limit)
    start = f"{subject} is {figure(value, unit, places)}" + (f" ({aside})" if aside else "")
    away = figure(abs(value - gate.limit), unit, places)
    upward = gate.operator.startswith(">")
    if not holds(gate, value):
        return f"{start}; {asked(gate, unit)}, {away} {'more' if upward else 'less'}"
    limit = figure(gate.limit, unit, 12)
    if value == gate.limit:
        return f"{start}, just on the limit {limit}"
    return f"{start}, {away} {'above' if upward else 'below'} the limit {limit}"


def plainly(value: Any) -> Any:
    """Details as JSON holds them: numbers of NumPy as numbers, and None for a number that is not finite."""
    if isinstance(value, dict):
        return {str(key): plainly(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plainly(one) for one in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not isfinite(value) else value


def _decimals(value: float) -> int:
    return next((places for below, places in ((10, 3), (100, 2), (1000, 1)) if abs(value) < below), 0)


def _enough(value: float, limit: float) -> int:
    """As many decimals as it takes to see that the two differ."""
    places = _decimals(max(abs(value), abs(limit)))
    while places < 12 and value != limit and abs(value - limit) < 10**-places:
        places += 1
    return places
