"""Runs: what was executed, with which parameters, and what came of it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from socket import gethostname
from typing import Any, Literal

from sqlalchemy import Connection, Row, Select, bindparam, func, select, update

from threefold.errors import GateFailed, NotFound, Refused, StoreError, ThreefoldError
from threefold.pipeline import recording
from threefold.records import now_ms, plain, utc_now
from threefold.store import Store, Writer, new_id, schema
from threefold.store.tracking import experiments, metrics
from threefold.store.tracking import files as tracked_files
from threefold.store.tracking import runs as tracked

Status = Literal["running", "done", "failed", "refused", "interrupted"]
Curve = Sequence[tuple[float, float]]

current: ContextVar[str | None] = ContextVar("current run", default=None)  # the run this code is part of
_active: set[str] = set()  # running in this very process; all other rows with its pid are left over


@dataclass(frozen=True, slots=True)
class Run:
    """One execution of a graph, of a candidate, of a replay."""

    id: str
    parent_id: str | None
    project: str
    kind: str  # pipeline, candidate, replay, reproduce
    name: str
    status: Status
    started_at: str  # ISO 8601, UTC
    ended_at: str | None
    params: Mapping[str, Any]
    tags: Mapping[str, Any]
    code: Mapping[str, Any]
    environment: str | None  # digest of the environment document
    host: str
    pid: int
    error: Mapping[str, str] | None  # what, where, do


@dataclass(frozen=True, slots=True)
class ExecutionRow:
    """One step of one run, as the catalogue remembers it."""

    id: str
    run_id: str
    step: str
    key: str
    status: str  # ran, reused, failed
    reason: str
    started_at: str
    ended_at: str | None
    error: Mapping[str, str] | None


def start(
    store: Store,
    *,
    project: str,
    kind: str = "pipeline",
    name: str = "",
    params: Mapping[str, Any] | None = None,
    tags: Mapping[str, Any] | None = None,
    code: Mapping[str, Any] | None = None,
    environment: str | None = None,
    parent_id: str | None = None,
    files: Mapping[str, bytes] | None = None,
) -> str:
    """Open a run; returns its id. Without `parent_id` it belongs to the run this code is part of.

    Args:
        files: kept with it: path within the run -> content.
    """
    run_id = new_id()
    kept = {path: (store.objects.put(data), len(data)) for path, data in (files or {}).items()}
    row = {
        "id": run_id,
        "parent_id": parent_id or current.get(),
        "kind": kind,
        "name": name,
        "status": "running",
        "code": plain(dict(code or {})),
        "environment": environment,
        "host": gethostname(),
        "pid": os.getpid(),
    }
    with store.write() as tx:
        group = experiments.of_project(tx.connection, project)
        root = f"{experiments.ROOT}{group}/{run_id}/artifacts"
        more = {"experiment_id": group, "artifact_root": root, "user": tx.actor, "started_at": tx.now}
        number = tracked.insert_run(tx.connection, {**row, **more})
        tracked.set_params(tx.connection, number, plain(dict(params or {})))
        tracked.set_tags(tx.connection, number, plain(dict(tags or {})))
        for path, found in kept.items():
            tracked_files.put(tx.connection, tracked_files.path_in(root, path), *found)
        tx.event("run.started", f"run {run_id}", {"project": project, "kind": kind, "name": name})
    _active.add(run_id)
    return run_id


def finish(store: Store, run_id: str, status: Status = "done", error: ThreefoldError | None = None) -> None:
    """Close a run, with the error that ended it where there is one."""
    with store.write() as tx:
        finish_in(tx, run_id, status, error)
    _active.discard(run_id)


def over(run_id: str) -> None:
    """This process no longer works on a run, however it ended."""
    _active.discard(run_id)


def finish_in(tx: Writer, run_id: str, status: Status, error: ThreefoldError | None = None, **facts: Any) -> None:
    """Close a run inside a transaction that is already open; `facts` go into the event."""
    said = error_body(error)
    tx.execute(update(schema.runs).where(schema.runs.c.id == run_id).values(status=status, ended_at=tx.now, error=said))
    tx.event(f"run.{status}", f"run {run_id}", {**facts, **({"error": said} if said else {})})


def error_body(error: ThreefoldError | None) -> dict[str, str] | None:
    """An error's three answers, for a JSON column."""
    return None if error is None else {"what": error.what, "where": error.where, "do": error.do}


def status_of(error: BaseException) -> Status:
    """What a run is called that this error ended."""
    if isinstance(error, GateFailed | Refused):
        return "refused"
    return "failed" if isinstance(error, Exception) else "interrupted"


def as_threefold(error: BaseException) -> ThreefoldError | None:
    """The error as one of ours, to be shown; None for an interruption by the user."""
    if isinstance(error, ThreefoldError) or not isinstance(error, Exception):
        return error if isinstance(error, ThreefoldError) else None
    return ThreefoldError(f"{type(error).__name__}: {error}", "a run", "see the message and the code it came from")


