"""Snapshots: which there are, what they hold, how two of them differ, and which versions rest on them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Row, func, select

from threefold.errors import NotFound, ThreefoldError
from threefold.store import Store
from threefold.store.schema import artifacts, model_versions, snapshots

LISTED = 500
FIRST_ROWS = 20
MEASURED_BYTES = 300_000_000  # larger tables are measured only when somebody asks: it would hold a reader for seconds


def every(connection: Connection) -> list[dict[str, Any]]:
    """All snapshots, newest first, each with the one taken before it of the same table."""
    rows = connection.execute(select(snapshots).order_by(snapshots.c.created_at.desc()).limit(LISTED)).all()
    used = _used(connection)
    found = [{**_told(row), "used_by": len(used.get(row.digest, []))} for row in rows]
    for place, one in enumerate(found):
        older = (other["digest"] for other in found[place + 1 :] if other["name"] == one["name"])
        one["before"] = next(older, None)
    return found


def one(connection: Connection, digest: str) -> dict[str, Any]:
    """One snapshot, or any other table that a step made. Raises NotFound."""
    row = connection.execute(select(snapshots).where(_is(snapshots.c.digest, digest)).limit(1)).first()
    if row is not None:
        others = connection.execute(
            select(snapshots)
            .where(snapshots.c.name == row.name, snapshots.c.digest != row.digest)
            .order_by(snapshots.c.created_at.desc())
            .limit(50)
        )
        return {**_told(row), "others": [_told(other) for other in others],
                "used_by": _used(connection).get(row.digest, [])}  # fmt: skip
    made = connection.execute(
        select(artifacts).where(_is(artifacts.c.digest, digest), artifacts.c.kind == "table")
    ).first()
    if made is None:
        raise NotFound(f"there is no table {digest[:64]!r}", "the data of this store", "the page of data lists them")
    return {
        "name": made.name, "digest": made.digest, "rows": None, "size": made.size_bytes, "columns": {}, "source": "",
        "taken": made.created_at, "as_of": None, "others": [], "used_by": _trained(connection, made.digest),
        "derived": True,
    }  # fmt: skip


def measured(store: Store, digest: str) -> dict[str, Any] | None:
    """Rows, and for each column its type, nulls and range; None where the bytes are gone or cannot be read."""
    try:
        return _measure(_Key(store, digest))
    except ThreefoldError:
        return None


def first_rows(store: Store, digest: str) -> list[dict[str, Any]]:
    """The first rows, as a person would look at them."""
    try:
        return [
            {name: None if value is None else str(value) for name, value in row.items()}
            for row in store.objects.scan_table(digest).head(FIRST_ROWS).collect().to_dicts()
        ]
    except ThreefoldError:
        return []


def difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The columns of two measured tables side by side, with what changed of each, in words."""
    old, new = before["columns"], after["columns"]
    return [
        {
            "name": name,
            "before": old.get(name),
            "after": new.get(name),
            "changes": _changes(old.get(name), new.get(name)),
        }
        for name in dict.fromkeys([*new, *old])
    ]


def _changes(old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> list[str]:
    if old is None or new is None:
        return ["new" if old is None else "gone"]
    checks = {"type": "type", "nulls": "nulls", "low": "range", "high": "range"}
    return list(dict.fromkeys(word for key, word in checks.items() if old[key] != new[key]))


class _Key:
    """A table of a store, by which its measures are remembered: bytes under a digest never change."""

    def __init__(self, store: Store, digest: str) -> None:
        self.store, self.digest = store, digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Key) and other.digest == self.digest


@lru_cache(maxsize=64)
def _measure(key: _Key) -> dict[str, Any]:
    import polars as pl  # 170 ms and 80 MB: only who looks into a table pays for it

    frame = key.store.objects.scan_table(key.digest)
    schema = dict(frame.collect_schema())
    ranged = [name for name, kind in schema.items() if kind.is_numeric() or kind.is_temporal() or kind == pl.String]
    asked = [pl.len().alias("rows")]
    asked += [pl.col(name).null_count().alias(f"nulls {name}") for name in schema]
    asked += [pl.col(name).min().alias(f"low {name}") for name in ranged]
    asked += [pl.col(name).max().alias(f"high {name}") for name in ranged]
    found = frame.select(asked).collect().row(0, named=True)
    return {
        "rows": found["rows"],
        "columns": {
            name: {"type": _named(kind), "nulls": found[f"nulls {name}"], "low": _plain(found.get(f"low {name}")),
                   "high": _plain(found.get(f"high {name}"))}
            for name, kind in schema.items()
        },
    }  # fmt: skip


def _named(kind: Any) -> str:
    """The type of a column without what Polars says of it beyond a reader's need."""
    return str(kind).replace("time_unit=", "").replace("time_zone=", "").replace("'", "").replace(", None", "")


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, int | float | str) else str(value)


def _told(row: Row[Any]) -> dict[str, Any]:
    body = row.body if isinstance(row.body, Mapping) else {}
    return {
        "name": row.name, "digest": row.digest, "rows": body.get("rows"), "size": body.get("size_bytes"),
        "columns": body.get("columns") or {}, "source": body.get("source") or "", "taken": row.created_at,
        "as_of": body.get("as_of"), "derived": False,
    }  # fmt: skip


def _is(column: Any, digest: str) -> Any:
    return column == digest if len(digest) == 64 else column.startswith(digest, autoescape=True)


def _used(connection: Connection) -> dict[str, list[dict[str, Any]]]:
    """Digest of a snapshot -> the versions that rest on it."""
    table = model_versions.c
    query = select(table.name, table.number, table.status, table.lineage).where(table.deleted_at.is_(None))
    found: dict[str, list[dict[str, Any]]] = {}
    for row in connection.execute(query.order_by(table.name, table.number)):
        for digest in ((row.lineage or {}).get("snapshots") or {}).values():
            found.setdefault(digest, []).append({"name": row.name, "number": row.number, "status": row.status})
    return found


def _trained(connection: Connection, digest: str) -> list[dict[str, Any]]:
    table = model_versions.c
    query = select(table.name, table.number, table.status, table.lineage).where(table.deleted_at.is_(None))
    return [
        {"name": row.name, "number": row.number, "status": row.status}
        for row in connection.execute(query)
        if digest in ((row.lineage or {}).get("training_set"), (row.lineage or {}).get("test_set"))
    ]


def how_many(connection: Connection) -> int:
    """How many snapshots there are in all."""
    return connection.scalar(select(func.count()).select_from(snapshots)) or 0
