"""The hash chain of the event log."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import Connection, select

from threefold.records import Event
from threefold.store.schema import events

GENESIS = "0" * 64


def canonical(body: Mapping[str, Any]) -> str:
    """JSON with sorted keys and no spaces: the text that is hashed and stored."""
    return json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)


def chain(previous: str, seq: int, at: str, kind: str, subject: str, actor: str, body: str) -> str:
    """The hash of one row: sha256 over the hash before it and every field, one per line."""
    text = "\n".join((previous, str(seq), at, kind, subject, actor, body))
    return hashlib.sha256(text.encode()).hexdigest()


def read(connection: Connection, *, subject: str | None = None, kind: str | None = None) -> Iterator[Event]:
    """The events in order, of one subject or kind where given."""
    query = select(events).order_by(events.c.seq)
    if subject is not None:
        query = query.where(events.c.subject == subject)
    if kind is not None:
        query = query.where(events.c.kind == kind)
    for row in connection.execute(query):
        yield Event(row.seq, row.at, row.kind, row.subject, row.actor, json.loads(row.body), row.previous, row.hash)


def verify(connection: Connection) -> tuple[int, str | None]:
    """Walk the chain.

    Returns:
        The number of sound rows from the start, and a sentence naming the first row that was altered or removed,
        or None when the whole chain holds.
    """
    previous, count = GENESIS, 0
    for row in connection.execute(select(events).order_by(events.c.seq)):
        if row.seq != count + 1:
            return count, f"event {count + 1} is missing: the next row is {row.seq}"
        expected = chain(previous, row.seq, row.at, row.kind, row.subject, row.actor, row.body)
        if row.previous != previous or row.hash != expected:
            return count, f"event {row.seq} ({row.kind} {row.subject}) does not match its hash"
        previous, count = row.hash, row.seq
    return count, None
