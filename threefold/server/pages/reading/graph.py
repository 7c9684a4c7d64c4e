"""What rests on what, as a graph for people: data, code and runs on one side, versions and endpoints on the other.

Only things that a person would name are nodes; the steps between two tables are left out here and shown on the page of
their run. An arrow goes from what is rested on to what rests on it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, select

from threefold.server.pages.look import part
from threefold.store.schema import (
    datasets,
    endpoints,
    logged_models,
    model_versions,
    releases,
    run_datasets,
    run_models,
    runs,
    snapshots,
)

MOST = 120  # nodes; a larger drawing tells nobody anything
VERSIONS = 2_000  # looked at, newest first


@dataclass(frozen=True, slots=True)
class Node:
    """One thing: `key` is "<kind>:<id>", as the address of the page names it."""

    key: str
    kind: str  # snapshot, data, code, environment, dataset, run, model, version, endpoint
    name: str
    detail: str = ""
    href: str | None = None


@dataclass(slots=True)
class Graph:
    """Nodes by their key, and the arrows between them."""

    nodes: dict[str, Node] = field(default_factory=dict)
    arrows: set[tuple[str, str]] = field(default_factory=set)

    def add(self, node: Node, *, on: Iterable[str] = ()) -> str:
        """Add a node, resting on others; returns its key."""
        self.nodes.setdefault(node.key, node)
        self.arrows |= {(other, node.key) for other in on}
        return node.key

    def around(self, key: str) -> Graph:
        """A node with all it rests on and all that rests on it."""
        kept = {key} | self.reached(key, 0) | self.reached(key, 1)
        kept = {key, *sorted(kept - {key})[: MOST - 1]}
        arrows = {(a, b) for a, b in self.arrows if a in kept and b in kept}
        return Graph({name: node for name, node in self.nodes.items() if name in kept}, arrows)

    def reached(self, key: str, end: int) -> set[str]:
        """Everything upwards (end 0) or downwards (end 1)."""
        beside: dict[str, list[str]] = {}
        for arrow in self.arrows:
            beside.setdefault(arrow[1 - end], []).append(arrow[end])
        found: set[str] = set()
        waiting = [key]
        while waiting:
            new = [other for other in beside.get(waiting.pop(), ()) if other not in found]
            found.update(new)
            waiting += new
        return found


def whole(connection: Connection) -> Graph:
    """Everything that has a version at its end."""
    graph = Graph()
    names = _snapshot_names(connection)
    ran = _runs(connection)
    query = select(model_versions).where(model_versions.c.deleted_at.is_(None))
    for row in connection.execute(query.order_by(model_versions.c.created_at.desc()).limit(VERSIONS)):
        _version(graph, row, names, ran)
    _logged(connection, graph, ran)
    _endpoints(connection, graph)
    return graph


def lone_run(connection: Connection, graph: Graph, run_id: str) -> str | None:
    """The key of a run, added with its code and data where no version rests on it; None where there is none."""
    row = connection.execute(select(runs).where(runs.c.id == run_id)).first()
    if row is None:
        return None
    key = _run(graph, run_id, {run_id: row})
    query = select(datasets).join(run_datasets, run_datasets.c.dataset == datasets.c.id)
    for one in connection.execute(query.where(run_datasets.c.run == row.number)):
        graph.arrows.add((graph.add(Node(f"dataset:{one.id}", "dataset", one.name, one.digest)), key))
    return key


def newest(connection: Connection) -> str | None:
    """What to show while nobody has asked for anything: what is live, or the newest version."""
    row = connection.execute(select(endpoints).order_by(endpoints.c.updated_at.desc())).first()
    arms = (row.routing or {}).get("arms") or [] if row else []
    if row and arms:
        return f"version:{row.routing.get('model') or row.name}/{arms[0]['number']}"
    found = connection.execute(select(model_versions).order_by(model_versions.c.created_at.desc())).first()
    return f"version:{found.name}/{found.number}" if found else None


# ------------------------------------------------------------------------------------------------------- parts


def _version(graph: Graph, row: Any, names: Mapping[str, str], ran: Mapping[str, Any]) -> None:
    lineage = row.lineage if isinstance(row.lineage, Mapping) else {}
    held = lineage.get("snapshots")
    tables = [
        graph.add(_data(digest, names.get(digest) or table, "snapshot"))
        for table, digest in (held.items() if isinstance(held, Mapping) else ())
    ]
    trained = _derived(graph, lineage.get("training_set"), "training set", tables)
    tested = _derived(graph, lineage.get("test_set"), "test set, sealed", tables)
    run = _run(graph, row.run_id, ran, [key for key in (trained or "",) if key]) if row.run_id else ""
    environment = lineage.get("environment")
    if environment and run:
        graph.arrows.add(
            (graph.add(Node(f"environment:{environment}", "environment", "environment", environment[:12])), run)
        )
    model = f"model:{row.model_id}" if row.model_id else ""
    detail = " · ".join(word for word in (lineage.get("candidate"), row.status) if word)
    node = Node(f"version:{row.name}/{row.number}", "version", f"{row.name} {row.number}", detail,
                f"/models/{part(row.name)}/{row.number}")  # fmt: skip
    graph.add(node, on=[key for key in (run, tested, model) if key])


def _data(digest: str, name: str, kind: str) -> Node:
    return Node(f"data:{digest}", kind, name, digest[:12], f"/data/{part(digest)}")


def _derived(graph: Graph, digest: Any, name: str, tables: list[str]) -> str | None:
    return graph.add(_data(str(digest), name, "data"), on=tables) if digest else None


def _run(graph: Graph, run_id: str, ran: Mapping[str, Any], on: Iterable[str] = ()) -> str:
    row = ran.get(run_id)
    name = (row.name or run_id[:8]) if row is not None else f"run {run_id[:8]}"
    detail = row.status if row is not None else "not here any more"
    key = graph.add(Node(f"run:{run_id}", "run", name, f"{detail} · {run_id[:8]}", f"/runs/{part(run_id)}"), on=on)
    code = row.code if row is not None and isinstance(row.code, Mapping) else {}
    if code.get("archive") or code.get("commit"):
        # Two archives of one commit are two states of the code: what was not committed made the difference.
        mark = str(code.get("archive") or code["commit"])
        commit = f"commit {str(code['commit'])[:8]}" if code.get("commit") else "no repository"
        graph.arrows.add(
            (graph.add(Node(f"code:{mark}", "code", "code", commit + (", changed" if code.get("dirty") else ""))), key)
        )
    return key


def _runs(connection: Connection) -> dict[str, Any]:
    """The runs that versions and logged models come from, by id."""
    wanted: Callable[[Any], Any] = lambda column: select(column).where(column.is_not(None))  # noqa: E731
    query = select(runs.c.id, runs.c.name, runs.c.status, runs.c.code, runs.c.number).where(
        runs.c.id.in_(wanted(model_versions.c.run_id)) | runs.c.id.in_(wanted(logged_models.c.source_run_id))
    )
    return {row.id: row for row in connection.execute(query)}


def _snapshot_names(connection: Connection) -> dict[str, str]:
    return {row.digest: row.name for row in connection.execute(select(snapshots.c.digest, snapshots.c.name))}


def _logged(connection: Connection, graph: Graph, ran: Mapping[str, Any]) -> None:
    """Models that clients logged: from their run to the versions made of them; and the datasets of those runs."""
    wanted = [key.partition(":")[2] for _, key in [(0, a) for a, _ in graph.arrows] if key.startswith("model:")]
    for row in connection.execute(select(logged_models).where(logged_models.c.id.in_(wanted))):
        on = [_run(graph, row.source_run_id, ran)] if row.source_run_id else []
        graph.add(
            Node(f"model:{row.id}", "model", row.name, row.type or "logged model", f"/logged-models/{part(row.id)}"),
            on=on,
        )
    for key in [key for key, _ in graph.arrows if key.startswith("model:") and key not in graph.nodes]:
        graph.add(Node(key, "model", key.partition(":")[2][:14], "not here any more"))
    numbers = {row.number: run_id for run_id, row in ran.items() if f"run:{run_id}" in graph.nodes}
    used = select(datasets, run_datasets.c.run).join(run_datasets, run_datasets.c.dataset == datasets.c.id)
    for row in connection.execute(used.where(run_datasets.c.run.in_(list(numbers)))):
        key = graph.add(Node(f"dataset:{row.id}", "dataset", row.name, row.digest))
        graph.arrows.add((key, f"run:{numbers[row.run]}"))
    made = select(run_models.c.run, run_models.c.model_id).where(run_models.c.role == "input")
    for row in connection.execute(made.where(run_models.c.run.in_(list(numbers)))):
        if f"model:{row.model_id}" in graph.nodes:
            graph.arrows.add((f"model:{row.model_id}", f"run:{numbers[row.run]}"))


def _endpoints(connection: Connection, graph: Graph) -> None:
    live = {
        row.name: {(row.routing.get("model") or row.name, arm.get("number")) for arm in row.routing.get("arms") or []}
        for row in connection.execute(select(endpoints))
        if isinstance(row.routing, Mapping)
    }
    for row in connection.execute(select(releases.c.endpoint, releases.c.name, releases.c.number).distinct()):
        key = f"version:{row.name}/{row.number}"
        if key in graph.nodes:
            answering = (row.name, row.number) in live.get(row.endpoint, ())
            node = Node(f"endpoint:{row.endpoint}", "endpoint", row.endpoint, "endpoint", "/")
            graph.add(node, on=[key])
            if answering:
                graph.nodes[key] = _marked(graph.nodes[key])


def _marked(node: Node) -> Node:
    return Node(node.key, node.kind, node.name, f"answers now · {node.detail}", node.href)
