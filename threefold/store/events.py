"""The hash chain of the event log."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import Connection, Select, select

from threefold.records import Event
from threefold.store.schema import events, log_head

GENESIS = "0" * 64


def canonical(body: Mapping[str, Any]) -> str:
    """JSON with sorted keys and no spaces: the text that is hashed and stored."""
    return json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)


def chain(previous: str, seq: int, at: str, kind: str, subject: str, actor: str, body: str) -> str:
    """The hash of one row: sha256 over the hash before it and every field, one per line."""
    text = "\n".join((previous, str(seq), at, kind, subject, actor, body))
    return hashlib.sha256(text.encode()).hexdigest()


def read(
    connection: Connection,
    *,
    subject: str | None = None,
    kind: str | None = None,
    since: str | None = None,
    last: int | None = None,
) -> Iterator[Event]:
    """The events in order, narrowed by what is given.

    Args:
        since: a moment as ISO 8601 text in UTC; only what happened then or later.
        last: only so many of the newest.
    """
    for row in connection.execute(_query(subject, kind, since, last)):
        yield Event(row.seq, row.at, row.kind, row.subject, row.actor, json.loads(row.body), row.previous, row.hash)


def read_raw(
    connection: Connection, *, subject: str | None = None, kind: str | None = None, since: str | None = None
) -> Iterator[dict[str, Any]]:
    """The rows as they were hashed: `body` is the very text, so that anybody can compute the hashes again."""
    for row in connection.execute(_query(subject, kind, since, None)):
        yield dict(row._mapping)


def _query(subject: str | None, kind: str | None, since: str | None, last: int | None) -> Select[Any]:
    query = select(events)
    for column, value in ((events.c.subject, subject), (events.c.kind, kind)):
        if value is not None:
            query = query.where(column == value)
    if since is not None:
        query = query.where(events.c.at >= since)
    if last is None:
        return query.order_by(events.c.seq)
    newest = query.order_by(events.c.seq.desc()).limit(last).subquery()
    return select(newest).order_by(newest.c.seq)


def verify(connection: Connection) -> tuple[int, str | None]:
    """Walk the chain.

    Returns:
        The number of sound rows from the start, and a sentence naming the first row that was altered, added or removed,
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
    head = connection.execute(select(log_head.c.seq, log_head.c.hash)).first()
    return count, _at_the_end(count, previous, (head.seq, head.hash) if head else (0, GENESIS))


def _at_the_end(count: int, last_hash: str, head: tuple[int, str]) -> str | None:
    """What is wrong with the end of a chain that holds in itself."""
    seq, hash_ = head
    if count < seq:
        lost = f"event {seq} is" if seq == count + 1 else f"events {count + 1} to {seq} are"
        return f"{lost} missing at the end of the log"
    if count > seq:
        return f"event {seq + 1} was added by hand: the log stood at {seq}"
    return None if hash_ == last_hash else f"event {count} was replaced: the log ended with another hash"
