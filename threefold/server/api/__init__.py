"""Our own API beside the protocol, under /api/threefold/; one file for each family, listed in `_families`."""

from __future__ import annotations

from threefold.server.routes import Endpoint

_families = ()

ROUTES: dict[tuple[str, str], Endpoint] = {}
