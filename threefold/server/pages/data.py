"""The pages of data: all snapshots, one of them, and two side by side."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request

from threefold.errors import NotFound
from threefold.server.pages.answer import page, store_of
from threefold.server.pages.reading import data


@page("snapshots")
def show_all(request: Request) -> dict[str, Any]:
    """All snapshots."""
    with store_of(request).read() as connection:
        return {"title": "Data", "snapshots": data.every(connection), "count": data.how_many(connection)}


@page("snapshot")
def show(request: Request) -> dict[str, Any]:
    """One table: where it is from, its columns, its first rows, and who rests on it."""
    store = store_of(request)
    with store.read() as connection:
        told = data.one(connection, request.path_params["digest"])
    large = (told["size"] or 0) > data.MEASURED_BYTES and not request.query_params.get("measure")
    sealed = told["derived"] and "seal" in told["name"]
    measures = None if large or sealed else data.measured(store, told["digest"])
    return {
        "title": told["name"],
        **told,
        "measures": measures,
        "first_rows": data.first_rows(store, told["digest"]) if measures else [],
        "_large": large,
        "_sealed": sealed,
    }


@page("diff")
def compare(request: Request) -> dict[str, Any]:
    """Two tables side by side: schema, rows, nulls, ranges."""
    store, asked = store_of(request), request.query_params
    with store.read() as connection:
        before, after = data.one(connection, asked.get("a", "?")), data.one(connection, asked.get("b", "?"))
    old, new = data.measured(store, before["digest"]), data.measured(store, after["digest"])
    if old is None or new is None:
        lost = before if old is None else after
        raise NotFound(
            f"the bytes of {lost['name']} {lost['digest'][:12]} are not in the store", "the objects of this store",
            "restore them from a backup, or take the snapshot again: threefold run data",
        )  # fmt: skip
    columns = data.difference(old, new)
    return {
        "title": f"{before['name']}, before and after",
        "before": {**_head(before), "rows": old["rows"]},
        "after": {**_head(after), "rows": new["rows"]},
        "columns": columns,
        "changed": sum(bool(column["changes"]) for column in columns),
    }


def _head(told: dict[str, Any]) -> dict[str, Any]:
    return {key: told[key] for key in ("name", "digest", "size", "taken", "source", "as_of")}
