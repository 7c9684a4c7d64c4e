"""The life of a run that a client logs: created, updated, deleted, restored; what is logged to it meanwhile."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from threefold.errors import DataError, NotFound
from threefold.store.schema import params, run_tags, runs
from threefold.store.store import Writer, new_id
from threefold.store.tracking import experiments
from threefold.store.tracking import runs as tracked
from threefold.store.tracking.checks import RUN_NAME, USER, check_length

NAME, PARENT, COMMIT = "mlflow.runName", "mlflow.parentRunId", "mlflow.source.git.commit"
_FIRST = [  # words with which MLflow's own random names begin, too: its clients expect one of them
    "able", "bold", "bright", "calm", "capable", "clean", "fearless", "funny", "gentle", "gifted", "kindly", "loud",
    "nimble", "orderly", "peaceful", "polite", "rare", "serious", "silent", "sincere", "smiling", "thoughtful",
    "upbeat", "wise",
]  # fmt: skip
_SECOND = [
    "ant", "bee", "crane", "crow", "deer", "dove", "elk", "finch", "fox", "hare", "heron", "ibis", "jay", "lark",
    "lynx", "mole", "newt", "otter", "owl", "perch", "seal", "swan",
]  # fmt: skip

_KEY = select(runs.c.number, runs.c.experiment_id, runs.c.deleted_at).where(runs.c.id == bindparam("run_id"))


@dataclass(frozen=True, slots=True)
class RunKey:
    """What has to be known of a run before anything is logged to it."""

    number: int
    experiment_id: int


def create(
    tx: Writer,
    experiment: int,
    *,
    started_ms: int,
    user: str = "",
    name: str = "",
    tags: Mapping[str, str] | None = None,
) -> str:
    """Begin a run; returns its id.

    Raises:
        NotFound, DataError: there is no such experiment, or it is deleted; two names were given.
    """
    tags = dict(tags or {})
    home = experiments.active(tx.connection, experiment)
    if name and tags.get(NAME, name) != name:
        raise DataError(
            f"Both 'run_name' argument and 'mlflow.runName' tag are specified, but with different values"
            f" (run_name='{name}', mlflow.runName='{tags[NAME]}')", "the request", "give one of them",
        )  # fmt: skip
    name = name or tags.get(NAME) or _random_name()
    check_length(name, RUN_NAME, "run_name")
    check_length(user, USER, "user_id")
    tags.setdefault(NAME, name)
    run_id = new_id()
    row = {
        "id": run_id, "experiment_id": experiment, "parent_id": (tags.get(PARENT) or None), "kind": "tracked",
        "name": name, "user": user, "status": "running", "started_at": moment(started_ms),
        "artifact_root": below(home.artifact_root, run_id, "artifacts"), "host": "", "pid": 0,
        "code": {"commit": tags[COMMIT]} if COMMIT in tags else {},
    }  # fmt: skip
    if row["parent_id"] and len(tags[PARENT]) > 32:
        row["parent_id"] = None  # no run of this store; the tag keeps it
    number = tracked.insert_run(tx.connection, row)
    tx.execute(insert(run_tags), [{"run": number, "name": key, "value": value} for key, value in tags.items()])
    tx.event("run.started", f"run {run_id}", {"experiment": home.name, "kind": "tracked", "name": name})
    return run_id


def find(connection: Connection, run_id: str) -> RunKey:
    """A run, deleted or not. Raises NotFound."""
    return _find(connection, run_id)[0]


def open_run(connection: Connection, run_id: str) -> RunKey:
    """A run to which something may be logged. Raises NotFound; DataError where it is deleted."""
    key, deleted = _find(connection, run_id)
    if deleted:
        raise DataError(
            f"The run {run_id} must be in the 'active' state. Current state is deleted", f"run {run_id}", "restore it"
        )
    return key


def change(
    tx: Writer, run_id: str, *, status: str | None = None, ended_ms: int | None = None, name: str | None = None
) -> None:
    """Set status, end or name of a run; None leaves it as it is. Raises NotFound, DataError."""
    key = open_run(tx.connection, run_id)
    values: dict[str, Any] = {}
    if status is not None:
        values["status"] = status
    if ended_ms is not None:
        values["ended_at"] = moment(ended_ms)
    if name:
        check_length(name, RUN_NAME, "run_name")
        values["name"] = name
        tracked.set_tags(tx.connection, key.number, {NAME: name})
    if values:
        tx.execute(update(runs).where(runs.c.number == key.number).values(**values))
    if status is not None and status != "running":
        tx.event(f"run.{status}", f"run {run_id}", {})


def set_deleted(tx: Writer, run_id: str, deleted: bool, reason: str = "") -> None:
    """Delete a run, or restore it. Raises NotFound."""
    key = find(tx.connection, run_id)
    tx.execute(update(runs).where(runs.c.number == key.number).values(deleted_at=tx.now if deleted else None))
    tx.event("run.deleted" if deleted else "run.restored", f"run {run_id}", {"reason": reason} if reason else {})


def log_params(connection: Connection, run_id: str, run: int, values: Mapping[str, str]) -> None:
    """Keep parameters of a run. One that is there already must have the same value.

    Raises:
        DataError: a parameter has another value already.
    """
    if not values:
        return
    query = select(params.c.name, params.c.value).where(params.c.run == run, params.c.name.in_(list(values)))
    known = {row.name: row.value for row in connection.execute(query)}
    for name, value in values.items():
        if known.get(name, value) != value:
            raise DataError(
                f"Changing param values is not allowed. Param with key='{name}' was already logged with"
                f" value='{known[name]}' for run ID='{run_id}'. Attempted logging new value '{value}'",
                f"run {run_id}", "log it under another name, or to a nested run",
            )  # fmt: skip
    rows = [{"run": run, "name": name, "value": value} for name, value in values.items() if name not in known]
    if rows:
        connection.execute(insert(params), rows)


def set_tags(connection: Connection, run: int, values: Mapping[str, str]) -> None:
    """Keep tags of a run; the tags that name it and its parent change the run itself, too."""
    if NAME in values:
        check_length(values[NAME], RUN_NAME, "run_name")
        connection.execute(update(runs).where(runs.c.number == run).values(name=values[NAME]))
    if len(values.get(PARENT, " " * 33)) <= 32:
        connection.execute(update(runs).where(runs.c.number == run).values(parent_id=values[PARENT] or None))
    tracked.set_tags(connection, run, values)


def tag_of(connection: Connection, run: int, name: str) -> str | None:
    """The value of a tag; None where the run has no such tag."""
    found: str | None = connection.scalar(
        select(run_tags.c.value).where(run_tags.c.run == run, run_tags.c.name == name)
    )
    return found


def delete_tag(connection: Connection, run_id: str, run: int, name: str) -> None:
    """Take a tag away. Raises NotFound."""
    if connection.execute(delete(run_tags).where(run_tags.c.run == run, run_tags.c.name == name)).rowcount == 0:
        raise NotFound(f"No tag with name: {name} in run with id {run_id}", f"run {run_id}", "see its tags")


def moment(at_ms: int) -> str:
    """Milliseconds since 1970 as the catalogue keeps moments. Raises DataError where no calendar has it.

    >>> moment(0)
    '1970-01-01T00:00:00.000+00:00'
    """
    try:
        return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds")
    except (OverflowError, ValueError, OSError):
        raise DataError(
            f"Invalid value {at_ms} for a time: no calendar has it", "the request", "give milliseconds since 1970"
        ) from None


def milliseconds(text: str) -> int:
    """A moment of the catalogue in milliseconds since 1970.

    >>> milliseconds("1970-01-01T00:00:00.456+00:00")
    456
    """
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def below(root: str, *parts: str) -> str:
    """An address below another; a query stays at the end."""
    address, mark, query = root.partition("?")
    return f"{'/'.join((address.rstrip('/'), *parts))}{mark}{query}"


def _find(connection: Connection, run_id: str) -> tuple[RunKey, str | None]:
    row = connection.execute(_KEY, {"run_id": run_id}).first()
    if row is None:
        raise NotFound(f"Run with id={run_id} not found", "the store", "see runs/search")
    return RunKey(row[0], row[1]), row[2]


def _random_name() -> str:
    return f"{secrets.choice(_FIRST)}-{secrets.choice(_SECOND)}-{secrets.randbelow(1000)}"
