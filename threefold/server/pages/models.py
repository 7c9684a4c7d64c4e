"""The pages of models and their versions."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request

from threefold.loop.operating import around
from threefold.server.pages.answer import page, store_of
from threefold.server.pages.drawing import timeline
from threefold.server.pages.reading import models

SHOWN = 4  # metrics in the table of versions
FIRST = ("roc_auc", "r2", "rmse", "accuracy", "log_loss", "cost per prediction", "calibration_gap")


@page("models")
def show_all(request: Request) -> dict[str, Any]:
    """All models."""
    with store_of(request).read() as connection:
        return {"title": "Models", "models": models.every(connection)}


@page("model")
def show_model(request: Request) -> dict[str, Any]:
    """One model: its versions, and where its aliases pointed over time."""
    with store_of(request).read() as connection:
        told = models.one(connection, request.path_params["name"])
    names = {name for one in told["versions"] for name in one["metrics"]}
    return {
        "title": told["name"],
        **told,
        "_columns": sorted(names, key=lambda name: (FIRST.index(name) if name in FIRST else len(FIRST), name))[:SHOWN],
        "_drawn": timeline(told["moves"]),
    }


@page("version")
def show_version(request: Request) -> dict[str, Any]:
    """One version, as a card: what it is, whether it passed, who let it go, where it answers, what it rests on."""
    with store_of(request).read() as connection:
        told = models.version(connection, request.path_params["name"], request.path_params["number"])
    return {
        "title": f"{told['name']} {told['number']}",
        **told,
        "_passed": sum(gate["passed"] for gate in told["gates"]),
        "_own": _project(request),
    }


def _project(request: Request) -> str | None:
    """The name of the project around this server, as far as its canvas can be read; its rollout counts for every model."""
    root = request.app.state.context.project
    found = around(root) if root else None
    return None if found is None else found.canvas.project if found.canvas else found.told.get("project")
