"""Addresses that lead to a page of ours: links that MLflow's clients print, and pages with `.json` behind them.

Clients print addresses of MLflow's own pages, as in `/#/experiments/1/runs/<id>`. What stands behind the # never reaches
a server: the script of the page (app.js) asks for it as a path, and here is where it leads.
"""

from __future__ import annotations

import json

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from threefold.server.pages.look import address, part

LEFT_ALONE = ("/static/", "/runs/views")  # files with that ending, and what is no page


async def experiments(request: Request) -> Response:
    """`/experiments`."""
    return _to("/runs")


async def experiment(request: Request) -> Response:
    """`/experiments/1` and what lies below it that we have no page of its own for."""
    return _to("/runs", {"experiment": request.path_params["id"]})


async def run(request: Request) -> Response:
    """`/experiments/1/runs/<id>`, also with a tab behind it."""
    return _to(f"/runs/{part(request.path_params['run'])}")


async def logged_model(request: Request) -> Response:
    """`/experiments/1/models/<id>`."""
    return _to(f"/logged-models/{part(request.path_params['model'])}")


async def version(request: Request) -> Response:
    """`/models/<name>/versions/3`."""
    return _to(f"/models/{part(request.path_params['name'])}/{request.path_params['number']}")


async def compared(request: Request) -> Response:
    """`/compare-runs?runs=["<id>","<id>"]`."""
    try:
        ids = json.loads(request.query_params.get("runs", "[]"))
    except ValueError:
        ids = []
    return RedirectResponse(address("/compare", [("run", str(one)) for one in ids if one][:20]), 302)


class JsonBehind:
    """Lets every page be asked for as JSON by `.json` at the end of its address."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a request on, its ending turned into a word of the query."""
        path: str = scope.get("path", "")
        # Read off the address as it was written: a name that ends in ".json" is linked to with its dot escaped.
        written = scope.get("raw_path") or path.encode()
        if written.endswith(b".json") and not path.startswith(LEFT_ALONE) and "/files/" not in path:
            query = scope.get("query_string", b"")
            said = b"&".join(filter(None, (query, b"format=json")))
            scope = {**scope, "path": path.removesuffix(".json") or "/", "raw_path": written[:-5], "query_string": said}
        await self.app(scope, receive, send)


def _to(path: str, query: dict[str, str] | None = None) -> Response:
    return RedirectResponse(address(path, query), 302)
