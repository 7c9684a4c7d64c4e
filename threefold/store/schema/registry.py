"""Tables of the registry: models, versions, aliases, evidence, approvals, signatures, holds, releases."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, ForeignKey, Index, Integer, String, Table, Text

from threefold.store.schema.base import metadata

models = Table(
    "models",
    metadata,
    Column("name", String(256), primary_key=True),
    Column("description", Text, nullable=True),
    Column("created_ms", BigInteger, nullable=False),
    Column("updated_ms", BigInteger, nullable=False),
    Column("last_number", Integer, nullable=False),  # the last one given; a number never comes back
)

model_tags = Table(
    "model_tags",
    metadata,
    Column("name", String(256), ForeignKey("models.name", ondelete="CASCADE", onupdate="CASCADE"), primary_key=True),
    Column("key", String(250), primary_key=True),
    Column("value", Text, nullable=False),
)

model_versions = Table(
    "model_versions",
    metadata,
    Column("name", String(256), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("semantic", String(64), nullable=True),  # the name people give it: 2.1.0
    Column("run_id", String(32), nullable=False),  # empty: not known
    Column("bundle", String(64), nullable=False),  # empty: its files are at `source`, and not packed yet
    Column("status", String(16), nullable=False),  # candidate, refused, approved, released, retired
    Column("stage", String(32), nullable=False),  # of the protocol: None, Staging, Production, Archived
    Column("metrics", JSON, nullable=False),
    Column("lineage", JSON, nullable=True),  # records.Lineage; null for a version that a client logged
    Column("source", Text, nullable=False),  # the address a client gave: models:/m-…, runs:/…; empty for our own
    Column("model_id", String(34), nullable=True),  # the logged model it was made from
    Column("run_link", Text, nullable=True),
    Column("description", Text, nullable=True),
    Column("user", String(256), nullable=False),
    Column("created_at", String(32), nullable=False),
    Column("updated_at", String(32), nullable=False),
    Column("deleted_at", String(32), nullable=True),
    Index("model_versions_run", "run_id"),
    Index("model_versions_bundle", "bundle"),
)

version_tags = Table(
    "version_tags",
    metadata,
    Column("name", String(256), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("key", String(250), primary_key=True),
    Column("value", Text, nullable=False),
)

aliases = Table(
    "aliases",
    metadata,
    Column("name", String(256), primary_key=True),
    Column("alias", String(256), primary_key=True),
    Column("number", Integer, nullable=False),
    Column("set_at", String(32), nullable=False),
)

alias_moves = Table(
    "alias_moves",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(256), nullable=False),
    Column("alias", String(256), nullable=False),
    Column("before", Integer, nullable=True),  # null: it pointed nowhere
    Column("after", Integer, nullable=True),  # null: it was taken away
    Column("at", String(32), nullable=False),
    Column("by", String(128), nullable=False),
    Column("reason", Text, nullable=False),
    Index("alias_moves_name", "name", "alias", "at"),
)

evidence = Table(
    "evidence",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("subject", String(600), nullable=False),  # "model name/number"
    Column("gate", String(255), nullable=False),
    Column("passed", Integer, nullable=False),
    Column("body", JSON, nullable=False),  # records.GateResult
    Column("at", String(32), nullable=False),
    Index("evidence_subject", "subject"),
)

approvals = Table(
    "approvals",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("name", String(256), nullable=False),
    Column("number", Integer, nullable=False),
    Column("by", String(128), nullable=False),  # a person, or "rule"
    Column("reason", Text, nullable=False),
    Column("at", String(32), nullable=False),
    Index("approvals_version", "name", "number"),
)

signatures = Table(
    "signatures",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("subject", String(600), nullable=False),  # "model name/number"
    Column("key_id", String(64), nullable=False),  # sha256 of the public key
    Column("envelope", Text, nullable=False),  # DSSE over an in-toto statement
    Column("at", String(32), nullable=False),
    Index("signatures_subject", "subject"),
)

holds = Table(
    "holds",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("subject", String(600), nullable=False),  # "model name/number", "run <id>", "snapshot <digest>"
    Column("reason", Text, nullable=False),
    Column("by", String(128), nullable=False),
    Column("at", String(32), nullable=False),
    Column("released_at", String(32), nullable=True),
    Column("released_by", String(128), nullable=True),
    Index("holds_subject", "subject"),
)

releases = Table(
    "releases",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("endpoint", String(128), nullable=False),
    Column("name", String(256), nullable=False),
    Column("number", Integer, nullable=False),
    Column("body", JSON, nullable=False),  # records.Release
    Column("created_at", String(32), nullable=False),
    Index("releases_endpoint", "endpoint", "created_at"),
)
