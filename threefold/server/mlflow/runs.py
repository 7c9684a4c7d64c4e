"""Runs: begin, end, read, find, delete."""

from __future__ import annotations

from typing import Any, cast

from sqlalchemy import Connection

from threefold.server.call import Call
from threefold.server.mlflow.experiments import DEFAULT_PAGE, LARGEST_PAGE, page_size
from threefold.server.mlflow.shapes import OURS, RUN_STATUSES, VIEWS, paged, run, run_info, tags_in
from threefold.server.routes import reading, writing
from threefold.store import Writer
from threefold.store.tracking import experiments, finding, lifecycle
from threefold.store.tracking import reading as runs_reading
from threefold.store.tracking.checks import KEY, check_length
from threefold.store.tracking.finding import Search, View
from threefold.store.tracking.pages import offset_of, token_of


def create(tx: Writer, call: Call) -> dict[str, Any]:
    """Begin a run."""
    text = call.text("experiment_id") or str(experiments.DEFAULT)
    experiment = experiments.number_of(text)
    if experiment is None:
        raise experiments.missing(text)
    tags = tags_in(call.items("tags"))
    for name in tags:
        check_length(name, KEY, "tags.key")
    run_id = lifecycle.create(
        tx, experiment, started_ms=cast(int, call.whole("start_time", 0)), user=call.text("user_id") or "",
        name=call.text("run_name") or "", tags=tags,
    )  # fmt: skip
    return {"run": run(runs_reading.get(tx.connection, run_id))}


def update(tx: Writer, call: Call) -> dict[str, Any]:
    """Change status, end or name of a run."""
    run_id = call.run_id()
    status = OURS[call.choice("status", RUN_STATUSES, "RUNNING")] if call.given("status") else None
    lifecycle.change(tx, run_id, status=status, ended_ms=call.whole("end_time"), name=call.text("run_name"))
    return {"run_info": run_info(runs_reading.get(tx.connection, run_id))}


def get(connection: Connection, call: Call) -> dict[str, Any]:
    """One run with all its data."""
    return {"run": run(runs_reading.get(connection, call.run_id()))}


def delete(tx: Writer, call: Call) -> dict[str, Any]:
    """Delete a run; it can be restored."""
    lifecycle.set_deleted(tx, call.run_id(), True)
    return {}


def restore(tx: Writer, call: Call) -> dict[str, Any]:
    """Restore a deleted run."""
    lifecycle.set_deleted(tx, call.run_id(), False)
    return {}


def search(connection: Connection, call: Call) -> dict[str, Any]:
    """Find runs. Beyond MLflow: `count` true asks how many there are in all, answered as `total`."""
    limit = page_size(call, DEFAULT_PAGE, LARGEST_PAGE)
    offset = offset_of(call.text("page_token"))
    view = VIEWS[call.choice("run_view_type", tuple(VIEWS), "ACTIVE_ONLY")]
    wanted = Search(
        experiments.ids_of(call.texts("experiment_ids")), call.text("filter"), call.texts("order_by"), cast(View, view)
    )
    numbers = finding.search(connection, wanted, limit + 1, offset)
    token = token_of(offset + limit) if len(numbers) > limit else None
    more = {"total": finding.count(connection, wanted)} if call.truth("count") else {}
    found = runs_reading.load(connection, numbers[:limit])
    return paged("runs", [run(one) for one in found], token, **more)


ROUTES = {
    ("POST", "/api/2.0/mlflow/runs/create"): writing(create),
    ("POST", "/api/2.0/mlflow/runs/update"): writing(update),
    ("GET", "/api/2.0/mlflow/runs/get"): reading(get),
    ("POST", "/api/2.0/mlflow/runs/delete"): writing(delete),
    ("POST", "/api/2.0/mlflow/runs/restore"): writing(restore),
    ("POST", "/api/2.0/mlflow/runs/search"): reading(search),
}
