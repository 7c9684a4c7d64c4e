"""Logged models: what a run made before anybody registers it."""

from __future__ import annotations

import math
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Table, delete, insert, select, update

from threefold.errors import DataError, NotFound
from threefold.records import now_ms
from threefold.store.schema import logged_model_metrics, logged_model_params, logged_model_tags, logged_models
from threefold.store.store import Writer, new_id
from threefold.store.tracking import experiments
from threefold.store.tracking.checks import KEY, check_length
from threefold.store.tracking.lifecycle import below

NAME = 500
STATUSES = ("PENDING", "READY", "UPLOAD_FAILED")  # numbered from 1
_FORBIDDEN = ("/", ":", ".", "%", '"', "'")


@dataclass(slots=True)
class LoggedModel:
    """One logged model.

    Attributes:
        status: a number, as STATUSES counts.
        metrics: run, name, value, step, moment in ms, dataset name, dataset digest.
    """

    id: str
    experiment_id: int
    name: str
    artifact_root: str
    status: int
    status_message: str | None
    type: str | None
    source_run_id: str | None
    created_ms: int
    updated_ms: int
    deleted_at: str | None
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    metrics: list[tuple[str, str, float, int, int, str | None, str | None]] = field(default_factory=list)


def create(
    tx: Writer, experiment: int, *, name: str = "", type: str | None = None, run_id: str | None = None,
    params: Mapping[str, str], tags: Mapping[str, str],
) -> str:  # fmt: skip
    """Make a logged model, pending until its files are there; returns its id. Raises NotFound, DataError."""
    if any(letter in name for letter in _FORBIDDEN):
        raise DataError(
            f"Invalid model name ({name!r}) provided. Model name must be a non-empty string and cannot contain the"
            f" following characters: {_FORBIDDEN}", "name", "choose another name",
        )  # fmt: skip
    check_length(name, NAME, "name")
    check_length(type or "", NAME, "model_type")
    home = experiments.active(tx.connection, experiment)
    key, at = f"m-{new_id()}", now_ms()
    row = {
        "id": key, "experiment_id": experiment, "name": name or f"model-{secrets.token_hex(4)}", "status": 1,
        "artifact_root": below(home.artifact_root, "models", key, "artifacts"), "type": type, "source_run_id": run_id,
        "created_ms": at, "updated_ms": at,
    }  # fmt: skip
    tx.execute(insert(logged_models).values(**row))
    set_params(tx.connection, key, params)
    set_tags(tx.connection, key, tags)
    tx.event("logged_model.created", f"logged model {key}", {"name": row["name"], "run": run_id})
    return key


def get(connection: Connection, key: str, *, deleted: bool = False) -> LoggedModel:
    """One logged model. Raises NotFound.

    Args:
        deleted: whether a deleted one counts, too.
    """
    found = load(connection, [key])
    if not found or (found[0].deleted_at is not None and not deleted):
        raise _missing(key)
    return found[0]


def load(connection: Connection, keys: Sequence[str]) -> list[LoggedModel]:
    """Some logged models with all that belongs to them, in the order of the ids."""
    found: dict[str, LoggedModel] = {}
    for begin in range(0, len(keys), 500):
        part = list(keys[begin : begin + 500])
        for row in connection.execute(select(logged_models).where(logged_models.c.id.in_(part))):
            found[row.id] = LoggedModel(**row._mapping)
        for table, kind in ((logged_model_params, "params"), (logged_model_tags, "tags")):
            for row in connection.execute(select(table).where(table.c.model_id.in_(part)).order_by(table.c.name)):
                getattr(found[row.model_id], kind)[row.name] = row.value
        table = logged_model_metrics
        for row in connection.execute(select(table).where(table.c.model_id.in_(part)).order_by(table.c.id)):
            value = math.nan if row.value is None else row.value
            one = (row.run_id, row.name, value, row.step, row.at_ms, row.dataset_name, row.dataset_digest)
            found[row.model_id].metrics.append(one)
    return [found[key] for key in keys if key in found]


def set_status(tx: Writer, key: str, status: int, message: str | None = None) -> None:
    """Say whether its files are there. Raises NotFound."""
    _change(tx.connection, key, status=status, status_message=message)
    tx.event("logged_model.finished", f"logged model {key}", {"status": STATUSES[status - 1]})


def remove(tx: Writer, key: str) -> None:
    """Delete a logged model; its rows stay until they are collected. Raises NotFound."""
    _change(tx.connection, key, deleted_at=tx.now)
    tx.event("logged_model.deleted", f"logged model {key}", {})


def set_params(connection: Connection, key: str, values: Mapping[str, str]) -> None:
    """Keep parameters; one that is there already keeps its value."""
    known = connection.scalars(select(logged_model_params.c.name).where(logged_model_params.c.model_id == key)).all()
    _insert(connection, logged_model_params, key, {name: text for name, text in values.items() if name not in known})


def set_tags(connection: Connection, key: str, values: Mapping[str, str]) -> None:
    """Keep tags; a name that is there already gets the new value."""
    table = logged_model_tags
    connection.execute(delete(table).where(table.c.model_id == key, table.c.name.in_(list(values))))
    _insert(connection, table, key, values)


def delete_tag(connection: Connection, key: str, name: str) -> None:
    """Take a tag away. Raises NotFound."""
    table = logged_model_tags
    if connection.execute(delete(table).where(table.c.model_id == key, table.c.name == name)).rowcount == 0:
        raise NotFound(
            f"No tag with key '{name}' found for model with ID '{key}'", f"logged model {key}", "see its tags"
        )


def _insert(connection: Connection, table: Table, key: str, values: Mapping[str, str]) -> None:
    for name in values:
        check_length(name, KEY, "key")
    if values:
        rows = [{"model_id": key, "name": name, "value": value} for name, value in values.items()]
        connection.execute(insert(table), rows)


def _change(connection: Connection, key: str, **values: Any) -> None:
    mine = update(logged_models).where(logged_models.c.id == key)
    if connection.execute(mine.values(updated_ms=now_ms(), **values)).rowcount == 0:
        raise _missing(key)


def _missing(key: str) -> NotFound:
    return NotFound(f"Logged model with ID '{key}' not found", "the store", "see logged-models/search")
