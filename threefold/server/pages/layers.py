"""The drawing of a graph in layers, from left to right: what is rested on stands left of what rests on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import mean

from markupsafe import Markup

from threefold.server.pages.reading.graph import Graph, Node
from threefold.server.pages.words import short

WIDE, TALL, ACROSS, DOWN, EDGE = 176, 46, 66, 14, 6
SWEEPS = 6  # rounds of ordering; more do not undo further crossings in graphs of this size
LETTERS = 24


def draw(graph: Graph, focus: str) -> Markup:
    """The graph as SVG in its natural size; the node that was asked for is marked."""
    layers = ordered(graph)
    tallest = max(len(layer) for layer in layers)
    height = 2 * EDGE + tallest * (TALL + DOWN) - DOWN
    width = 2 * EDGE + len(layers) * (WIDE + ACROSS) - ACROSS
    place: dict[str, tuple[float, float]] = {}
    for column, layer in enumerate(layers):
        top = (height - len(layer) * (TALL + DOWN) + DOWN) / 2
        for row, key in enumerate(layer):
            place[key] = (EDGE + column * (WIDE + ACROSS), top + row * (TALL + DOWN))
    arrows = Markup("").join(_arrow(place[a], place[b], focus in (a, b)) for a, b in sorted(graph.arrows))
    nodes = Markup("").join(_box(node, *place[key], key == focus) for key, node in graph.nodes.items())
    said = f"{len(graph.nodes)} things that hang together; the lists below name them"
    return Markup('<svg class="drawn graph" viewBox="0 0 {w} {h}" width="{w}" height="{h}" role="group" aria-label="{s}">{a}{n}</svg>').format(
        w=width, h=round(height), s=said, a=arrows, n=nodes
    )  # fmt: skip


def ordered(graph: Graph) -> list[list[str]]:
    """Layer by layer, top to bottom: each node right of all it rests on, near to what it is tied to."""
    depth = _depths(graph)
    layers: list[list[str]] = [[] for _ in range(max(depth.values()) + 1)]
    for key in sorted(graph.nodes, key=lambda key: (graph.nodes[key].kind, graph.nodes[key].name)):
        layers[depth[key]].append(key)
    for sweep in range(SWEEPS):
        forward = sweep % 2 == 0
        tied = _ties(graph, 0 if forward else 1)
        rows = {key: row - len(layer) / 2 for layer in layers for row, key in enumerate(layer)}
        for layer in layers if forward else layers[::-1]:
            layer.sort(key=lambda key: mean(rows[other] for other in tied[key]) if tied.get(key) else rows[key])
            rows.update({key: row - len(layer) / 2 for row, key in enumerate(layer)})
    return layers


def _depths(graph: Graph) -> dict[str, int]:
    """How far right each node stands: one more than the farthest it rests on. A circle is cut where it is met."""
    above = _ties(graph, 0)
    depth: dict[str, int] = {}
    for start in graph.nodes:
        path: list[tuple[str, int]] = [(start, 0)]
        open_ = {start}
        while path:
            key, at = path.pop()
            others = above.get(key, [])
            if key in depth:
                open_.discard(key)
                continue
            if at < len(others):
                path.append((key, at + 1))
                if others[at] not in depth and others[at] not in open_:
                    path.append((others[at], 0))
                    open_.add(others[at])
                continue
            depth[key] = 1 + max((depth[other] for other in others if other in depth), default=-1)
            open_.discard(key)
    return _pulled(graph, depth)


def _pulled(graph: Graph, depth: dict[str, int]) -> dict[str, int]:
    """What rests on nothing stands directly left of what rests on it, so that its arrow is short."""
    below, above = _ties(graph, 1), _ties(graph, 0)
    for key in depth:
        if not above.get(key) and below.get(key):
            depth[key] = max(0, min(depth[other] for other in below[key]) - 1)
    return depth


def _ties(graph: Graph, end: int) -> Mapping[str, Sequence[str]]:
    """Node -> what it rests on (end 0), or what rests on it (end 1)."""
    found: dict[str, list[str]] = {}
    for arrow in sorted(graph.arrows):
        found.setdefault(arrow[1 - end], []).append(arrow[end])
    return found


def _arrow(start: tuple[float, float], end: tuple[float, float], near: bool) -> Markup:
    x, y, to_x, to_y = start[0] + WIDE, start[1] + TALL / 2, end[0], end[1] + TALL / 2
    bend = max(30.0, (to_x - x) / 2)
    return Markup('<path class="tie{}" d="M{:.0f} {:.1f}C{:.0f} {:.1f} {:.0f} {:.1f} {:.0f} {:.1f}"/>').format(
        " near" if near else "", x, y, x + bend, y, to_x - bend, to_y, to_x, to_y
    )


def _box(node: Node, x: float, y: float, focus: bool) -> Markup:
    inside = Markup(
        '<title>{kind}: {name} {detail}</title><rect x="{x:.0f}" y="{y:.1f}" width="{w}" height="{h}" rx="8"/>'
        '<text class="name" x="{t:.0f}" y="{a:.1f}">{short}</text><text x="{t:.0f}" y="{b:.1f}">{small}</text>'
    ).format(
        kind=node.kind, name=node.name, detail=node.detail, x=x, y=y, w=WIDE, h=TALL, t=x + 12, a=y + 19, b=y + 36,
        short=short(node.name, LETTERS), small=short(node.detail or node.kind, LETTERS + 2),
    )  # fmt: skip
    kind = f"node {node.kind}{' focus' if focus else ''}"
    href = f"/lineage?of={node.key}"
    return Markup('<a class="{}" href="{}"{}>{}</a>').format(
        kind, href, Markup(' aria-current="true"') if focus else "", inside
    )
