"""The page of the event log: who did what, when, and whether anything in it was touched."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request

from threefold.server.pages.answer import page, store_of
from threefold.server.pages.look import address, page_of
from threefold.server.pages.reading import log


@page("audit")
def show(request: Request) -> dict[str, Any]:
    """One page of the log, newest first."""
    asked = request.query_params
    said = {key: asked.get(key, "").strip() for key in ("kind", "subject", "actor")}
    before = asked.get("before", "")
    with store_of(request).read() as connection:
        rows, following = log.page_of(
            connection, **said, before=int(before) if before.isdecimal() and len(before) < 19 else None
        )
        state, kinds = log.state(connection, walk=bool(asked.get("walk"))), log.kinds(connection)
    return {
        "title": "Audit",
        "events": rows,
        "chain": state,
        "next": address("/audit", {**said, "before": following}) if following else None,
        "_asked": said,
        "_kinds": kinds,
        "_nouns": sorted({kind.partition(".")[0] for kind in kinds}),
        "_narrowed": any(said.values()),
        "_first": address("/audit", said) if before else None,
        "_links": {row["seq"]: page_of(row["subject"]) for row in rows},
    }
