"""What a store holds, and where."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, func, select

from threefold.store import copying, schema
from threefold.store.store import Store


@dataclass(frozen=True, slots=True)
class Info:
    """Sizes in bytes; `rows` by table."""

    folder: str
    catalogue: str  # its address, without secrets
    engine: str  # sqlite, postgresql
    schema: str
    catalogue_bytes: int
    rows: dict[str, int]
    objects: str  # where they lie
    object_count: int
    object_bytes: int
    log_bytes: int  # of the inference log that is not yet ingested


def look(store: Store, progress: Callable[[str, int, int], None] = lambda what, done, of: None) -> Info:
    """Measure a store."""
    with store.read() as connection:
        revision = store.revision_in(connection)
        rows = {table.name: copying.count(connection, table) for table in schema.metadata.sorted_tables}
        catalogue_bytes = _size_of(connection)
    count = size = 0
    for digest in store.objects.digests():
        count, size = count + 1, size + store.objects.size_bytes(digest)
        progress("measuring objects", count, 0)
    log = store.root / "log"
    return Info(
        folder=str(store.root), catalogue=store.url, engine=store.engine.dialect.name, schema=revision or "",
        catalogue_bytes=catalogue_bytes, rows=rows, objects=store.objects.address, object_count=count, object_bytes=size,
        log_bytes=sum(file.stat().st_size for file in log.rglob("*.tflog")) if log.is_dir() else 0,
    )  # fmt: skip


def _size_of(connection: Connection) -> int:
    if connection.dialect.name == "postgresql":
        return connection.scalar(select(func.pg_database_size(func.current_database()))) or 0
    file = connection.engine.url.database or ""
    return sum(path.stat().st_size for path in map(Path, (file, f"{file}-wal")) if path.is_file())
