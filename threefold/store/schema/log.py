"""The event log, where it stands, and the signed checkpoints over it."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, String, Table, Text

from threefold.store.schema.base import metadata

events = Table(
    "events",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=False),  # 1, 2, 3 … without gaps
    Column("at", String(32), nullable=False),
    Column("kind", String(64), nullable=False),  # noun.verb, as in "release.created"
    Column("subject", String(600), nullable=False),
    Column("actor", String(128), nullable=False),
    Column("body", Text, nullable=False),  # canonical JSON, as it was hashed
    Column("previous", String(64), nullable=False),
    Column("hash", String(64), nullable=False, unique=True),
    Index("events_subject", "subject"),
    Index("events_kind", "kind"),
)

log_head = Table(
    "log_head",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),  # 1: there is one row
    Column("seq", Integer, nullable=False),  # the last event; the next one continues here even if its row is taken away
    Column("hash", String(64), nullable=False),
)

checkpoints = Table(
    "checkpoints",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=False),  # the event it vouches for, and all before
    Column("hash", String(64), nullable=False),
    Column("at", String(32), nullable=False),
    Column("envelope", Text, nullable=False),  # the signature, as DSSE
)
