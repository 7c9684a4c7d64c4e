"""The web pages. ROUTES is what the server shows to people.

A page finds the store, the queue of writers and the readers at `request.app.state.context`.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route


async def home(request: Request) -> HTMLResponse:
    """The first page."""
    address = str(request.base_url).rstrip("/")
    return HTMLResponse(f"<!doctype html><title>Threefold</title><h1>Threefold</h1><p>Tracking at {address}</p>")


ROUTES = [Route("/", home)]
