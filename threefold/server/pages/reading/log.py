"""The event log, page by page, and the state of its chain."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, select

from threefold.store.events import verify
from threefold.store.schema import checkpoints, events

PAGE = 100
CHECKED = 20_000  # rows that are checked at every look; a longer log is walked when somebody asks


def page_of(
    connection: Connection, *, kind: str = "", subject: str = "", actor: str = "", before: int | None = None
) -> tuple[list[dict[str, Any]], int | None]:
    """The newest events that fit, and the number before which the next page begins; None on the last."""
    found: list[ColumnElement[bool]] = []
    if kind:
        found.append(events.c.kind.startswith(kind, autoescape=True))
    if subject:
        found.append(events.c.subject.contains(subject, autoescape=True))
    if actor:
        found.append(events.c.actor == actor)
    if before is not None:
        found.append(events.c.seq < before)
    query = select(events).where(*found).order_by(events.c.seq.desc()).limit(PAGE + 1)
    rows = [
        {"seq": row.seq, "at": row.at, "kind": row.kind, "subject": row.subject, "actor": row.actor,
         "body": _body(row.body), "hash": row.hash}
        for row in connection.execute(query)
    ]  # fmt: skip
    return rows[:PAGE], rows[PAGE - 1]["seq"] if len(rows) > PAGE else None


def kinds(connection: Connection) -> list[str]:
    """Every kind of event there is, found by leaping through the index."""
    leap = select(func.min(events.c.kind).label("kind")).cte("leap", recursive=True)
    following = select(func.min(events.c.kind)).where(events.c.kind > leap.c.kind).scalar_subquery()
    leap = leap.union_all(select(following).where(leap.c.kind.is_not(None)))
    return list(connection.scalars(select(leap.c.kind).where(leap.c.kind.is_not(None)).limit(200)))


def state(connection: Connection, *, walk: bool) -> dict[str, Any]:
    """Whether the chain holds: how many rows, up to which checkpoint it is signed, and what is wrong if anything is."""
    length = connection.scalar(select(func.max(events.c.seq))) or 0
    signed = connection.execute(select(checkpoints.c.seq, checkpoints.c.at).order_by(checkpoints.c.seq.desc())).first()
    checked = walk or length <= CHECKED
    sound, wrong = verify(connection) if checked else (0, None)
    return {
        "length": length,
        "checked": checked,
        "sound": sound if checked else None,
        "wrong": wrong,
        "signed": {"seq": signed.seq, "at": signed.at} if signed else None,
    }


def _body(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return {"unreadable": text}
