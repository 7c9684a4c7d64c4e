"""Signed checkpoints of the event log, and the check of both.

The chain shows that no row was altered in between; whoever may write the tables could still compute every hash again.
A checkpoint signs the hash that the log had at one event, with a key that does not lie in the tables.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import insert, select

from threefold.errors import Refused
from threefold.records import utc_now
from threefold.store import cross_check, events
from threefold.store.events import canonical
from threefold.store.schema import checkpoints, log_head
from threefold.store.schema import events as event_rows
from threefold.store.signing import PublicKey, own_public, seal, trusted, unseal
from threefold.store.store import Store, Writer

TYPE = "application/vnd.threefold.checkpoint+json"
MADE = "log.signed"  # the event that follows each checkpoint, so that one that is taken away is missed
EVERY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A signed word: up to this event, the log was this."""

    seq: int
    hash: str
    at: str
    envelope: str  # DSSE over {seq, hash, at}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of checking the log."""

    events: int  # rows that hold, from the first on
    checkpoints: int  # that hold
    signed: int  # the last event that one of them vouches for
    findings: tuple[str, ...]  # what is wrong, each naming the row

    @property
    def sound(self) -> bool:
        """Whether nothing was altered, added or removed."""
        return not self.findings


def make(store: Store) -> Checkpoint:
    """Sign the log as it stands. Where nothing happened since the last checkpoint, that one is given back."""
    with store.write() as tx:
        return make_in(store, tx)


def make_in(store: Store, tx: Writer) -> Checkpoint:
    """The same inside a transaction that is already open; it covers the events of that transaction, too."""
    head = tx.connection.execute(select(log_head.c.seq, log_head.c.hash)).one()
    before = tx.connection.execute(select(checkpoints).order_by(checkpoints.c.seq.desc()).limit(1)).first()
    if before is not None and head.seq <= before.seq + 1:  # the one event since then says that it was made
        return Checkpoint(**before._mapping)
    said = {"seq": head.seq, "hash": head.hash, "at": tx.now}
    made = Checkpoint(**said, envelope=seal(store, TYPE, canonical(said).encode()))
    tx.execute(insert(checkpoints).values(seq=made.seq, hash=made.hash, at=made.at, envelope=made.envelope))
    tx.event(MADE, "log", {"seq": made.seq, "hash": made.hash, "key": own_public(store).id})
    return made


def make_daily(store: Store, now: datetime | None = None) -> Checkpoint | None:
    """A checkpoint where the last one is a day old; for processes that run for long. None: not yet due."""
    with store.read() as connection:
        last = connection.scalar(select(checkpoints.c.at).order_by(checkpoints.c.seq.desc()).limit(1))
    if last is not None and abs((now or utc_now()) - datetime.fromisoformat(last)) < EVERY:
        return None
    return make(store)


def list_checkpoints(store: Store) -> tuple[Checkpoint, ...]:
    """Every checkpoint, oldest first."""
    with store.read() as connection:
        return tuple(Checkpoint(**row._mapping) for row in connection.execute(_ALL))


def verify(store: Store, kept_elsewhere: Sequence[str] = ()) -> Verdict:
    """Check the chain, every checkpoint against it, and that what stands in the tables has its event.

    Args:
        kept_elsewhere: envelopes that somebody took out of the store; they must hold, too.
    """
    keys = trusted(store)
    with store.read() as connection:
        sound, broken = events.verify(connection)
        hashes = {row.seq: row.hash for row in connection.execute(select(event_rows.c.seq, event_rows.c.hash))}
        rows = [Checkpoint(**row._mapping) for row in connection.execute(_ALL)]
        promised = [json.loads(body) for body in connection.scalars(_PROMISED)]
        missing = list(cross_check.missing(connection))
    findings = [*([broken] if broken else []), *missing]
    held = 0
    for row in rows:
        wrong = _wrong(row, hashes, keys)
        findings += [wrong] if wrong else []
        held += not wrong
    findings += _taken_away(rows, promised)
    findings += _outside(kept_elsewhere, hashes, keys)
    return Verdict(sound, held, max((row.seq for row in rows), default=0), tuple(findings))


_ALL = select(checkpoints).order_by(checkpoints.c.seq)
_PROMISED = select(event_rows.c.body).where(event_rows.c.kind == MADE).order_by(event_rows.c.seq)


def _wrong(row: Checkpoint, hashes: dict[int, str], keys: Sequence[PublicKey]) -> str | None:
    """What speaks against one checkpoint."""
    try:
        said = _said(row.envelope, keys, f"checkpoint {row.seq}")
    except Refused as refused:
        return f"checkpoint {row.seq}: {refused.what}"
    if said != {"seq": row.seq, "hash": row.hash, "at": row.at}:
        return f"checkpoint {row.seq} says something else than its signature"
    return _against(said, hashes)


def _against(said: dict[str, Any], hashes: dict[int, str]) -> str | None:
    seq, at = said["seq"], said["at"][:19]
    if seq not in hashes:
        last = max(hashes, default=0)
        gone = f"the log ends at {last}" if last < seq else "that row is gone"
        return f"event {seq} is missing: the checkpoint of {at} vouches for it, but {gone}"
    if hashes[seq] != said["hash"]:
        return f"event {seq} or one before it was rewritten: the checkpoint of {at} vouches for another hash"
    return None


def _taken_away(rows: Sequence[Checkpoint], promised: Sequence[dict[str, Any]]) -> Iterator[str]:
    there = {(row.seq, row.hash) for row in rows}
    for said in promised:
        if (said["seq"], said["hash"]) not in there:
            yield f"checkpoint {said['seq']} was taken away: an event says that it was made"


def _outside(envelopes: Sequence[str], hashes: dict[int, str], keys: Sequence[PublicKey]) -> Iterator[str]:
    for number, envelope in enumerate(envelopes, start=1):
        try:
            wrong = _against(_said(envelope, keys, f"checkpoint file {number}"), hashes)
        except Refused as refused:
            wrong = f"{refused.where}: {refused.what}"
        if wrong:
            yield wrong


def _said(envelope: str, keys: Sequence[PublicKey], where: str) -> dict[str, Any]:
    payload, _ = unseal(envelope, TYPE, keys, where)
    said = json.loads(payload)
    if not isinstance(said, dict) or set(said) != {"seq", "hash", "at"}:
        raise Refused("the envelope does not hold a checkpoint", where, "name a file of: threefold audit checkpoint")
    return said
