"""The page of several runs side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row
from starlette.requests import Request
from starlette.responses import Response

from threefold.errors import NotFound, ThreefoldError
from threefold.server.pages.answer import as_json, packed, page, store_of
from threefold.server.pages.charting import parallel, scatter
from threefold.server.pages.look import address
from threefold.server.pages.reading import history, several
from threefold.server.pages.run import LINES, shape
from threefold.server.pages.words import seconds_between

MOST = 20
BESIDE = 5  # axes; a wider drawing takes a row of its own


@page("compare")
def show(request: Request) -> dict[str, Any]:
    """Parameters, metrics and curves of 2 to 20 runs."""
    ids = _ids(request)
    if not ids:
        return {"title": "Compare", "runs": [], "params": [], "metrics": []}
    with store_of(request).read() as connection:
        rows = several.rows_of(connection, ids)
        numbers = [row.number for row in rows]
        params = several.params_side_by_side(connection, numbers)
        metrics = several.metrics_side_by_side(connection, numbers)
        curves, shapes = several.drawn_names(connection, numbers)
    labels, axes = _labels(rows), several.axes(params, metrics)
    numeric = {f"{axis['kind']}.{axis['name']}": axis for axis in _numeric(several.axes(params, metrics, most=60))}
    x, y = _pair(request, list(numeric))
    return {
        "title": f"Compare {len(rows)} runs",
        "runs": [_told(row, label) for row, label in zip(rows, labels, strict=True)],
        "params": params,
        "metrics": metrics,
        "_labels": labels,
        "_curves": curves,
        "_shapes": shapes,
        "_query": address("", [("run", row.id) for row in rows]).lstrip("?"),
        "_parallel": parallel(labels, axes) if len(axes) > 1 and len(rows) > 1 else None,
        "_many": len(axes) > BESIDE,
        "_scatter": scatter(labels, numeric[x], numeric[y]) if x and y else None,
        "_choices": list(numeric),
        "_x": x,
        "_y": y,
    }


async def curves(request: Request) -> Response:
    """The points of some metrics of the runs, line by line; always JSON."""
    shown = await request.app.state.context.beside(_curves, request)
    return packed(request, as_json(shown), "application/json", status=404 if "error" in shown else 200)


def _curves(request: Request) -> dict[str, Any]:
    names, shapes = (request.query_params.getlist(kind)[:LINES] for kind in ("metric", "shape"))
    try:
        with store_of(request).read() as connection:
            rows = several.rows_of(connection, _ids(request))
            labels, numbers = _labels(rows), [row.number for row in rows]
            found = history.lines(connection, numbers, names)
            lines = {
                name: [
                    {**found[number, name], "label": labels[place], "number": place}
                    for place, number in enumerate(numbers)
                    if (number, name) in found
                ]
                for name in names
            }
            curved = {
                name: [
                    {"points": points, "label": labels[place], "number": place}
                    for place, number in enumerate(numbers)
                    if (points := shape(connection, number, name))
                ]
                for name in shapes
            }
    except ThreefoldError as error:
        return {"error": {"what": error.what, "where": error.where, "do": error.do}}
    return {"lines": lines, "shapes": curved}


def _ids(request: Request) -> list[str]:
    ids = [part for said in request.query_params.getlist("run") for part in said.split(",") if part]
    if len(set(ids)) > MOST:
        raise ThreefoldError(f"{len(set(ids))} runs are too many to compare", "the address", f"choose at most {MOST}")
    if any(not part.strip() for part in ids):
        raise NotFound("a run has no id", "the address", "choose runs in the table of runs")
    return ids


def _labels(rows: Sequence[Row[Any]]) -> list[str]:
    """The name of each run; where two share one, with as much of the id as tells them apart."""
    names = [row.name or row.id[:8] for row in rows]
    for letters in (6, 32):
        if len(set(names)) == len(names):
            break
        twice = {name for name in names if names.count(name) > 1}
        names = [
            f"{row.name or row.id[:8]} {row.id[:letters]}" if name in twice else name
            for name, row in zip(names, rows, strict=True)
        ]
    return names


def _told(row: Row[Any], label: str) -> dict[str, Any]:
    return {
        "id": row.id, "name": row.name or row.id[:8], "label": label, "status": row.status, "experiment": row.experiment,
        "started": row.started_at, "took": seconds_between(row.started_at, row.ended_at),
    }  # fmt: skip


def _numeric(axes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [axis for axis in axes if all(value is None or isinstance(value, float) for value in axis["values"])]


def _pair(request: Request, names: list[str]) -> tuple[str | None, str | None]:
    """What the scatter shows: what was asked for, or the first parameter against the first metric."""
    asked = [request.query_params.get(key) for key in ("x", "y")]
    given = [name for name in names if name.startswith("params.")] + [
        name for name in names if name.startswith("metrics.")
    ]
    first = asked[0] if asked[0] in names else next(iter(given), None)
    rest = [name for name in reversed(given) if name != first]
    told = [name for name in given if name.startswith("metrics.") and name != first]
    second = asked[1] if asked[1] in names else next(iter(told), next(iter(rest), None))
    return (first, second) if first and second else (None, None)
