"""The store put back to empty over HTTP, where that was allowed when the server was started."""

from __future__ import annotations

from threefold.errors import Refused
from threefold.server.call import Call
from threefold.server.context import Context
from threefold.server.routes import awaiting
from threefold.store.emptying import empty


async def reset(context: Context, call: Call) -> dict[str, bool]:
    """Remove every experiment, run, model and event. Raises Refused where the server was not started for it."""
    if not context.allow_reset:
        raise Refused(
            "this server does not let anybody empty its store", "POST /api/threefold/reset",
            "start one for tests: threefold up --store DIR --allow-reset",
        )  # fmt: skip
    await context.write(empty)
    return {"empty": True}


ROUTES = {("POST", "/api/threefold/reset"): awaiting(reset)}
