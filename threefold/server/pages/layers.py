"""The drawing of a graph in layers, from left to right: what is rested on stands left of what rests on it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from statistics import mean

from markupsafe import Markup

from threefold.server.pages.reading.graph import Graph, Node
from threefold.server.pages.words import short

WIDE, TALL, ACROSS, DOWN, EDGE = 176, 46, 66, 14, 6
SWEEPS = 6  # rounds of ordering; more do not undo further crossings in graphs of this size
LETTERS = 24
GAP = 10  # left in a layer for an arrow that goes on to a later one


def draw(graph: Graph, focus: str) -> Markup:
    """The graph as SVG in its natural size; the node that was asked for is marked."""
    layers, ways = _laid(graph)
    height = 2 * EDGE + max(_tall(graph, layer) for layer in layers)
    width = 2 * EDGE + len(layers) * (WIDE + ACROSS) - ACROSS
    place: dict[str, tuple[float, float]] = {}
    for column, layer in enumerate(layers):
        top = (height - _tall(graph, layer)) / 2
        for key in layer:
            place[key] = (EDGE + column * (WIDE + ACROSS), top)
            top += _size(graph, key) + DOWN
    arrows = Markup("").join(
        _arrow([_middle(graph, key, place[key]) for key in (a, *ways[a, b], b)], focus in (a, b))
        for a, b in sorted(graph.arrows)
    )
    nodes = Markup("").join(_box(node, *place[key], key == focus) for key, node in graph.nodes.items())
    said = f"{len(graph.nodes)} things that hang together; the lists below name them"
    return Markup('<svg class="drawn graph" viewBox="0 0 {w} {h}" width="{w}" height="{h}" role="group" aria-label="{s}">{a}{n}</svg>').format(
        w=width, h=round(height), s=said, a=arrows, n=nodes
    )  # fmt: skip


def ordered(graph: Graph) -> list[list[str]]:
    """Layer by layer, top to bottom: each node right of all it rests on, near to what it is tied to."""
    return [[key for key in layer if key in graph.nodes] for layer in _laid(graph)[0]]


Ways = dict[tuple[str, str], list[str]]


def _laid(graph: Graph) -> tuple[list[list[str]], Ways]:
    """The layers, and for each arrow the gaps it goes through: one in each layer between its ends, so that it passes no
    node from behind. Source: Sugiyama, Tagawa, Toda (1981), Methods for Visual Understanding of Hierarchical Structures."""
    depth = _depths(graph)
    layers: list[list[str]] = [[] for _ in range(max(depth.values()) + 1)]
    for key in sorted(graph.nodes, key=lambda key: (graph.nodes[key].kind, graph.nodes[key].name)):
        layers[depth[key]].append(key)
    ways: Ways = {}
    parts: set[tuple[str, str]] = set()
    for a, b in sorted(graph.arrows):
        ways[a, b] = [f"{a} to {b} by {layer}" for layer in range(depth[a] + 1, depth[b])]
        for layer, gap in enumerate(ways[a, b], depth[a] + 1):
            layers[layer].append(gap)
        parts |= set(pairwise((a, *ways[a, b], b)))
    for sweep in range(SWEEPS):
        forward = sweep % 2 == 0
        tied = _ties(parts, 0 if forward else 1)
        rows = {key: row - len(layer) / 2 for layer in layers for row, key in enumerate(layer)}
        for column in layers if forward else layers[::-1]:
            column.sort(key=lambda key: mean(rows[other] for other in tied[key]) if tied.get(key) else rows[key])
            rows.update({key: row - len(column) / 2 for row, key in enumerate(column)})
    return layers, ways


def _size(graph: Graph, key: str) -> int:
    return TALL if key in graph.nodes else GAP


def _tall(graph: Graph, layer: Sequence[str]) -> int:
    return sum(_size(graph, key) + DOWN for key in layer) - DOWN


def _middle(graph: Graph, key: str, place: tuple[float, float]) -> tuple[float, float]:
    return place[0], place[1] + _size(graph, key) / 2


def _depths(graph: Graph) -> dict[str, int]:
    """How far right each node stands: one more than the farthest it rests on. A circle is cut where it is met."""
    above = _ties(graph.arrows, 0)
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
    below, above = _ties(graph.arrows, 1), _ties(graph.arrows, 0)
    for key in depth:
        if not above.get(key) and below.get(key):
            depth[key] = max(0, min(depth[other] for other in below[key]) - 1)
    return depth


def _ties(arrows: Iterable[tuple[str, str]], end: int) -> Mapping[str, Sequence[str]]:
    """Node -> what it rests on (end 0), or what rests on it (end 1)."""
    found: dict[str, list[str]] = {}
    for arrow in sorted(arrows):
        found.setdefault(arrow[1 - end], []).append(arrow[end])
    return found


def _arrow(spots: Sequence[tuple[float, float]], near: bool) -> Markup:
    """A line from the right of one node to the left of another; through a gap it runs straight."""
    path = f"M{spots[0][0] + WIDE:.0f} {spots[0][1]:.1f}"
    for (x, y), (to_x, to_y) in pairwise(spots):
        bend = max(30.0, (to_x - x - WIDE) / 2)
        path += f"C{x + WIDE + bend:.0f} {y:.1f} {to_x - bend:.0f} {to_y:.1f} {to_x:.0f} {to_y:.1f}"
        if (to_x, to_y) != spots[-1]:
            path += f"H{to_x + WIDE:.0f}"
    return Markup('<path class="tie{}" d="{}"/>').format(" near" if near else "", path)


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
