"""The search at the top of every page: runs, models, versions, snapshots and experiments by a part of their name."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, func, or_, select
from starlette.requests import Request

from threefold.errors import NotFound
from threefold.server.pages.answer import page, store_of
from threefold.server.pages.look import address, part
from threefold.server.pages.reading import table
from threefold.store.schema import experiments, models, runs, snapshots

SHOWN = 20


@page("search")
def show(request: Request) -> dict[str, Any]:
    """What is found under a text."""
    text = request.query_params.get("q", "").strip()[:250]
    with store_of(request).read() as connection:
        found = _found(connection, text) if text else []
    return {
        "title": f"Search: {text}" if text else "Search",
        "q": text,
        "groups": [one for one in found if one["items"]],
    }


@page("search")
def nothing(request: Request) -> dict[str, Any]:
    """An address that no page has."""
    raise NotFound(
        f"there is no page {request.url.path[:200]!r}", "the pages of this server", "begin at the first page"
    )


def _found(connection: Connection, text: str) -> list[dict[str, Any]]:
    return [
        _models(connection, text),
        _experiments(connection, text),
        _snapshots(connection, text),
        _runs(connection, text),
    ]


def _models(connection: Connection, text: str) -> dict[str, Any]:
    query = select(models.c.name).where(models.c.name.icontains(text, autoescape=True)).order_by(models.c.name)
    items = [
        {"name": name, "href": f"/models/{part(name)}", "detail": ""} for name in connection.scalars(query.limit(SHOWN))
    ]
    return {"kind": "models", "items": items, "more": None}


def _experiments(connection: Connection, text: str) -> dict[str, Any]:
    query = select(experiments).where(experiments.c.name.icontains(text, autoescape=True)).order_by(experiments.c.name)
    items = [
        {
            "name": row.name,
            "href": address("/runs", {"experiment": row.id}),
            "detail": "deleted" if row.deleted_at else "",
        }
        for row in connection.execute(query.limit(SHOWN))
    ]
    return {"kind": "experiments", "items": items, "more": None}


def _snapshots(connection: Connection, text: str) -> dict[str, Any]:
    held = snapshots.c.name.icontains(text, autoescape=True)
    query = select(snapshots).where(or_(held, snapshots.c.digest.startswith(text.lower(), autoescape=True)))
    items = [
        {"name": row.name, "href": f"/data/{row.digest}", "detail": f"{row.digest[:12]}, taken {row.created_at[:10]}"}
        for row in connection.execute(query.order_by(snapshots.c.created_at.desc()).limit(SHOWN))
    ]
    return {"kind": "snapshots", "items": items, "more": None}


def _runs(connection: Connection, text: str) -> dict[str, Any]:
    fits = (table.searched(text), runs.c.deleted_at.is_(None))
    rows = connection.execute(select(runs).where(*fits).order_by(runs.c.started_at.desc()).limit(SHOWN)).all()
    count = connection.scalar(select(func.count()).select_from(runs).where(*fits)) or 0 if len(rows) == SHOWN else 0
    items = [
        {
            "name": row.name or row.id[:8],
            "href": f"/runs/{part(row.id)}",
            "detail": f"{row.id[:8]}, {row.status}, {row.started_at[:16].replace('T', ' ')}",
        }
        for row in rows
    ]
    more = {"count": count, "href": address("/runs", {"q": text})} if count > SHOWN else None
    return {"kind": "runs", "items": items, "more": more}
