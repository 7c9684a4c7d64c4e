"""The sealed test set: reading it is recorded, and spends it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl
from sqlalchemy import insert, select

from threefold.store import Store, new_id
from threefold.store.schema import seal_readings


def open_sealed(store: Store, digest: str, purpose: str, subject: str) -> pl.DataFrame:
    """Read a sealed test set, on the record.

    The reading is recorded before the table is handed over: what nobody could have seen is never missing there.

    Args:
        digest: of the Parquet object in the store.
        purpose: "acceptance", or what else it is opened for.
        subject: for whom, as in "model flight-delays/3".
    Raises:
        NotFound, StoreError: the object is gone or damaged.
    """
    table = store.objects.get_table(digest)
    with store.write() as tx:
        before = len(tx.execute(select(seal_readings.c.id).where(seal_readings.c.digest == digest)).all())
        tx.execute(
            insert(seal_readings).values(id=new_id(), digest=digest, purpose=purpose, subject=subject, at=tx.now)
        )
        facts = {"purpose": purpose, "subject": subject, "rows": table.height, "readings_before": before}
        tx.event("seal.opened", f"test set {digest[:12]}", facts)
    return table


def readings(store: Store, digest: str) -> list[Mapping[str, Any]]:
    """Every recorded reading of a test set, oldest first: id, purpose, subject, at."""
    columns = (seal_readings.c.id, seal_readings.c.purpose, seal_readings.c.subject, seal_readings.c.at)
    query = select(*columns).where(seal_readings.c.digest == digest).order_by(seal_readings.c.at, seal_readings.c.id)
    with store.read() as connection:
        return [dict(row) for row in connection.execute(query).mappings()]
