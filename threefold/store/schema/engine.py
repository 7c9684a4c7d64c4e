"""Tables of the engine: what ran, what was reused, what it read and made."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, Float, ForeignKey, Index, String, Table, Text

from threefold.store.schema.base import metadata

executions = Table(
    "executions",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("run_id", String(32), ForeignKey("runs.id"), nullable=False),
    Column("step", String(128), nullable=False),
    Column("key", String(64), nullable=False),  # the fingerprint
    Column("status", String(16), nullable=False),  # ran, reused, failed
    Column("reason", Text, nullable=False),  # why it ran or was reused, for people
    Column("started_at", String(32), nullable=False),
    Column("ended_at", String(32), nullable=True),
    Column("error", JSON, nullable=True),
    Index("executions_run", "run_id"),
    Index("executions_key", "key"),
    Index("executions_step", "step", "started_at"),
)

cache = Table(
    "cache",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("step", String(128), nullable=False),
    Column("parts", JSON, nullable=False),  # what the fingerprint was made of, part by part
    Column("outputs", JSON, nullable=False),  # name -> {digest, codec, type, size}
    Column("duration_s", Float, nullable=False),
    Column("execution_id", String(32), nullable=False),
    Column("created_at", String(32), nullable=False),
    Index("cache_step", "step", "created_at"),
)

artifacts = Table(
    "artifacts",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("kind", String(32), nullable=False),  # table, json, object, model, bundle, report, file
    Column("name", String(255), nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("meta", JSON, nullable=False),
    Column("created_at", String(32), nullable=False),
)

edges = Table(
    "edges",
    metadata,
    Column("execution_id", String(32), primary_key=True),
    Column("direction", String(8), primary_key=True),  # input, output
    Column("name", String(128), primary_key=True),
    Column("digest", String(64), nullable=False),
    Index("edges_digest", "digest"),
)
