"""Every page with its address, and below it what can be done there."""

from __future__ import annotations

from starlette.routing import Route

from threefold.server.pages import (
    audit,
    compare,
    data,
    elsewhere,
    home,
    lineage,
    logged,
    models,
    run,
    runs,
    search,
    static,
)
from threefold.server.pages.actions import endpoints as on_endpoints
from threefold.server.pages.actions import runs as on_runs
from threefold.server.pages.actions import versions as on_versions

ACTIONS = {
    "/runs/{id}": (on_runs.delete, on_runs.restore, on_runs.describe, on_runs.tag),
    "/models/{name:path}/{number:int}": (
        on_versions.approve, on_versions.refuse, on_versions.reopen, on_versions.retire, on_versions.release,
        on_versions.delete, on_versions.restore, on_versions.describe, on_versions.tag,
    ),
    "/models/{name:path}": (on_versions.describe, on_versions.tag, on_versions.alias),
    "/endpoints/{name:path}": (on_endpoints.rollback, on_endpoints.stop, on_endpoints.resume),
}  # fmt: skip

ROUTES = [
    *(Route(f"{place}/{work.__name__}", work, methods=["POST"]) for place, works in ACTIONS.items() for work in works),
    Route("/", home.show, methods=["GET"]),
    Route("/runs", runs.show, methods=["GET"]),
    Route("/runs/views", runs.save_view, methods=["POST"]),
    Route("/runs/{id}", run.show, methods=["GET"]),
    Route("/runs/{id}/curves", run.curves, methods=["GET"]),
    Route("/runs/{id}/files/{path:path}", run.file, methods=["GET"]),
    Route("/logged-models/{id}", logged.show, methods=["GET"]),
    Route("/logged-models/{id}/files/{path:path}", logged.file, methods=["GET"]),
    Route("/compare", compare.show, methods=["GET"]),
    Route("/compare/curves", compare.curves, methods=["GET"]),
    Route("/models", models.show_all, methods=["GET"]),
    Route("/models/{name:path}/versions/{number:int}", elsewhere.version, methods=["GET"]),
    Route("/models/{name:path}/{number:int}", models.show_version, methods=["GET"]),
    Route("/models/{name:path}", models.show_model, methods=["GET"]),
    Route("/data", data.show_all, methods=["GET"]),
    Route("/data/diff", data.compare, methods=["GET"]),
    Route("/data/{digest}", data.show, methods=["GET"]),
    Route("/lineage", lineage.show, methods=["GET"]),
    Route("/audit", audit.show, methods=["GET"]),
    Route("/search", search.show, methods=["GET"]),
    Route("/experiments", elsewhere.experiments, methods=["GET"]),
    Route("/experiments/{id}/runs/{run}", elsewhere.run, methods=["GET"]),
    Route("/experiments/{id}/runs/{run}/{rest:path}", elsewhere.run, methods=["GET"]),
    Route("/experiments/{id}/models/{model}", elsewhere.logged_model, methods=["GET"]),
    Route("/experiments/{id}/models/{model}/{rest:path}", elsewhere.logged_model, methods=["GET"]),
    Route("/experiments/{id}", elsewhere.experiment, methods=["GET"]),
    Route("/experiments/{id}/{rest:path}", elsewhere.experiment, methods=["GET"]),
    Route("/compare-runs", elsewhere.compared, methods=["GET"]),
    Route("/static/{mark}/{path:path}", static.serve, methods=["GET"]),
    Route("/{rest:path}", search.nothing, methods=["GET"]),
]
