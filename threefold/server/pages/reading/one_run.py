"""One run with all that was logged to it."""

from __future__ import annotations

import math
from typing import Any

from sqlalchemy import Connection, Row, select

from threefold.errors import NotFound
from threefold.server.pages.words import seconds_between
from threefold.store.schema import (
    datasets,
    executions,
    experiments,
    files,
    logged_models,
    model_versions,
    run_datasets,
    run_models,
    runs,
    series,
)
from threefold.store.tracking.runs import params_of, tags_of

CHILDREN = 100  # shown under a run; the rest is a filter away
FILES = 1_000


def find(connection: Connection, run_id: str) -> Row[Any]:
    """A run by its id, or a beginning that fits one run only. Raises NotFound."""
    query = select(runs, experiments.c.name.label("experiment")).join(experiments)
    exact = connection.execute(query.where(runs.c.id == run_id)).first()
    if exact is not None:
        return exact
    some = connection.execute(query.where(runs.c.id.startswith(run_id, autoescape=True)).limit(2)).all()
    if len(some) == 1:
        return some[0]
    said = "several runs begin with" if some else "there is no run"
    raise NotFound(f"{said} {run_id!r}", "the runs of this store", "look for it in the table of runs")


def told(connection: Connection, run: Row[Any]) -> dict[str, Any]:
    """All that is known about a run, as plain values."""
    lengths = _series(connection, run.number)
    return {
        "id": run.id, "name": run.name or run.id[:8], "status": run.status, "kind": run.kind, "user": run.user,
        "experiment": run.experiment, "experiment_id": run.experiment_id, "started": run.started_at,
        "ended": run.ended_at, "took": seconds_between(run.started_at, run.ended_at), "deleted": run.deleted_at,
        "host": run.host, "pid": run.pid, "error": run.error, "code": run.code or {}, "environment": run.environment,
        "params": params_of(connection, [run.number]).get(run.number, {}),
        "tags": tags_of(connection, [run.number]).get(run.number, {}),
        "metrics": _metrics(lengths),
        "curves": [row["name"] for row in lengths if row["points"] > 1 and not _axis(row["name"])],
        "shapes": sorted({row["name"][:-2] for row in lengths if _axis(row["name"])}),
        "steps": _steps(connection, run.id),
        "parent": named(connection, run.parent_id),
        "children": _children(connection, run.id),
        "files": files_of(connection, run),
        "datasets": _datasets(connection, run.number),
        "models": _models(connection, run.number),
        "versions": _versions(connection, run.id),
    }  # fmt: skip


def files_of(connection: Connection, run: Row[Any]) -> list[dict[str, Any]]:
    """The files of a run: path below its own root, size, digest."""
    return files_below(connection, file_root(run))


def file_root(run: Row[Any]) -> str:
    """Where the files of a run lie among all files: "0/<run>/artifacts"."""
    return place_of(run.artifact_root) or f"{run.experiment_id}/{run.id}/artifacts"


def place_of(artifact_root: str) -> str:
    """Where the files below an address of the protocol lie among all files; empty where it names no place."""
    return artifact_root.removeprefix("mlflow-artifacts:").strip("/")


def files_below(connection: Connection, root: str) -> list[dict[str, Any]]:
    """The files below a place, the first FILES of them."""
    query = select(files).where(files.c.path > f"{root}/", files.c.path < f"{root}0").order_by(files.c.path)
    return [_file(row, root) for row in connection.execute(query.limit(FILES))]


def file_at(connection: Connection, root: str, path: str) -> dict[str, Any] | None:
    """One file below a place; None where there is none."""
    row = connection.execute(select(files).where(files.c.path == f"{root}/{path}")).first()
    return None if row is None else _file(row, root)


def _file(row: Row[Any], root: str) -> dict[str, Any]:
    path = row.path[len(root) + 1 :]
    return {"path": path, "size": row.size_bytes, "digest": row.digest, "changed": row.changed_ms}


def _series(connection: Connection, number: int) -> list[dict[str, Any]]:
    query = select(series).where(series.c.run == number).order_by(series.c.name).limit(2_000)
    return [
        {
            "name": row.name, "value": math.nan if row.last_value is None else row.last_value, "step": row.last_step,
            "at": row.last_at_ms, "points": row.length,
        }
        for row in connection.execute(query)
    ]  # fmt: skip


def _metrics(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Metrics without the axes of curves; a "_std" beside its mean becomes a part of it."""
    known = {row["name"]: row for row in rows if not _axis(row["name"])}
    return [
        {**row, "deviation": known[f"{name}_std"]["value"] if f"{name}_std" in known else None}
        for name, row in known.items()
        if not (name.endswith("_std") and name.removesuffix("_std") in known)
    ]


def _axis(name: str) -> bool:
    return name[-2:] in (".x", ".y")


def _steps(connection: Connection, run_id: str) -> list[dict[str, Any]]:
    query = select(executions).where(executions.c.run_id == run_id).order_by(executions.c.started_at)
    return [
        {
            "step": row.step, "status": row.status, "reason": row.reason, "started": row.started_at,
            "took": seconds_between(row.started_at, row.ended_at), "error": row.error,
        }
        for row in connection.execute(query.limit(2_000))
    ]  # fmt: skip


def named(connection: Connection, run_id: str | None) -> dict[str, Any] | None:
    """The name of a run, and whether it is still there; None without an id."""
    if not run_id:
        return None
    row = connection.execute(select(runs.c.name, runs.c.status).where(runs.c.id == run_id)).first()
    return {"id": run_id, "name": (row.name if row else "") or run_id[:8], "there": row is not None}


def _children(connection: Connection, run_id: str) -> list[dict[str, Any]]:
    query = select(runs).where(runs.c.parent_id == run_id, runs.c.deleted_at.is_(None)).order_by(runs.c.started_at)
    return [
        {"id": row.id, "name": row.name or row.id[:8], "status": row.status, "kind": row.kind,
         "took": seconds_between(row.started_at, row.ended_at)}
        for row in connection.execute(query.limit(CHILDREN))
    ]  # fmt: skip


def _datasets(connection: Connection, number: int) -> list[dict[str, Any]]:
    query = select(datasets, run_datasets.c.tags).join(run_datasets, run_datasets.c.dataset == datasets.c.id)
    return [
        {"name": row.name, "digest": row.digest, "source": row.source, "used_for": (row.tags or {}).get("mlflow.data.context", "")}
        for row in connection.execute(query.where(run_datasets.c.run == number).limit(100))
    ]  # fmt: skip


def _models(connection: Connection, number: int) -> list[dict[str, Any]]:
    query = select(run_models, logged_models.c.name).join(
        logged_models, logged_models.c.id == run_models.c.model_id, isouter=True
    )
    rows = connection.execute(query.where(run_models.c.run == number).limit(100))
    return [{"id": row.model_id, "name": row.name or row.model_id, "role": row.role, "step": row.step} for row in rows]


def _versions(connection: Connection, run_id: str) -> list[dict[str, Any]]:
    table = model_versions.c
    query = (
        select(table.name, table.number, table.status).where(table.run_id == run_id).order_by(table.name, table.number)
    )
    return [dict(row._mapping) for row in connection.execute(query)]
