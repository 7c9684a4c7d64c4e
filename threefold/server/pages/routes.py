"""Every page with its address."""

from __future__ import annotations

from starlette.routing import Route

from threefold.server.pages import home, run, runs, static

ROUTES = [
    Route("/", home.show, methods=["GET"]),
    Route("/runs", runs.show, methods=["GET"]),
    Route("/runs/views", runs.save_view, methods=["POST"]),
    Route("/runs/{id}", run.show, methods=["GET"]),
    Route("/runs/{id}/curves", run.curves, methods=["GET"]),
    Route("/runs/{id}/files/{path:path}", run.file, methods=["GET"]),
    Route("/static/{mark}/{path:path}", static.serve, methods=["GET"]),
]
