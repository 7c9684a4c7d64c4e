"""The answer: nodes with what a person wants to know about each, and the edges between them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, select

from threefold.governance.lineage.relations import key_of
from threefold.governance.lineage.subjects import find
from threefold.governance.lineage.walk import Direction, Edge, Node, walk
from threefold.records import Routing, from_plain
from threefold.store import Store
from threefold.store.schema import (
    aliases,
    artifacts,
    datasets,
    endpoints,
    executions,
    log_segments,
    logged_models,
    model_versions,
    releases,
    runs,
    snapshots,
)

AT_ONCE = 500  # ids in one question


@dataclass(frozen=True, slots=True)
class Described:
    """A node and what is known about it."""

    kind: str  # as in Node; an object that is a snapshot or a bundle is called so
    id: str
    name: str
    detail: str

    @property
    def node(self) -> str:
        """How edges name it."""
        return f"{self.kind} {self.id}"


@dataclass(frozen=True, slots=True)
class Graph:
    """What something rests on (up), or what rests on it (down)."""

    subject: str
    direction: Direction
    start: tuple[Node, ...]
    nodes: Mapping[Node, Described]
    edges: tuple[Edge, ...]

    def as_plain(self) -> dict[str, Any]:
        """For --json and the pages: nodes with an id of their own, edges by those ids."""
        return {
            "subject": self.subject,
            "direction": self.direction,
            "start": [str(node) for node in self.start],
            "nodes": [
                {"node": str(node), "kind": one.kind, "id": one.id, "name": one.name, "detail": one.detail}
                for node, one in self.nodes.items()
            ],
            "edges": [{"upper": str(e.upper), "lower": str(e.lower), "word": e.word} for e in self.edges],
        }


def ask(store: Store, subject: str, direction: Direction) -> Graph:
    """What a subject rests on, or what is touched if it turns out bad.

    Raises:
        NotFound: it means nothing here.
        Refused: several things are called so, or too much hangs together.
    """
    start = find(store, subject, direction)
    with store.read() as connection:
        edges = (*start.edges, *walk(connection, start.seeds, direction))
        nodes = {*start.nodes, *(node for edge in edges for node in (edge.upper, edge.lower))}
        described = _describe(connection, nodes)
    return Graph(subject, direction, start.nodes, described, edges)


def _describe(connection: Connection, nodes: Iterable[Node]) -> dict[Node, Described]:
    by_kind: dict[str, list[str]] = {}
    for node in sorted(nodes):
        by_kind.setdefault(node.kind, []).append(node.id)
    found: dict[Node, Described] = {}
    for kind, ids in by_kind.items():
        known: dict[str, Described] = {}
        for first in range(0, len(ids), AT_ONCE):
            known |= _READERS.get(kind, _nothing)(connection, ids[first : first + AT_ONCE])
        found |= {Node(kind, one): known.get(one, Described(kind, one, one, "")) for one in ids}
    return found


def _nothing(_: Connection, ids: list[str]) -> dict[str, Described]:
    return {}


def _objects(connection: Connection, ids: list[str]) -> dict[str, Described]:
    found = {}
    for row in connection.execute(select(artifacts).where(artifacts.c.digest.in_(ids))):
        kind = row.kind if row.kind == "bundle" else "object"
        found[row.digest] = Described(kind, row.digest, row.name, row.kind if kind == "object" else "")
    for row in connection.execute(select(snapshots).where(snapshots.c.digest.in_(ids)).order_by(snapshots.c.name)):
        rows, source = row.body.get("rows"), row.body.get("source", "")
        found[row.digest] = Described(
            "snapshot", row.digest, row.name, f"{rows} rows of {source}, {row.created_at[:10]}"
        )
    return found


def _steps(connection: Connection, ids: list[str]) -> dict[str, Described]:
    rows = connection.execute(select(executions).where(executions.c.id.in_(ids)))
    return {row.id: Described("step", row.id, row.step, f"run {row.run_id[:8]}") for row in rows}


def _runs(connection: Connection, ids: list[str]) -> dict[str, Described]:
    rows = connection.execute(select(runs).where(runs.c.id.in_(ids)))
    return {
        row.id: Described(
            "run",
            row.id,
            " ".join(filter(None, (row.kind, row.name))),
            f"{row.status}, {row.started_at[:16]}, {row.user}",
        )
        for row in rows
    }


def _versions(connection: Connection, ids: list[str]) -> dict[str, Described]:
    key = key_of(model_versions, "name", "number")
    rows = connection.execute(select(model_versions, key.label("key")).where(key.in_(ids)))
    return {
        row.key: Described("model", row.key, row.key, ", ".join(filter(None, (row.semantic, row.status, row.deleted_at and "deleted"))))
        for row in rows
    }  # fmt: skip


def _releases(connection: Connection, ids: list[str]) -> dict[str, Described]:
    rows = connection.execute(select(releases).where(releases.c.id.in_(ids)))
    return {
        row.id: Described(
            "release", row.id, f"of version {row.number}", f"{row.body.get('reason', '')}, {row.created_at[:10]}"
        )
        for row in rows
    }


def _endpoints(connection: Connection, ids: list[str]) -> dict[str, Described]:
    counts = select(log_segments.c.endpoint, func.sum(log_segments.c.rows).label("rows"))
    counts = counts.where(log_segments.c.kind == "predictions").group_by(log_segments.c.endpoint)
    logged = {row.endpoint: row.rows for row in connection.execute(counts)}
    found = {}
    for row in connection.execute(select(endpoints).where(endpoints.c.name.in_(ids))):
        routing = from_plain(row.routing, Routing)
        arms = ", ".join(f"version {arm.number} ({arm.share:.0%})" for arm in routing.arms)
        said = "stopped: the fallback answers" if routing.stopped else f"answers: {arms}"
        found[row.name] = Described(
            "endpoint", row.name, row.name, f"{said}; {logged.get(row.name, 0)} predictions logged"
        )
    return found


def _datasets(connection: Connection, ids: list[str]) -> dict[str, Described]:
    rows = connection.execute(select(datasets).where(datasets.c.id.in_([int(one) for one in ids])))
    return {
        str(row.id): Described("dataset", str(row.id), row.name, f"{row.digest}, {row.source_type}") for row in rows
    }


def _logged_models(connection: Connection, ids: list[str]) -> dict[str, Described]:
    rows = connection.execute(select(logged_models).where(logged_models.c.id.in_(ids)))
    return {row.id: Described("logged model", row.id, row.name, row.type or "") for row in rows}


def _aliases(connection: Connection, ids: list[str]) -> dict[str, Described]:
    key = key_of(aliases, "name", "alias")
    rows = connection.execute(select(key.label("key"), aliases.c.set_at).where(key.in_(ids)))
    return {row.key: Described("alias", row.key, row.key, f"since {row.set_at[:16]}") for row in rows}


_READERS: Mapping[str, Callable[[Connection, list[str]], dict[str, Described]]] = {
    "object": _objects,
    "step": _steps,
    "run": _runs,
    "version": _versions,
    "release": _releases,
    "endpoint": _endpoints,
    "dataset": _datasets,
    "logged model": _logged_models,
    "alias": _aliases,
}