@dataclass(frozen=True, slots=True)
class RunLog:
    """An open run that can be written to."""

    id: str
    store: Store

    def params(self, values: Mapping[str, Any]) -> None:
        """Add parameters; a name that is there already gets the new value."""
        with self.store.write() as tx:
            tracked.set_params(tx.connection, tracked.number_of(tx.connection, self.id), plain(dict(values)))

    def metrics(self, values: Mapping[str, float], *, step: int = 0) -> None:
        """Add metrics: name -> value at one step; NaN and infinity are kept as "no value"."""
        log_metrics(self.store, self.id, values, step=step)

    def curves(self, curves: Mapping[str, Curve]) -> None:
        """Add curves: name -> points (x, y)."""
        log_curves(self.store, self.id, curves)


@contextmanager
def recorded(
    store: Store,
    *,
    project: str,
    kind: str,
    name: str = "",
    params: Mapping[str, Any] | None = None,
    tags: Mapping[str, Any] | None = None,
    code: Mapping[str, Any] | None = None,
    parent_id: str | None = None,
) -> Iterator[RunLog]:
    """A run around a block: done at its end; failed, refused or interrupted where the block raises."""
    run_id = start(
        store, project=project, kind=kind, name=name, params=params, tags=tags, code=code, parent_id=parent_id
    )
    token = current.set(run_id)
    try:
        yield RunLog(run_id, store)
    except BaseException as error:
        _finish_quietly(store, run_id, error)
        raise
    finally:
        current.reset(token)
    finish(store, run_id)


def _finish_quietly(store: Store, run_id: str, error: BaseException) -> None:
    """Close a failed run; a store that cannot even take that must not hide what went wrong first."""
    try:
        finish(store, run_id, status_of(error), as_threefold(error))
    except ThreefoldError:
        _active.discard(run_id)  # the next start finds the row and marks it interrupted


# ----------------------------------------------------------------------------------------------------- metrics


def log_metrics(store: Store, run_id: str, values: Mapping[str, float], *, step: int = 0) -> None:
    """Keep metrics of a run: name -> value at one step; of values written twice the later one counts."""
    _add_points(store, run_id, [(name, step, value) for name, value in values.items()])


def log_curves(store: Store, run_id: str, curves: Mapping[str, Curve]) -> None:
    """Keep curves of a run: name -> points (x, y), as two series named "<name>.x" and "<name>.y"."""
    points = [
        (f"{name}.{axis}", position, point[index])
        for name, curve in curves.items()
        for position, point in enumerate(curve)
        for index, axis in enumerate("xy")
    ]
    _add_points(store, run_id, points)


def _add_points(store: Store, run_id: str, points: Sequence[tuple[str, int, float]]) -> None:
    with store.write() as tx:
        number = tracked.number_of(tx.connection, run_id)
        before = metrics.last(tx.connection, number, {name for name, _, _ in points})
        # Two values of one step within a millisecond: the second one is still the later.
        at = {name: max(now_ms(), point.at_ms + 1) for name, point in before.items()}
        values = [metrics.Point(name, float(value), step, at.get(name) or now_ms()) for name, step, value in points]
        metrics.add(tx.connection, number, values)


def metrics_of(store: Store, run_id: str) -> dict[str, float]:
    """The last value of each metric of a run, curves left out."""
    with store.read() as connection:
        last = metrics.last(connection, tracked.number_of(connection, run_id))
    return {name: point.value for name, point in last.items() if name[-2:] not in (".x", ".y")}


def files_of(store: Store, run_id: str) -> dict[str, tuple[str, int]]:
    """The files of a run: path -> digest and size."""
    with store.read() as connection:
        root = connection.scalar(select(schema.runs.c.artifact_root).where(schema.runs.c.id == run_id))
        if not root or not root.startswith(experiments.ROOT):
            return {}
        return tracked_files.below(connection, tracked_files.path_in(root))


def curves_of(store: Store, run_id: str) -> dict[str, list[tuple[float, float]]]:
    """The curves of a run: name -> points (x, y)."""
    found: dict[str, dict[int, float]] = {}
    with store.read() as connection:
        for point in metrics.history(connection, tracked.number_of(connection, run_id)):
            if point.name[-2:] in (".x", ".y"):
                found.setdefault(point.name, {})[point.step] = point.value  # the later one counts
    names = [name[:-2] for name in found if name.endswith(".x") and f"{name[:-2]}.y" in found]
    return {name: [(x, found[f"{name}.y"][step]) for step, x in sorted(found[f"{name}.x"].items())] for name in names}


# ----------------------------------------------------------------------------------------------------- reading


