"""Evidence: what the gates said about a version, kept for good."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import insert, select

from threefold.records import GateResult, from_plain, plain
from threefold.store import Store, new_id
from threefold.store.schema import evidence


@dataclass(frozen=True, slots=True)
class Evidence:
    """One result of one gate, with the moment it was recorded."""

    id: str
    subject: str  # "model flight-delays/3"
    result: GateResult
    at: datetime


def add(store: Store, subject: str, results: Sequence[GateResult]) -> tuple[str, ...]:
    """Keep the results of the gates on a subject; returns the id of each, in order."""
    ids = tuple(new_id() for _ in results)
    with store.write() as tx:
        for id_, result in zip(ids, results, strict=True):
            tx.execute(
                insert(evidence).values(
                    id=id_, subject=subject, gate=result.gate, passed=int(result.passed), body=plain(result), at=tx.now
                )
            )
        failed = [result.gate for result in results if not result.passed]
        tx.event("evidence.recorded", subject, {"gates": len(results), "failed": failed})
    return ids


def of(store: Store, subject: str) -> tuple[Evidence, ...]:
    """All evidence on a subject, oldest first."""
    return _read(store, evidence.c.subject == subject)


def newest(store: Store, subject: str) -> tuple[Evidence, ...]:
    """What the last acceptance test said: the results that were recorded together, later than all others."""
    found = of(store, subject)
    return tuple(one for one in found if one.at == found[-1].at)


def by_ids(store: Store, ids: Sequence[str]) -> tuple[Evidence, ...]:
    """The evidence a release names."""
    return _read(store, evidence.c.id.in_(list(ids)))


def _read(store: Store, condition: object) -> tuple[Evidence, ...]:
    query = select(evidence).where(condition).order_by(evidence.c.at, evidence.c.gate)  # type: ignore[arg-type]  # a column expression; SQLAlchemy's own name for it is private
    with store.read() as connection:
        return tuple(
            Evidence(row.id, row.subject, from_plain(row.body, GateResult), datetime.fromisoformat(row.at))
            for row in connection.execute(query)
        )
