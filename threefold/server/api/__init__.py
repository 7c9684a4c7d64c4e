"""Our own API beside the protocol, under /api/threefold/; one file for each family, listed in `_families`."""

from __future__ import annotations

from threefold.server.api import reset, spool
from threefold.server.routes import Endpoint

_families = (
    reset,
    spool,
)

ROUTES: dict[tuple[str, str], Endpoint] = {route: end for family in _families for route, end in family.ROUTES.items()}