def get(store: Store, run_id: str) -> Run:
    """One run, by its id or the beginning of it.

    Raises:
        NotFound: there is none, or the beginning fits several.
    """
    found = _without_dead(store, _RUNS.where(schema.runs.c.id.startswith(run_id, autoescape=True)).limit(2))
    if len(found) != 1:
        said = "several runs begin with" if found else "there is no run"
        raise NotFound(f"{said} {run_id!r}", store.url, "see: threefold runs list")
    return found[0]


def list_runs(
    store: Store,
    *,
    project: str | None = None,
    kind: str | None = None,
    status: str | None = None,
    parent_id: str | None = None,
    limit: int = 50,
) -> list[Run]:
    """Runs, newest first, narrowed by what is given. Deleted ones are left out."""
    table = schema.runs
    query = _RUNS.where(table.c.deleted_at.is_(None)).order_by(table.c.started_at.desc()).limit(limit)
    wanted = {schema.experiments.c.name: project, table.c.kind: kind, table.c.status: status}
    for column, value in {**wanted, table.c.parent_id: parent_id}.items():
        if value is not None:
            query = query.where(column == value)
    return _without_dead(store, query)


_RUNS = select(schema.runs, schema.experiments.c.name.label("project")).join(schema.experiments)
_COLUMNS = (
    "id",
    "parent_id",
    "project",
    "kind",
    "name",
    "status",
    "started_at",
    "ended_at",
    "code",
    "environment",
    "host",
    "pid",
    "error",
)


def _records(connection: Connection, rows: Sequence[Row[Any]]) -> list[Run]:
    numbers = [row.number for row in rows]
    params, tags = tracked.params_of(connection, numbers), tracked.tags_of(connection, numbers)
    return [
        Run(
            **{name: row._mapping[name] for name in _COLUMNS},
            params={name: tracked.typed(text) for name, text in params.get(row.number, {}).items()},
            tags={name: tracked.typed(text) for name, text in tags.get(row.number, {}).items()},
        )
        for row in rows
    ]


def executions_of(store: Store, run_id: str) -> list[ExecutionRow]:
    """The steps of a run, in the order they were decided."""
    table = schema.executions
    query = select(table).where(table.c.run_id == run_id).order_by(table.c.started_at)
    with store.read() as connection:
        return [ExecutionRow(**row._mapping) for row in connection.execute(query)]


# -------------------------------------------------------------------------------------------------------- dead


def mark_interrupted(store: Store) -> tuple[str, ...]:
    """Mark the runs whose process is gone from this machine as interrupted; returns their ids.

    A run is over since the last step that ended in it. Where none did, nobody knows when that was.
    """
    table = schema.runs
    query = select(table.c.id, table.c.host, table.c.pid, table.c.status, table.c.started_at)
    with store.read() as connection:
        rows = connection.execute(query.where(table.c.status == "running", table.c.host == gethostname())).all()
    dead = tuple(row.id for row in rows if _is_dead(row))
    if dead:
        printed = {run_id: recording.left_behind(store, run_id) for run_id in dead}
        with store.write() as tx:
            for run_id in dead:
                recording.add_console(tx, run_id, printed[run_id])
                last = tx.connection.scalar(_LAST_SIGN, {"wanted": run_id})
                finish_in(tx, run_id, "interrupted", None, cause="its process is gone")
                tx.execute(update(table).where(table.c.id == run_id).values(ended_at=last))
        for run_id in dead:
            recording.forget(store, run_id)
    return dead


_LAST_SIGN = select(func.max(schema.executions.c.ended_at)).where(schema.executions.c.run_id == bindparam("wanted"))


def _without_dead(store: Store, query: Select[Any]) -> list[Run]:
    """The runs of a query; one whose process is gone is marked first, so that nobody reads that it goes on."""
    with store.read() as connection:
        rows = connection.execute(query).all()
        if not any(_is_dead(row) for row in rows):
            return _records(connection, rows)
    with suppress(StoreError):  # who may not write reads what stands there
        mark_interrupted(store)
    with store.read() as connection:
        return _records(connection, connection.execute(query).all())


def _is_dead(row: Any) -> bool:
    """Whether the row of a run says that it goes on here, in a process that is gone; 0 is a process nobody knows."""
    if row.status != "running" or row.host != gethostname() or not row.pid:
        return False
    return not _alive(row.id, row.pid, row.started_at)


def _alive(run_id: str, pid: int, started_at: str) -> bool:
    if pid == os.getpid():
        return run_id in _active
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # it lives, under another user
    return not _started_after(pid, started_at)


def _started_after(pid: int, moment: str) -> bool:
    """Whether the process is younger than the run: its number was given out again. False where nobody can tell."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            ticks = int(file.read().rpartition(")")[2].split()[19])
        with open("/proc/uptime") as file:
            uptime_s = float(file.read().split()[0])
    except (OSError, ValueError, IndexError):
        return False
    age_s = uptime_s - ticks / os.sysconf("SC_CLK_TCK")
    return age_s + 2 < (utc_now() - datetime.fromisoformat(moment)).total_seconds()
