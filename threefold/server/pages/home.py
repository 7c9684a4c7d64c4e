"""The first page: what is live, what needs somebody, what happened last."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from starlette.requests import Request

from threefold.errors import Finding
from threefold.loop.operating import around
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
    wrong = _unread(request)
    canaries = [endpoint for endpoint in served if endpoint["rollout"]]
    return {
        "title": "Home",
        "served": served,
        **waiting,
        "canvas": [{"what": one.what, "where": one.where, "do": one.do} for one in wrong],
        "canaries": [{"name": one["name"], **one["rollout"], "arms": one["arms"]} for one in canaries],
        "numbers": numbers,
        "latest": latest,
        "happened": happened,
        "_sparks": {one["name"]: [spark(line["name"], line["values"]) for line in one["lines"]] for one in served},
        "_needed": min(1, len(wrong))
        + len(waiting["alerts"])
        + len(waiting["versions"])
        + len(canaries)
        + min(1, waiting["failed"]["count"]),
        "_new": not any(numbers.values()) and not served and not wrong,
    }


def _unread(request: Request) -> Sequence[Finding]:
    """What is wrong with the canvas of the project whose store this is."""
    project = request.app.state.context.project
    unread = around(project).unread if project else None
    return unread.findings if unread else ()
