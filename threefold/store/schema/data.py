"""Tables of the data room: snapshots, and who opened the sealed test set."""

from __future__ import annotations

from sqlalchemy import JSON, Column, Index, String, Table

from threefold.store.schema.base import metadata

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
