"""What is live, and what waits for somebody."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, Row, case, func, or_, select

from threefold.records import utc_now
from threefold.store.schema import alerts, endpoints, events, experiments, model_versions, runs, snapshots, windows

WINDOWS = 60  # the last ones, in the small chart of an endpoint
RECENT = timedelta(days=7)
SHOWN = 8
FAILURES = 500  # looked at; more of them in a week are one message all the same
COUNTED = 100_000
TELLING = ("roc_auc", "r2", "macro_f1", "calibration_gap", "cost per prediction", "rmse", "accuracy", "log_loss")
QUIET = ("step.ran", "step.reused", "log.ingested", "windows.judged", "run.started", "evidence.recorded", "seal.opened")

# Written so that no index on the parent is used: most runs have none, and the order by time is what saves the sorting.
_TOP = func.coalesce(runs.c.parent_id, "") == ""


def served(connection: Connection) -> list[dict[str, Any]]:
    """Every endpoint: who answers with which share, what may come back, how its last windows went."""
    found = []
    for row in connection.execute(select(endpoints).order_by(endpoints.c.name)):
        routing = row.routing if isinstance(row.routing, Mapping) else {}
        judged = _windows(connection, row.name)
        found.append(
            {
                "name": row.name,
                "model": routing.get("model") or row.name,
                "generation": row.generation,
                "since": row.updated_at,
                "arms": sorted(routing.get("arms") or [], key=lambda arm: -arm["share"]),
                "rollout": routing.get("rollout"),
                "previous": (routing.get("previous") or {}).get("number"),
                "stopped": bool(routing.get("stopped")),
                "window": judged[-1] if judged else None,
                "lines": _lines(judged),
            }
        )
    return found


def waiting(connection: Connection) -> dict[str, Any]:
    """What needs somebody: open alerts, versions without a decision, canaries under way, runs that failed lately."""
    return {
        "alerts": _alerts(connection),
        "versions": _undecided(connection),
        "failed": _failed(connection),
    }


def numbers(connection: Connection) -> dict[str, int]:
    """How much there is; runs are counted up to COUNTED, and as running if they began in the last month."""
    some = select(runs.c.number).where(runs.c.deleted_at.is_(None)).limit(COUNTED)
    lately = (utc_now() - timedelta(days=30)).isoformat()
    questions = {
        "runs": select(func.count()).select_from(some.subquery()),
        "running": select(func.count())
        .select_from(runs)
        .where(runs.c.started_at >= lately, runs.c.status == "running", runs.c.deleted_at.is_(None)),
        "versions": select(func.count()).select_from(model_versions).where(model_versions.c.deleted_at.is_(None)),
        "snapshots": select(func.count()).select_from(snapshots),
    }
    return {name: connection.scalar(question) or 0 for name, question in questions.items()}


def latest_runs(connection: Connection, limit: int = SHOWN) -> list[dict[str, Any]]:
    """The newest runs that were not started by another one."""
    query = select(runs, experiments.c.name.label("experiment")).join(experiments)
    query = query.where(runs.c.deleted_at.is_(None), _TOP)
    rows = connection.execute(query.order_by(runs.c.started_at.desc(), runs.c.number.desc()).limit(limit))
    return [
        {"id": row.id, "name": row.name or row.id[:8], "status": row.status, "kind": row.kind, "started": row.started_at,
         "experiment": row.experiment}
        for row in rows
    ]  # fmt: skip


def happened(connection: Connection, limit: int = SHOWN) -> list[dict[str, Any]]:
    """The last events that a person would tell another."""
    query = select(events).where(events.c.kind.not_in(QUIET)).order_by(events.c.seq.desc()).limit(limit)
    return [
        {"seq": row.seq, "kind": row.kind, "subject": row.subject, "actor": row.actor, "at": row.at}
        for row in connection.execute(query)
    ]


def _windows(connection: Connection, endpoint: str) -> list[dict[str, Any]]:
    query = select(windows.c.body).where(windows.c.endpoint == endpoint).order_by(windows.c.end.desc()).limit(WINDOWS)
    return [body for body in reversed(connection.scalars(query).all()) if isinstance(body, dict)]


def _lines(judged: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The numbers that say most about an endpoint over its windows: how good it is, and how much traffic it has."""
    measured = [window.get("metrics") or {} for window in judged]
    names = dict.fromkeys(name for metrics in measured for name in metrics)
    chosen = [name for name in TELLING if name in names] or list(names)
    lines = [(name, [metrics.get(name) for metrics in measured]) for name in chosen[:3]]
    lines.append(("rows", [window.get("rows") for window in judged]))
    return [{"name": name, "values": values} for name, values in lines if sum(map(_is_number, values)) > 1]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _alerts(connection: Connection) -> list[dict[str, Any]]:
    query = select(alerts).where(alerts.c.status != "closed").order_by(alerts.c.opened_at.desc()).limit(20)
    return [
        {**(row.body if isinstance(row.body, dict) else {}), "id": row.id, "endpoint": row.endpoint,
         "cause": row.cause, "status": row.status, "opened": row.opened_at}
        for row in connection.execute(query)
    ]  # fmt: skip


def _undecided(connection: Connection) -> list[dict[str, Any]]:
    table = model_versions.c
    query = select(table.name, table.number, table.created_at, table.user).where(
        table.status == "candidate", table.deleted_at.is_(None)
    )
    rows = connection.execute(query.order_by(table.created_at.desc()).limit(20))
    return [{"name": row.name, "number": row.number, "at": row.created_at, "by": row.user} for row in rows]


def _failed(connection: Connection) -> dict[str, Any]:
    """Runs that failed lately, unless the same work was done since. Reads the runs of one week, however many there are."""
    since = (utc_now() - RECENT).isoformat()
    fits = (runs.c.started_at >= since, runs.c.deleted_at.is_(None), _TOP)
    query = select(runs).where(*fits, runs.c.status == "failed").order_by(runs.c.started_at.desc())
    found = connection.execute(query.limit(FAILURES)).all()
    if not found:
        return {"count": 0, "runs": [], "mended": 0}
    work = (runs.c.experiment_id, runs.c.kind, case((runs.c.kind == "pipeline", ""), else_=runs.c.name))
    again = or_(runs.c.kind == "pipeline", runs.c.name.in_({row.name for row in found}))
    done = select(*work, func.max(runs.c.started_at)).where(*fits, runs.c.status == "done", again).group_by(*work)
    mended = {tuple(row)[:3]: row[3] for row in connection.execute(done)}
    left = [row for row in found if mended.get(_work(row), "") < row.started_at]
    return {"count": len(left), "runs": [_failure(row) for row in left[:SHOWN]], "mended": len(found) - len(left)}


def _work(row: Row[Any]) -> tuple[int, str, str]:
    return row.experiment_id, row.kind, "" if row.kind == "pipeline" else row.name


def _failure(row: Row[Any]) -> dict[str, Any]:
    error = row.error if isinstance(row.error, dict) else {}
    return {
        "id": row.id, "name": row.name or row.id[:8], "started": row.started_at, "kind": row.kind,
        "what": error.get("what", ""),
    }  # fmt: skip
