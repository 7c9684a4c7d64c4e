"""Tables of serving and monitoring: endpoints, the inference log, windows, alerts and who has yet to hear of them."""

from __future__ import annotations

from sqlalchemy import JSON, Column, Index, Integer, String, Table, Text

from threefold.store.schema.base import metadata

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

notices = Table(
    "notices",
    metadata,
    Column("alert", String(32), primary_key=True),  # one that still has to be told; the row goes when it was
    Column("entry", String(1024), primary_key=True),  # of `watch.notify`: the channel and its target
    Column("error", Text, nullable=True),  # why the last try failed; null: there was none yet
)
