"""The first page: what is live, what needs somebody, what happened last."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request

from threefold.server.pages.answer import page, store_of
from threefold.server.pages.drawing import spark
from threefold.server.pages.reading import live


@page("home")
def show(request: Request) -> dict[str, Any]:
    """The state of the whole store in one look."""
    with store_of(request).read() as connection:
        served = live.served(connection)
        waiting = live.waiting(connection)
        numbers = live.numbers(connection)
        latest, happened = live.latest_runs(connection), live.happened(connection)
    canaries = [endpoint for endpoint in served if endpoint["rollout"]]
    return {
        "title": "Home",
        "served": served,
        **waiting,
        "canaries": [{"name": one["name"], **one["rollout"], "arms": one["arms"]} for one in canaries],
        "numbers": numbers,
        "latest": latest,
        "happened": happened,
        "_sparks": {one["name"]: [spark(line["name"], line["values"]) for line in one["lines"]] for one in served},
        "_needed": len(waiting["alerts"])
        + len(waiting["versions"])
        + len(canaries)
        + min(1, waiting["failed"]["count"]),
        "_new": not any(numbers.values()) and not served,
    }
