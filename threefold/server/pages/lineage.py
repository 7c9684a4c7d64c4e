"""The page of lineage: what something rests on, and what is touched if it turns out bad."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from starlette.requests import Request

from threefold.errors import NotFound
from threefold.server.pages.answer import page, store_of
from threefold.server.pages.layers import draw
from threefold.server.pages.reading import graph as graphs


@page("lineage")
def show(request: Request) -> dict[str, Any]:
    """The graph around one thing, up and down."""
    asked = request.query_params.get("of", "")
    with store_of(request).read() as connection:
        graph = graphs.whole(connection)
        focus = asked or graphs.newest(connection)
        if focus is None:
            return {"title": "Lineage", "of": None, "nodes": [], "arrows": [], "up": [], "down": []}
        if focus not in graph.nodes and focus.startswith("run:"):
            graphs.lone_run(connection, graph, focus.removeprefix("run:"))
    if focus not in graph.nodes:
        raise NotFound(
            f"nothing is known by {focus!r}", "the lineage of this store",
            "ask for version:NAME/NUMBER, data:DIGEST or run:ID; the pages of models, data and runs link here",
        )  # fmt: skip
    around = graph.around(focus)
    up, down = around.reached(focus, 0), around.reached(focus, 1)
    return {
        "title": f"Lineage of {graph.nodes[focus].name}",
        "of": asdict(graph.nodes[focus]),
        "nodes": [asdict(node) for node in around.nodes.values()],
        "arrows": sorted(around.arrows),
        "up": _grouped([around.nodes[key] for key in up]),
        "down": _grouped([around.nodes[key] for key in down]),
        "_drawn": draw(around, focus),
        "_cut": len(around.nodes) >= graphs.MOST,
    }


ORDER = ("snapshot", "dataset", "data", "code", "environment", "run", "model", "version", "endpoint")


def _grouped(nodes: list[graphs.Node]) -> list[dict[str, Any]]:
    """Nodes by kind, in the order of a model's life."""
    return [
        {"kind": kind, "nodes": [asdict(node) for node in sorted(nodes, key=lambda n: n.name) if node.kind == kind]}
        for kind in ORDER
        if any(node.kind == kind for node in nodes)
    ]
