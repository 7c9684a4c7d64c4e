"""Snapshots: a table as it was at one moment, kept in the store."""

from __future__ import annotations

from pathlib import Path

import polars as pl
from sqlalchemy import Connection, insert, select

from threefold.data.sources import read, without_secrets
from threefold.design.canvas import Source
from threefold.records import Snapshot, from_plain, plain, utc_now
from threefold.store import Store
from threefold.store.schema import snapshots


def take(store: Store, source: Source, root: Path) -> Snapshot:
    """Read a source and keep what was there.

    An unchanged table is the same snapshot again: nothing new is stored or recorded.

    Raises:
        DataError: the source cannot be read.
        StoreError: the table cannot be kept.
    """
    frame, source_digest = read(source, root)
    return keep(store, source.name, frame, source=without_secrets(source.source), source_digest=source_digest)


def keep(
    store: Store, name: str, frame: pl.DataFrame, *, source: str, source_digest: str, as_of: str | None = None
) -> Snapshot:
    """Keep a table under its digest, with where it came from.

    Args:
        name: the table's name in the canvas.
        source: the address, without secrets.
        source_digest: sha256 of what was read.
        as_of: the data time up to which rows and late columns are known; None: all of it.
    """
    digest = store.objects.put_table(frame)
    known = find(store, name, digest)
    if known is not None:
        return known
    snapshot = Snapshot(
        name=name,
        digest=digest,
        rows=frame.height,
        size_bytes=store.objects.weight_bytes(digest),
        columns={column: str(dtype) for column, dtype in frame.schema.items()},
        source=source,
        source_digest=source_digest,
        taken_at=utc_now(),
        as_of=as_of,
    )
    body = plain(snapshot)
    with store.write() as tx:
        if _find(tx.connection, name, digest) is not None:
            return snapshot  # another process kept the same table in this moment
        tx.execute(insert(snapshots).values(digest=digest, name=name, body=body, created_at=tx.now))
        facts = {"digest": digest, "rows": snapshot.rows, "size_bytes": snapshot.size_bytes, "source": source}
        tx.event("snapshot.taken", f"table {name}", facts)
    return snapshot


def find(store: Store, name: str, digest: str) -> Snapshot | None:
    """A snapshot that was taken before; None where there is none."""
    with store.read() as connection:
        return _find(connection, name, digest)


def _find(connection: Connection, name: str, digest: str) -> Snapshot | None:
    query = select(snapshots.c.body).where(snapshots.c.name == name, snapshots.c.digest == digest)
    body = connection.execute(query).scalar_one_or_none()
    return from_plain(body, Snapshot) if body is not None else None


def read_snapshot(store: Store, snapshot: Snapshot) -> pl.DataFrame:
    """The table of a snapshot, checked against its digest.

    Raises:
        NotFound, StoreError: the object is gone or damaged.
    """
    return store.objects.get_table(snapshot.digest)
