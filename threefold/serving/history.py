"""What was in production at a moment, as the event log tells it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import func, select

from threefold.records import Routing
from threefold.store import Store
from threefold.store.schema import events

KINDS = (
    "endpoint.created", "endpoint.rolled back", "endpoint.stopped", "endpoint.resumed",
    "rollout.started", "rollout.advanced", "rollout.finished", "rollout.aborted",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Answering:
    """One version that answered."""

    version: int
    share: float  # of the traffic, 0 to 1
    release: str


@dataclass(frozen=True, slots=True)
class InProduction:
    """What one endpoint answered with, and since when."""

    endpoint: str
    model: str
    answering: tuple[Answering, ...]
    stopped: bool  # the fallback answered instead
    since: datetime
    because: str  # the event that made it so
    actor: str
    event: int


def state(routing: Routing) -> dict[str, Any]:
    """What an event about an endpoint says of it, so that one row is enough to know what answered from then on."""
    arms = [{"version": arm.number, "share": arm.share, "release": arm.release_id} for arm in routing.arms]
    return {"model": routing.model, "arms": arms, "stopped": routing.stopped}


def at(store: Store, moment: datetime, endpoint: str | None = None) -> tuple[InProduction, ...]:
    """What every endpoint, or one, answered with at a moment.

    Args:
        moment: with time zone.
    """
    last = select(func.max(events.c.seq)).where(
        events.c.kind.in_(KINDS), events.c.at <= moment.astimezone(UTC).isoformat()
    )
    if endpoint is not None:
        last = last.where(events.c.subject == f"endpoint {endpoint}")
    query = select(events).where(events.c.seq.in_(last.group_by(events.c.subject))).order_by(events.c.subject)
    with store.read() as connection:
        rows = connection.execute(query).all()
    return tuple(_in_production(row, json.loads(row.body)) for row in rows)


def _in_production(row: Any, body: Mapping[str, Any]) -> InProduction:
    return InProduction(
        endpoint=row.subject.removeprefix("endpoint "),
        model=body.get("model", ""),
        answering=tuple(Answering(**arm) for arm in body.get("arms", ())),
        stopped=bool(body.get("stopped")),
        since=datetime.fromisoformat(row.at),
        because=row.kind,
        actor=row.actor,
        event=row.seq,
    )
