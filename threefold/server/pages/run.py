"""The page of one run: what it was given, what came of it, its curves, files, code, output and steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, select
from starlette.requests import Request
from starlette.responses import Response

from threefold.errors import NotFound
from threefold.server.pages import previews
from threefold.server.pages.answer import as_json, packed, page, store_of
from threefold.server.pages.look import part
from threefold.server.pages.reading import history, one_run
from threefold.server.pages.reading.alive import settled
from threefold.store.recorder.system import spent
from threefold.store.schema import points, series

LINES = 40  # charts sent at once; the page asks for more as they come into sight
IMAGES = 12  # shown small on the page of the run
OUTPUT = 200_000  # bytes of console output shown; its end is what matters


@page("run")
def show(request: Request) -> dict[str, Any]:
    """Everything about one run."""
    store = store_of(request)
    with store.read() as connection:
        run = one_run.find(connection, request.path_params["id"])
    settled(store, [run])
    with store.read() as connection:
        told = one_run.told(connection, one_run.find(connection, run.id))
    wanted = previews.roles(told["files"])
    return {
        "title": told["name"],
        **told,
        "shown_params": {name: value for name, value in sorted(told["params"].items())},
        "shown_tags": {name: value for name, value in told["tags"].items() if not name.startswith("mlflow.")},
        "client_tags": {name: value for name, value in told["tags"].items() if name.startswith("mlflow.")},
        "note": told["tags"].get("mlflow.note.content", ""),
        "spent": spent({one["name"]: one["value"] for one in told["metrics"]}, told["tags"]),
        "diff": previews.text_of(store, wanted.get("diff"), OUTPUT),
        "console": previews.text_of(store, wanted.get("console"), OUTPUT, end=True),
        "_diff_lines": previews.coloured(previews.text_of(store, wanted.get("diff"), OUTPUT)),
        "_address": f"/runs/{part(told['id'])}",
        "_images": [file for file in told["files"] if previews.is_image(file)][:IMAGES],
    }


async def curves(request: Request) -> Response:
    """The points of the metrics that are asked for by name, ready to be drawn; always JSON."""
    shown = await request.app.state.context.beside(_curves, request)
    return packed(request, as_json(shown), "application/json", status=200 if "lines" in shown else 404)


def _curves(request: Request) -> dict[str, Any]:
    names = request.query_params.getlist("metric")[:LINES]
    shapes = request.query_params.getlist("shape")[:LINES]
    with store_of(request).read() as connection:
        try:
            run = one_run.find(connection, request.path_params["id"])
        except NotFound as error:
            return {"error": {"what": error.what, "where": error.where, "do": error.do}}
        found = history.lines(connection, [run.number], names)
        return {
            "status": run.status,
            "lines": {name: found[run.number, name] for name in names if (run.number, name) in found},
            "shapes": {name: shape(connection, run.number, name) for name in shapes},
        }


def shape(connection: Connection, number: int, name: str) -> list[tuple[float, float]]:
    """A curve that was logged as two series, "<name>.x" and "<name>.y", as points."""
    axes: dict[str, dict[int, float]] = {"x": {}, "y": {}}
    for axis in axes:
        query = select(points.c.step, points.c.value).join(series, series.c.id == points.c.series)
        query = query.where(series.c.run == number, series.c.name == f"{name}.{axis}").order_by(points.c.position)
        axes[axis] = {step: value for step, value in connection.execute(query.limit(5_000)) if value is not None}
    return sorted((x, axes["y"][step]) for step, x in axes["x"].items() if step in axes["y"])


@page("file")
def file(request: Request) -> dict[str, Any] | Response:
    """One file of a run, as it can be looked at; with `raw=1` its bytes."""
    path = request.path_params["path"]
    with store_of(request).read() as connection:
        run = one_run.find(connection, request.path_params["id"])
        found = one_run.file_at(connection, one_run.file_root(run), path)
    return show_file(request, found, path, f"/runs/{part(run.id)}", run.name or run.id[:8])


def show_file(
    request: Request, found: Mapping[str, Any] | None, path: str, owner: str, name: str
) -> dict[str, Any] | Response:
    """A file of a run or of a logged model.

    Args:
        owner: the address of the page that lists it, and `name` what stands there.
    Raises:
        NotFound: `found` is None.
    """
    store = store_of(request)
    if found is None:
        raise NotFound(f"there is no file {path!r}", f"{name}, {owner}", "its page lists the files it has")
    if request.query_params.get("raw"):
        return previews.raw(store, found, framed=bool(request.query_params.get("framed")))
    return {
        "title": path.rpartition("/")[2],
        "of": {"name": name, "page": owner},
        "file": found,
        "preview": previews.preview(store, found),
        "_raw": f"{owner}/files/{'/'.join(part(piece) for piece in path.split('/'))}?raw=1",
    }
