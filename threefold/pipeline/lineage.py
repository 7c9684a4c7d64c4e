"""Lineage, read back: what the steps of an earlier run made."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from threefold.pipeline import cache
from threefold.pipeline.cache import Output
from threefold.records import from_plain
from threefold.store import Store, schema


def outputs_of(store: Store, run_id: str) -> dict[str, Output]:
    """What each step of a run gave, whether it ran then or was reused: "step" or "step.output" -> where it lies."""
    executions, kept = schema.executions, schema.cache
    query = (
        select(executions.c.step, kept.c.outputs)
        .join(kept, kept.c.key == executions.c.key)
        .where(executions.c.run_id == run_id, executions.c.status != "failed")
    )
    found: dict[str, Output] = {}
    with store.read() as connection:
        for step, outputs in connection.execute(query):
            for name, body in outputs.items():
                found[f"{step}.{name}" if name else step] = from_plain(body, Output)
    return found


def value_of(store: Store, output: Output) -> Any:
    """The value of an output.

    Raises:
        NotFound, StoreError, Refused: the object is gone or damaged, or a pickle of another store.
    """
    return cache.load(store, output)
