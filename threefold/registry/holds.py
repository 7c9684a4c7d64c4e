"""Legal hold: what must not be deleted or purged, whatever its age."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Row, insert, or_, select, update

from threefold.errors import NotFound, Refused
from threefold.store import Store, new_id
from threefold.store.schema import holds

KINDS = ("model", "run", "snapshot", "experiment", "release", "endpoint", "object")


@dataclass(frozen=True, slots=True)
class Hold:
    """One order to keep something."""

    id: str
    subject: str
    reason: str
    by: str
    at: datetime
    released_at: datetime | None
    released_by: str | None


def add(store: Store, subject: str, reason: str) -> Hold:
    """Hold a subject: "model churn" with all its versions, "model churn/3", "run <id>", "snapshot <digest>" …

    Raises:
        Refused: no reason is named, or the subject is of no kind that can be held.
    """
    kind, _, name = subject.partition(" ")
    if kind not in KINDS or not name.strip():
        raise Refused(
            f"{subject!r} cannot be held",
            "threefold hold",
            f'write it as in "model churn/3"; kinds: {", ".join(KINDS)}',
        )
    if not reason.strip():
        raise Refused("a hold needs a reason", subject, "say who asked for it, and why")
    with store.write() as tx:
        row = {"id": new_id(), "subject": subject, "reason": reason, "by": tx.actor, "at": tx.now}
        tx.execute(insert(holds).values(**row))
        tx.event("hold.added", subject, {"hold": row["id"], "reason": reason})
    return Hold(row["id"], subject, reason, row["by"], datetime.fromisoformat(row["at"]), None, None)


def release(store: Store, subject: str, reason: str) -> tuple[Hold, ...]:
    """End every hold on a subject.

    Raises:
        NotFound: nothing holds it.
        Refused: no reason is named.
    """
    if not reason.strip():
        raise Refused("ending a hold needs a reason", subject, "say who allowed it, and why")
    with store.write() as tx:
        open_ = (holds.c.subject == subject, holds.c.released_at.is_(None))
        found = tx.execute(select(holds).where(*open_)).all()
        if not found:
            raise NotFound(f"nothing holds {subject!r}", store.url, "see: threefold hold list")
        tx.execute(update(holds).where(*open_).values(released_at=tx.now, released_by=tx.actor))
        tx.event("hold.released", subject, {"holds": [row.id for row in found], "reason": reason})
    return tuple(_hold(row) for row in found)


def list_holds(store: Store, *, ended: bool = False) -> tuple[Hold, ...]:
    """The holds that stand, oldest first; with `ended` those that were released, too."""
    query = select(holds).order_by(holds.c.at)
    if not ended:
        query = query.where(holds.c.released_at.is_(None))
    with store.read() as connection:
        return tuple(_hold(row) for row in connection.execute(query))


def require_free(connection: Connection, subject: str) -> None:
    """Say no to deleting something that is held. Raises Refused with the reason of the hold."""
    model = subject.rpartition("/")[0]
    named = or_(holds.c.subject == subject, holds.c.subject == (model or subject))
    row = connection.execute(select(holds).where(named, holds.c.released_at.is_(None))).first()
    if row is not None:
        raise Refused(
            f"{subject} is held by {row.by}: {row.reason}", f"hold on {row.subject} since {row.at[:10]}",
            f"nothing held is deleted; to end it: threefold hold release {row.subject} --reason WHY",
        )  # fmt: skip


def _hold(row: Row[tuple[object, ...]]) -> Hold:
    values = dict(row._mapping)
    for name in ("at", "released_at"):
        values[name] = datetime.fromisoformat(values[name]) if values[name] else None
    return Hold(**values)
