"""The graph as a tree for a terminal: what lies between two things of interest is passed over."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from threefold.governance.lineage.graph import Described, Graph
from threefold.governance.lineage.walk import Node

BETWEEN = ("step", "object")  # passed over unless everything is asked for; a snapshot or a bundle is no mere object


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the tree."""

    depth: int
    word: str  # what it is to the line it stands under
    node: Described
    again: bool  # it stands further up already, with all below it


def lines(graph: Graph, *, everything: bool = False) -> Iterator[Line]:
    """The tree from the start on, each thing unfolded once."""
    onward: dict[Node, list[tuple[str, Node]]] = {}
    for edge in graph.edges:
        here, there = (edge.lower, edge.upper) if graph.direction == "up" else (edge.upper, edge.lower)
        onward.setdefault(here, []).append((edge.word, there))
    seen: set[Node] = set()
    for node in graph.start:
        yield from _lines(graph, onward, node, "", 0, seen, everything)


def _lines(
    graph: Graph,
    onward: dict[Node, list[tuple[str, Node]]],
    node: Node,
    word: str,
    depth: int,
    seen: set[Node],
    everything: bool,
) -> Iterator[Line]:
    again = node in seen
    seen.add(node)
    yield Line(depth, word, graph.nodes[node], again and node in onward)
    if again:
        return
    for next_word, below in _below(graph, onward, node, everything):
        yield from _lines(graph, onward, below, next_word, depth + 1, seen, everything)


def _below(
    graph: Graph, onward: dict[Node, list[tuple[str, Node]]], node: Node, everything: bool
) -> list[tuple[str, Node]]:
    """The next things of interest, those of nearest kin first; what lies between is passed over."""
    found: dict[Node, str] = {}
    waiting, passed = list(onward.get(node, ())), {node}
    while waiting:
        word, there = waiting.pop(0)
        if there in passed:
            continue
        passed.add(there)
        if everything or graph.nodes[there].kind not in BETWEEN:
            found.setdefault(there, word)
        else:
            waiting += [("", further) for _, further in onward.get(there, ())]
    return sorted(((word, there) for there, word in found.items()), key=lambda one: (one[1].kind, one[0], one[1].id))
