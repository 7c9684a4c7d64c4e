"""The page of all runs: a table that can be narrowed, ordered, given other columns, and saved as a view."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

from sqlalchemy import ColumnElement, Connection, Select, delete, insert, select
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from threefold.errors import DataError
from threefold.server.pages.answer import action, page, store_of, wants_json
from threefold.server.pages.look import address
from threefold.server.pages.reading import table
from threefold.server.pages.reading.alive import settled
from threefold.server.pages.words import seconds_between
from threefold.store import Store, Writer
from threefold.store.schema import experiments, runs, views
from threefold.store.tracking import narrowing
from threefold.store.tracking.conditions import condition_of
from threefold.store.tracking.filters import parse

STATES = ("running", "done", "failed", "refused", "interrupted", "scheduled")
PLAIN = ("experiment", "kind", "started", "took", "user")  # columns beside the name and the state
USUAL = ("experiment", "started", "took")
GUESSED = 6  # metrics and parameters shown while nobody has chosen
TELLING = ("roc_auc", "loss", "accuracy", "rmse", "r2", "f1")  # metrics that most people look at first
NARROWING = ("filter", "q", "experiment", "status", "kind", "deleted")
KEPT = (*NARROWING, "sort", "col")  # what makes a view


@page("runs")
def show(request: Request) -> dict[str, Any]:
    """One page of the table."""
    store = store_of(request)
    try:
        told = _table(store, request)
    except DataError as error:
        if wants_json(request):
            raise
        # The page stays as it is, so that the filter can be mended where it stands.
        told = {**_table(store, request, filtered=False), "runs": [], "next": None, "count": 0, "_problem": error}
    return told


def _table(store: Store, request: Request, *, filtered: bool = True) -> dict[str, Any]:
    asked = request.query_params
    sort = asked.get("sort", "-started")
    with store.read() as connection:
        conditions, fitting = _narrowed(connection, _scope(asked), asked.get("filter") if filtered else None)
        wanted = table.Wanted(conditions, sort.lstrip("-"), sort.startswith("-"), asked.get("after", ""), _limit(asked))
        found = table.page_of(connection, wanted)
    if settled(store, found.rows):
        return _table(store, request, filtered=filtered)
    with store.read() as connection:
        numbers = [row.number for row in found.rows]
        columns = asked.getlist("col") or [*USUAL, *_guess(connection, numbers)]
        values = table.values_of(connection, numbers, columns)
        count, exact = table.total(connection, fitting)
        return {
            "title": "Runs",
            "runs": [_line(row, values[row.number], columns) for row in found.rows],
            "columns": columns,
            "sort": sort,
            "count": count,
            "exact": exact,
            "next": _with(request, after=found.after) if found.after else None,
            "first": _with(request, after=None) if asked.get("after") else None,
            "views": _views(connection),
            "_problem": None,
            **_controls(connection, request, columns, sort),
        }


def _controls(connection: Connection, request: Request, columns: list[str], sort: str) -> dict[str, Any]:
    """What the form above the table offers, and what was chosen in it."""
    asked = request.query_params
    return {
        "_kinds": table.kinds_in(connection),
        "_experiments": _experiments(connection),
        "_metrics": table.names_in(connection, "metrics"),
        "_params": table.names_in(connection, "params"),
        "_tags": table.names_in(connection, "tags"),
        "_states": STATES,
        "_plain": PLAIN,
        "_asked": {key: asked.get(key, "") for key in NARROWING},
        "_narrowed": any(asked.get(key) for key in NARROWING),
        "_sorting": {column: _sorting(request, column, sort) for column in ("name", "status", *columns)},
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


def _scope(asked: Any) -> list[ColumnElement[bool]]:
    """Which runs are looked at, the filter aside."""
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
    return found


def _narrowed(
    connection: Connection, scope: list[ColumnElement[bool]], where: str | None
) -> tuple[tuple[ColumnElement[bool], ...], Select[Any]]:
    """The conditions for one page of runs, and the query that counts them.

    Where few runs fit the filter, they are found first and the page is made of them: along the table, most of it might be
    walked for the one in a million. All are counted from the rows that fit one comparison, where there is such a one.
    """
    tree, dialect = parse(where), connection.dialect
    begin = narrowing.driver(connection, tree)
    condition = condition_of(tree, dialect)
    conditions = (*scope,) if condition is None else (*scope, condition)
    if begin is None:
        return conditions, select(runs.c.number).where(*conditions)
    fitting = narrowing.fitting(begin, tree, scope, dialect)
    some = narrowing.few(connection, fitting)
    return conditions if some is None else (runs.c.number.in_(some),), fitting


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


def _guess(connection: Connection, numbers: list[int]) -> list[str]:
    """The columns while nobody has chosen: the metrics and parameters that most runs in sight have."""
    metrics = table.usual_names(connection, "metrics", numbers)
    telling = [name for name in metrics if not name.endswith("_std") and not name.startswith("system/")]
    telling.sort(key=lambda name: not any(word in name for word in TELLING))  # stable: else the most frequent first
    chosen = [f"metrics.{name}" for name in telling[: GUESSED - 2]]
    params = table.usual_names(connection, "params", numbers)
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
