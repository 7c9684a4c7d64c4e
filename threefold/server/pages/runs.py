"""The page of all runs: a table that can be narrowed, ordered, given other columns, and saved as a view."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

from sqlalchemy import ColumnElement, Connection, delete, insert, select
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from threefold.server.pages.answer import action, page, store_of
from threefold.server.pages.look import address
from threefold.server.pages.reading import table
from threefold.server.pages.words import seconds_between
from threefold.store import Writer
from threefold.store.schema import experiments, runs, views

STATES = ("running", "done", "failed", "refused", "interrupted", "scheduled")
PLAIN = ("experiment", "kind", "started", "took", "user")  # columns beside the name and the state
USUAL = ("experiment", "started", "took")
GUESSED = 6  # metrics and parameters shown while nobody has chosen
TELLING = ("roc_auc", "loss", "accuracy", "rmse", "r2", "f1")  # metrics that most people look at first
KEPT = ("q", "experiment", "status", "kind", "sort", "col", "deleted")  # what makes a view


@page("runs")
def show(request: Request) -> dict[str, Any]:
    """One page of the table."""
    asked = request.query_params
    sort = asked.get("sort", "-started")
    with store_of(request).read() as connection:
        conditions = _conditions(asked)
        found = table.page_of(
            connection,
            table.Wanted(conditions, sort.lstrip("-"), sort.startswith("-"), asked.get("after", ""), _limit(asked)),
        )
        metrics, params = table.names_in(connection, "metrics"), table.names_in(connection, "params")
        columns = asked.getlist("col") or [*USUAL, *_guess(metrics, params)]
        values = table.values_of(connection, [row.number for row in found.rows], columns)
        count, exact = table.total(connection, conditions)
        return {
            "title": "Runs",
            "runs": [_line(row, values[row.number], columns) for row in found.rows],
            "columns": columns,
            "sort": sort,
            "count": count,
            "exact": exact,
            "next": _with(request, after=found.after) if found.after else None,
            "first": _with(request, after=None) if asked.get("after") else None,
            "_kinds": _distinct(connection, runs.c.kind),
            "_experiments": _experiments(connection),
            "_metrics": metrics,
            "_params": params,
            "_tags": table.names_in(connection, "tags"),
            "_states": STATES,
            "_plain": PLAIN,
            "_asked": {key: asked.get(key, "") for key in ("q", "experiment", "status", "kind", "deleted")},
            "_narrowed": any(asked.get(key) for key in ("q", "experiment", "status", "kind", "deleted")),
            "_sorting": {column: _sorting(request, column, sort) for column in ("name", "status", *columns)},
            "views": _views(connection),
            "_view": _view_query(request.url.query),
            "_here": request.url.query,
        }


@action
async def save_view(request: Request) -> Response:
    """Keep what the table shows under a name; a name that is there already gets the new view."""
    form = dict(parse_qsl((await request.body()).decode("utf-8", "replace"), keep_blank_values=True))
    name, query = form.get("name", "").strip()[:128], _view_query(form.get("query", ""))
    if name:
        kept = None if form.get("remove") else query
        await request.app.state.context.write(lambda tx: _keep_view(tx, name, kept))
    return RedirectResponse(f"/runs?{query}" if query else "/runs", status_code=303)


def _keep_view(tx: Writer, name: str, query: str | None) -> None:
    tx.execute(delete(views).where(views.c.page == "runs", views.c.name == name))
    if query is not None:
        tx.execute(insert(views).values(page="runs", name=name, query=query, by=tx.actor, at=tx.now))
    tx.event("view.saved" if query is not None else "view.removed", f"view runs/{name}", {"query": query})


def _conditions(asked: Any) -> tuple[ColumnElement[bool], ...]:
    found: list[ColumnElement[bool]] = [
        runs.c.deleted_at.is_not(None) if asked.get("deleted") else runs.c.deleted_at.is_(None)
    ]
    if asked.get("q"):
        found.append(table.searched(asked["q"].strip()))
    if asked.get("experiment", "").isdecimal() and len(asked["experiment"]) < 10:
        found.append(runs.c.experiment_id == int(asked["experiment"]))
    for key in ("status", "kind"):
        if asked.get(key):
            found.append(runs.c[key] == asked[key])
    return tuple(found)


def _limit(asked: Any) -> int:
    said = asked.get("limit", "")
    return max(1, min(int(said), 1_000)) if said.isdigit() and len(said) < 6 else table.PAGE


def _line(row: Any, values: dict[str, Any], columns: list[str]) -> dict[str, Any]:
    shown = {
        "id": row.id, "name": row.name or row.id[:8], "status": row.status, "kind": row.kind, "user": row.user,
        "experiment": row.experiment, "experiment_id": row.experiment_id, "started": row.started_at,
        "ended": row.ended_at, "took": seconds_between(row.started_at, row.ended_at),
    }  # fmt: skip
    return {**shown, "values": {column: values[column] for column in columns if column in values}}


def _guess(metrics: list[str], params: list[str]) -> list[str]:
    """The columns that are shown while nobody has chosen: a few metrics, then a few parameters."""
    telling = [name for name in metrics if not name.endswith("_std") and not name.startswith("system/")]
    telling.sort(key=lambda name: not any(word in name for word in TELLING))  # stable: else by name
    chosen = [f"metrics.{name}" for name in telling[: GUESSED - 2]]
    return chosen + [f"params.{name}" for name in params[: GUESSED - len(chosen)]]


def _with(request: Request, **changed: Any) -> str:
    kept = [(key, value) for key, value in request.query_params.multi_items() if key not in (*changed, "format")]
    return address("/runs", [*kept, *changed.items()])


def _sorting(request: Request, column: str, sort: str) -> dict[str, Any] | None:
    """The link that orders by a column, and how it is ordered now; None where it cannot be."""
    if column == "took" or column.startswith("tags."):
        return None
    now = {column: "ascending", f"-{column}": "descending"}.get(sort, "none")
    first_down = column == "started" or column.startswith("metrics.")
    target = column if now == "descending" or (now == "none" and not first_down) else f"-{column}"
    return {"now": now, "href": _with(request, sort=target, after=None)}


def _distinct(connection: Connection, column: Any) -> list[str]:
    return sorted(connection.scalars(select(column).distinct().limit(20)))


def _experiments(connection: Connection) -> list[dict[str, Any]]:
    query = select(experiments.c.id, experiments.c.name).where(experiments.c.deleted_at.is_(None))
    return [
        {"id": row.id, "name": row.name} for row in connection.execute(query.order_by(experiments.c.name).limit(300))
    ]


def _views(connection: Connection) -> list[dict[str, str]]:
    query = select(views.c.name, views.c.query, views.c.by).where(views.c.page == "runs").order_by(views.c.name)
    return [{"name": row.name, "href": f"/runs?{row.query}", "by": row.by} for row in connection.execute(query)]


def _view_query(query: str) -> str:
    """The part of an address that makes a view: not the page it stands on."""
    pairs = [(key, value) for key, value in parse_qsl(query) if key in KEPT]
    return address("", pairs).lstrip("?")
