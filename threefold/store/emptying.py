"""Put a store back to empty, for tests: every row of the catalogue goes, the event log too."""

from __future__ import annotations

from sqlalchemy import delete, text

from threefold.store.schema import HEAD, metadata
from threefold.store.store import Writer
from threefold.store.tracking import experiments


def empty(tx: Writer) -> None:
    """Remove every row, and begin anew as a store that was just made. Objects stay until `store gc` collects them."""
    if tx.connection.dialect.name == "postgresql":
        names = ", ".join(table.name for table in metadata.sorted_tables)
        tx.execute(text(f"TRUNCATE {names} RESTART IDENTITY"))  # DELETE would let the next experiment be number 2
    else:
        for table in reversed(metadata.sorted_tables):  # what refers to others goes before them
            tx.execute(delete(table))
    experiments.create(tx.connection, "Default", number=experiments.DEFAULT)
    tx.event("store.created", "store", {"schema": HEAD, "reset": True})
