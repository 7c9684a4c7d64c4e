"""The page of one logged model: what a run made before anybody registered it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from starlette.requests import Request
from starlette.responses import Response

from threefold.server.pages.answer import page, store_of
from threefold.server.pages.look import part
from threefold.server.pages.reading import one_run
from threefold.server.pages.run import show_file
from threefold.store.schema import model_versions
from threefold.store.tracking import logged_models

STATES = ("running", "done", "failed")  # as the states of runs are shown: pending, ready, failed to be uploaded


@page("logged")
def show(request: Request) -> dict[str, Any]:
    """One logged model with its parameters, metrics, files and the versions made of it."""
    with store_of(request).read() as connection:
        found = logged_models.get(connection, request.path_params["id"], deleted=True)
        table = model_versions.c
        query = select(table.name, table.number, table.status).where(
            table.model_id == found.id, table.deleted_at.is_(None)
        )
        return {
            "title": found.name,
            "id": found.id,
            "type": found.type,
            "status": STATES[found.status - 1] if 0 < found.status <= len(STATES) else "",
            "message": found.status_message,
            "deleted": found.deleted_at,
            "created": found.created_ms,
            "run": one_run.named(connection, found.source_run_id),
            "params": found.params,
            "tags": found.tags,
            "metrics": [
                {"name": name, "value": value, "step": step, "run": run, "dataset": dataset}
                for run, name, value, step, _, dataset, _ in found.metrics
            ],
            "files": one_run.files_below(connection, _root(found)),
            "versions": [dict(row._mapping) for row in connection.execute(query.order_by(table.name, table.number))],
            "_address": _address(found.id),
        }


@page("file")
def file(request: Request) -> dict[str, Any] | Response:
    """One of its files."""
    path = request.path_params["path"]
    with store_of(request).read() as connection:
        found = logged_models.get(connection, request.path_params["id"], deleted=True)
        kept = one_run.file_at(connection, _root(found), path)
    return show_file(request, kept, path, _address(found.id), found.name)


def _root(model: logged_models.LoggedModel) -> str:
    return one_run.place_of(model.artifact_root) or f"{model.experiment_id}/models/{model.id}/artifacts"


def _address(key: str) -> str:
    return f"/logged-models/{part(key)}"
