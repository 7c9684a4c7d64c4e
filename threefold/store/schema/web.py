"""Tables of the doors: webhooks with what is still to be delivered, and the views people saved."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, ForeignKey, Index, Integer, String, Table, Text, UniqueConstraint

from threefold.store.schema.base import metadata

webhooks = Table(
    "webhooks",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("name", String(256), nullable=False),
    Column("description", Text, nullable=True),
    Column("url", Text, nullable=False),
    Column("events", JSON, nullable=False),  # a list of "entity.action"
    Column("secret", Text, nullable=True),  # encrypted under the store's key
    Column("status", String(16), nullable=False),  # ACTIVE, DISABLED
    Column("created_ms", BigInteger, nullable=False),
    Column("updated_ms", BigInteger, nullable=False),
    Column("deleted_at", String(32), nullable=True),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("webhook_id", String(36), ForeignKey("webhooks.id", ondelete="CASCADE"), nullable=False),
    Column("event", String(64), nullable=False),
    Column("payload", Text, nullable=False),
    Column("status", String(16), nullable=False),  # waiting, delivered, failed
    Column("attempts", Integer, nullable=False),
    Column("due_ms", BigInteger, nullable=False),
    Column("error", Text, nullable=True),  # what the last attempt met
    Index("deliveries_due", "status", "due_ms"),
)

views = Table(
    "views",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("page", String(32), nullable=False),
    Column("name", String(128), nullable=False),
    Column("query", Text, nullable=False),  # the part of the address behind "?"
    Column("by", String(128), nullable=False),
    Column("at", String(32), nullable=False),
    UniqueConstraint("page", "name"),
)
