"""Every table of the catalogue.

One schema for SQLite and Postgres. A change here needs a migration under migrations/versions and a new HEAD;
a test compares the two. Times are stored as ISO 8601 text in UTC, so that both engines order and show them alike.
"""

from __future__ import annotations

from sqlalchemy import JSON, Column, Float, ForeignKey, Index, Integer, MetaData, String, Table, Text

HEAD = "0001"  # the newest migration; a store at another revision is migrated, or refused when it is newer

metadata = MetaData()

events = Table(
    "events",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=False),  # 1, 2, 3 … without gaps
    Column("at", String(32), nullable=False),
    Column("kind", String(64), nullable=False),  # noun.verb, as in "release.created"
    Column("subject", String(255), nullable=False),
    Column("actor", String(128), nullable=False),
    Column("body", Text, nullable=False),  # canonical JSON, as it was hashed
    Column("previous", String(64), nullable=False),
    Column("hash", String(64), nullable=False, unique=True),
    Index("events_subject", "subject"),
    Index("events_kind", "kind"),
)

runs = Table(
    "runs",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("parent_id", String(32), ForeignKey("runs.id"), nullable=True),
    Column("project", String(128), nullable=False),
    Column("kind", String(32), nullable=False),  # pipeline, candidate, replay, reproduce
    Column("name", String(128), nullable=False),
    Column("status", String(16), nullable=False),  # running, done, failed, refused, interrupted
    Column("started_at", String(32), nullable=False),
    Column("ended_at", String(32), nullable=True),
    Column("params", JSON, nullable=False),
    Column("tags", JSON, nullable=False),
    Column("code", JSON, nullable=False),  # commit, dirty, digest of the project's files
    Column("environment", String(64), nullable=True),  # digest of the environment document
    Column("host", String(128), nullable=False),
    Column("pid", Integer, nullable=False),
    Column("error", JSON, nullable=True),  # what, where, do
    Index("runs_project_started", "project", "started_at"),
)

metrics = Table(
    "metrics",
    metadata,
    Column("run_id", String(32), ForeignKey("runs.id"), primary_key=True),
    Column("name", String(128), primary_key=True),
    Column("step", Integer, primary_key=True),  # 0 for a single value; otherwise the position on a curve
    Column("value", Float, nullable=True),
    Column("at", String(32), nullable=False),
)

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
    Column("size_bytes", Integer, nullable=False),
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

snapshots = Table(
    "snapshots",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("name", String(128), primary_key=True),
    Column("body", JSON, nullable=False),  # records.Snapshot
    Column("created_at", String(32), nullable=False),
)

seal_readings = Table(
    "seal_readings",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("digest", String(64), nullable=False),  # the sealed test set
    Column("purpose", String(64), nullable=False),  # acceptance, or what else it was opened for
    Column("subject", String(255), nullable=False),
    Column("at", String(32), nullable=False),
    Index("seal_readings_digest", "digest"),
)

model_versions = Table(
    "model_versions",
    metadata,
    Column("name", String(128), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("run_id", String(32), nullable=False),
    Column("bundle", String(64), nullable=False),
    Column("status", String(16), nullable=False),  # candidate, refused, approved, retired
    Column("metrics", JSON, nullable=False),
    Column("lineage", JSON, nullable=False),  # records.Lineage
    Column("created_at", String(32), nullable=False),
)

aliases = Table(
    "aliases",
    metadata,
    Column("name", String(128), primary_key=True),
    Column("alias", String(64), primary_key=True),
    Column("number", Integer, nullable=False),
    Column("set_at", String(32), nullable=False),
)

evidence = Table(
    "evidence",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("subject", String(255), nullable=False),  # "model name/number"
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
    Column("name", String(128), nullable=False),
    Column("number", Integer, nullable=False),
    Column("by", String(128), nullable=False),  # a person, or "rule"
    Column("reason", Text, nullable=False),
    Column("at", String(32), nullable=False),
    Index("approvals_version", "name", "number"),
)

releases = Table(
    "releases",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("endpoint", String(128), nullable=False),
    Column("name", String(128), nullable=False),
    Column("number", Integer, nullable=False),
    Column("body", JSON, nullable=False),  # records.Release
    Column("created_at", String(32), nullable=False),
    Index("releases_endpoint", "endpoint", "created_at"),
)

endpoints = Table(
    "endpoints",
    metadata,
    Column("name", String(128), primary_key=True),
    Column("generation", Integer, nullable=False),
    Column("routing", JSON, nullable=False),  # records.Routing
    Column("updated_at", String(32), nullable=False),
)

log_segments = Table(
    "log_segments",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("endpoint", String(128), nullable=False),
    Column("kind", String(16), nullable=False),  # predictions, feedback
    Column("segment", String(255), nullable=False, unique=True),  # the log file it was read from, and which part
    Column("rows", Integer, nullable=False),
    Column("first_at", String(32), nullable=False),  # prediction time, not arrival time
    Column("last_at", String(32), nullable=False),
    Column("created_at", String(32), nullable=False),
    Index("log_segments_endpoint", "endpoint", "first_at"),
)

windows = Table(
    "windows",
    metadata,
    Column("endpoint", String(128), primary_key=True),
    Column("start", String(32), primary_key=True),
    Column("end", String(32), primary_key=True),
    Column("body", JSON, nullable=False),  # records.WindowReport
    Column("at", String(32), nullable=False),
)

alerts = Table(
    "alerts",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("endpoint", String(128), nullable=False),
    Column("cause", String(128), nullable=False),
    Column("status", String(16), nullable=False),  # open, acknowledged, closed
    Column("body", JSON, nullable=False),  # records.Alert
    Column("opened_at", String(32), nullable=False),
    Column("closed_at", String(32), nullable=True),
    Index("alerts_endpoint", "endpoint", "opened_at"),
)
