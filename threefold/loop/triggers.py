"""Triggers: when the loop turns again, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from threefold.design.canvas import Retraining
from threefold.records import Alert

# What the canvas may name under `retrain: on` -> how the causes of such alerts begin.
CAUSES = {"drift": ("prediction drift", "drift"), "decay": ("decay",), "calibration": ("calibration",)}


@dataclass(frozen=True, slots=True)
class Cause:
    """Why the loop turns: the word of the canvas, and the sentence for people."""

    on: str
    sentence: str


def due(
    retrain: Retraining, alerts: Sequence[Alert], now: datetime, last: datetime | None, *, new_data: bool = False
) -> Cause | None:
    """The reason to retrain now, or None.

    Args:
        alerts: those that are open.
        now: the moment on the data's clock.
        last: when the loop last turned, on the same clock; None: never. No cause but the schedule counts before
            `retrain.cool_down` has passed since then.
        new_data: whether a source changed since.
    """
    age = None if last is None else now - last
    if age is not None and age < retrain.cool_down:
        return None
    for alert in alerts:
        on = _named(retrain, alert)
        if on is not None and alert.severity == "page":
            return Cause(on, alert.sentence)
    if new_data and "new data" in retrain.on:
        return Cause("new data", "a source has new data")
    if retrain.every is not None and age is not None and age >= retrain.every:
        return Cause("schedule", f"{age.days} days have passed since the last training")
    return None


def _named(retrain: Retraining, alert: Alert) -> str | None:
    for on in retrain.on:
        if alert.cause.startswith(CAUSES.get(on, (on,))):
            return on
    return None
