"""Model versions: numbered once, never changed but in their status and in what people call them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, Row, delete, insert, select, update

from threefold.errors import NotFound, Refused
from threefold.records import Bundle, Lineage, ModelVersion, from_plain, now_ms, plain
from threefold.store import Store, Writer
from threefold.store.schema import alias_moves, model_versions, models
from threefold.store.schema import aliases as alias_table

Status = Literal["candidate", "refused", "approved", "released", "retired"]

# From each status the ones it may move to. A refused or retired version can be looked at again, as a candidate.
MOVES: Mapping[str, tuple[Status, ...]] = {
    "candidate": ("approved", "refused", "retired"),
    "refused": ("candidate", "approved", "released", "retired"),  # its gates passed later, or a person stands up for it
    "approved": ("released", "refused", "retired"),
    "released": ("refused", "retired"),  # refused: its gates were run again; it may go on answering, and status says so
    "retired": ("candidate",),
}


def register(
    store: Store, name: str, bundle: Bundle | str, run_id: str, metrics: Mapping[str, float], lineage: Lineage
) -> ModelVersion:
    """Give a bundle the next number of its name. The same bundle of the same run keeps the number it has.

    Args:
        name: the model's name; the project's name by convention.
        bundle: the packed model, or its digest.
        run_id: the run that built it.
        metrics: what it reached in the acceptance test; values that are not finite are left out.
        lineage: the data, code and environment it rests on.
    """
    digest = bundle if isinstance(bundle, str) else bundle.digest
    with store.write() as tx:
        known = tx.connection.execute(
            select(model_versions).where(
                model_versions.c.name == name, model_versions.c.bundle == digest, model_versions.c.run_id == run_id
            )
        ).first()
        if known:
            return version_of(known)
        number = next_number(tx, name)
        row = {
            "name": name, "number": number, "run_id": run_id, "bundle": digest, "status": "candidate", "stage": "None",
            "metrics": finite(metrics), "lineage": plain(lineage), "source": "", "user": tx.actor,
            "created_at": tx.now, "updated_at": tx.now,
        }  # fmt: skip
        tx.execute(insert(model_versions).values(**row))
        tx.event("model.registered", subject(name, number), {"bundle": digest, "run": run_id})
        return _record(row)


def get(store: Store, name: str, number: int) -> ModelVersion:
    """One version of a model.

    Raises:
        NotFound: the name has no such version; the error lists those it has.
    """
    with store.read() as connection:
        return find_in(connection, name, number, store.url)


def list_versions(store: Store, name: str | None = None) -> tuple[ModelVersion, ...]:
    """The versions of one model, or of all models, oldest first; without those that were deleted."""
    query = select(model_versions).order_by(model_versions.c.name, model_versions.c.number)
    query = query.where(model_versions.c.deleted_at.is_(None))
    if name is not None:
        query = query.where(model_versions.c.name == name)
    with store.read() as connection:
        return tuple(version_of(row) for row in connection.execute(query))


def set_status(store: Store, name: str, number: int, status: Status, reason: str = "") -> ModelVersion:
    """Move a version to another status, with an event that says why.

    Raises:
        NotFound: the name has no such version.
        Refused: from where it stands, it cannot go there.
    """
    with store.write() as tx:
        return move_status(tx, name, number, status, reason, store.url)


def set_alias(store: Store, name: str, alias: str, number: int, reason: str = "") -> None:
    """Let an alias ("champion", "challenger", or a name of your own) point at a version.

    Raises:
        NotFound: the name has no such version.
    """
    with store.write() as tx:
        find_in(tx.connection, name, number, store.url)
        move_alias(tx, name, alias, number, reason)


def aliases(store: Store, name: str) -> dict[str, int]:
    """The aliases of a model with the number each points at."""
    query = select(alias_table.c.alias, alias_table.c.number).where(alias_table.c.name == name)
    with store.read() as connection:
        return {row.alias: row.number for row in connection.execute(query.order_by(alias_table.c.alias))}


def subject(name: str, number: int) -> str:
    """How events and evidence name a version: "model flight-delays/3"."""
    return f"model {name}/{number}"


def find_in(connection: Connection, name: str, number: int, where: str) -> ModelVersion:
    """One version, read inside a transaction. Raises NotFound with the versions there are."""
    there = (model_versions.c.name == name, model_versions.c.deleted_at.is_(None))
    row = connection.execute(select(model_versions).where(*there, model_versions.c.number == number)).first()
    if row is None:
        numbers = connection.scalars(select(model_versions.c.number).where(*there)).all()
        has = f"it has {', '.join(map(str, sorted(numbers)))}" if numbers else "no version of that name is registered"
        raise NotFound(
            f"model {name!r} has no version {number}", f"registry in {where}", f"{has}; see: threefold models search"
        )
    return version_of(row)


def move_status(tx: Writer, name: str, number: int, status: Status, reason: str, where: str) -> ModelVersion:
    """Change a version's status inside a transaction; nothing happens where it already has it."""
    if status not in MOVES:
        raise ValueError(f"no such status: {status!r}; one of {', '.join(MOVES)}")
    version = find_in(tx.connection, name, number, where)
    if version.status != status:
        if status not in MOVES[version.status]:
            raise Refused(
                f"version {number} is {version.status} and cannot become {status}", subject(name, number),
                f"from {version.status} it can go to: {', '.join(MOVES[version.status])}",
            )  # fmt: skip
        same = (model_versions.c.name == name, model_versions.c.number == number)
        tx.execute(update(model_versions).where(*same).values(status=status, updated_at=tx.now))
        tx.event(f"model.{status}", subject(name, number), {"from": version.status, "reason": reason})
    return find_in(tx.connection, name, number, where)


