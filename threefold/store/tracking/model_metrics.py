"""Metrics of logged models: what a run measured on a model, and on which dataset."""

from __future__ import annotations

import math
from collections.abc import Sequence

from sqlalchemy import Connection, insert, select

from threefold.store.schema import logged_model_metrics as table
from threefold.store.tracking.metrics import Point


def add(connection: Connection, run_id: str, points: Sequence[Point]) -> None:
    """Keep what a run measured on models; a value that stands there already is not kept twice."""
    rows = {
        (point.model_id, point.name, point.at_ms, point.step, _stored(point.value)): {
            "model_id": point.model_id, "run_id": run_id, "name": point.name, "step": point.step, "at_ms": point.at_ms,
            "value": _stored(point.value), "dataset_name": point.dataset_name, "dataset_digest": point.dataset_digest,
        }
        for point in points
    }  # fmt: skip
    models = {point.model_id for point in points}
    query = select(table.c.model_id, table.c.name, table.c.at_ms, table.c.step, table.c.value).where(
        table.c.run_id == run_id, table.c.model_id.in_(models), table.c.name.in_({point.name for point in points})
    )
    known = {tuple(row) for row in connection.execute(query)}
    new = [row for key, row in rows.items() if key not in known]
    if new:
        connection.execute(insert(table), new)


def _stored(value: float) -> float | None:
    return None if math.isnan(value) else value
