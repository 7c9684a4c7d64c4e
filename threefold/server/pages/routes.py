"""Every page with its address."""

from __future__ import annotations

from starlette.routing import Route

from threefold.server.pages import audit, compare, data, elsewhere, home, lineage, models, run, runs, search, static

ROUTES = [
    Route("/", home.show, methods=["GET"]),
    Route("/runs", runs.show, methods=["GET"]),
    Route("/runs/views", runs.save_view, methods=["POST"]),
    Route("/runs/{id}", run.show, methods=["GET"]),
    Route("/runs/{id}/curves", run.curves, methods=["GET"]),
    Route("/runs/{id}/files/{path:path}", run.file, methods=["GET"]),
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