def move_alias(tx: Writer, name: str, alias: str, number: int | None, reason: str = "") -> None:
    """Set an alias inside a transaction, or take it away with None; what it left is kept as history."""
    mine = (alias_table.c.name == name, alias_table.c.alias == alias)
    before = tx.connection.scalar(select(alias_table.c.number).where(*mine))
    if before == number:
        return
    tx.execute(delete(alias_table).where(*mine))
    if number is not None:
        tx.execute(insert(alias_table).values(name=name, alias=alias, number=number, set_at=tx.now))
    moved = {"name": name, "alias": alias, "before": before, "after": number, "at": tx.now, "by": tx.actor}
    tx.execute(insert(alias_moves).values(**moved, reason=reason))
    tx.event("alias.moved", f"model {name}", {"alias": alias, "from": before, "to": number, "reason": reason})


def next_number(tx: Writer, name: str) -> int:
    """The next number of a name; the name is made where there is none."""
    # Kept beside the versions, so that a number never comes back, even after its version was deleted.
    mine = models.c.name == name
    last = tx.connection.scalar(select(models.c.last_number).where(mine))
    if last is None:
        tx.execute(insert(models).values(name=name, created_ms=now_ms(), updated_ms=now_ms(), last_number=1))
        return 1
    tx.execute(update(models).where(mine).values(last_number=last + 1, updated_ms=now_ms()))
    return int(last) + 1


def finite(metrics: Mapping[str, float]) -> dict[str, float]:
    """Those that are numbers."""
    return {key: float(value) for key, value in metrics.items() if value is not None and abs(value) < float("inf")}


def version_of(row: Row[Any]) -> ModelVersion:
    """The record of a row of the table."""
    return _record(dict(row._mapping))


def _logged(run_id: str) -> dict[str, Any]:
    """What is known of a version that a client logged: its run."""
    return {
        "snapshots": {}, "training_set": "", "test_set": "", "code": {}, "environment": "", "run_id": run_id,
        "candidate": "", "as_of": None, "canvas": "", "seed": 0,
    }  # fmt: skip


def _record(row: Mapping[str, Any]) -> ModelVersion:
    return ModelVersion(
        name=row["name"], number=row["number"], run_id=row["run_id"], bundle=row["bundle"], status=row["status"],
        metrics=row["metrics"], lineage=from_plain(row["lineage"] or _logged(row["run_id"]), Lineage),
        created_at=datetime.fromisoformat(row["created_at"]), semantic=row.get("semantic"), user=row["user"],
    )  # fmt: skip
