"""The walk along all relations: one recursive query, the same question on SQLite and Postgres."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import CTE, Connection, Integer, Select, Text, case, cast, literal, select, true, union_all

from threefold.errors import Refused
from threefold.governance.lineage.relations import Relation, every

Direction = Literal["up", "down"]

MOST = 50_000  # edges; a graph that is larger tells nobody anything


@dataclass(frozen=True, slots=True, order=True)
class Node:
    """One thing in the catalogue."""

    kind: str  # object, step, run, commit, dataset, logged model, version, alias, release, endpoint …
    id: str

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"


@dataclass(frozen=True, slots=True, order=True)
class Edge:
    """The lower thing rests on the upper one."""

    upper: Node
    lower: Node
    word: str  # what the upper thing is to the lower one


def walk(connection: Connection, start: Sequence[Node], direction: Direction) -> tuple[Edge, ...]:
    """Every edge that is reached from some nodes: up to what they rest on, or down to what rests on them.

    Raises:
        Refused: there are more than MOST.
    """
    if not start:
        return ()
    rows = connection.execute(_query(start, direction, connection.dialect.name).limit(MOST + len(start) + 1)).all()
    if len(rows) > MOST + len(start):
        raise Refused(f"more than {MOST:,} things hang together", str(start[0]), "ask about something smaller")
    found = []
    for row in rows:
        if row.word:
            here, there = Node(row.from_kind, row.from_id), Node(row.kind, row.id)
            found.append(Edge(there, here, row.word) if direction == "up" else Edge(here, there, row.word))
    return tuple(sorted(set(found)))


def _query(start: Sequence[Node], direction: Direction, engine: str) -> Select[Any]:
    seeds = union_all(*(select(*_row(engine, "", "", node.kind, node.id, "")) for node in start))
    reached = select(seeds.subquery("seeds")).cte("reached", recursive=True)
    steps = [_step(engine, reached, relation, direction) for relation in every()]
    # Both engines use the indexes of the tables only where each relation is asked for by itself: SQLite takes several
    # recursive terms, Postgres takes one, inside of which they can stand side by side.
    if engine == "sqlite":
        return select(reached.union(*steps))
    beside = union_all(*(step.correlate(reached) for step in steps)).lateral("beside")
    return select(reached.union(select(*beside.c).select_from(reached.join(beside, true()))))


def _step(engine: str, reached: CTE, relation: Relation, direction: Direction) -> Select[Any]:
    """From what was reached, one step along one relation."""
    ends = [(relation.upper, relation.upper_id), (relation.lower, relation.lower_id)]
    (from_kind, from_id), (to_kind, to_id) = ends if direction == "down" else reversed(ends)
    # A dataset is known by a whole number: as text it could not be found by its index.
    here = case((reached.c.kind == "dataset", cast(reached.c.id, Integer))) if from_kind == "dataset" else reached.c.id
    columns = _row(engine, from_kind, reached.c.id, to_kind, to_id, relation.word)
    met = (reached.c.kind == from_kind, from_id == here, to_id.is_not(None))
    return select(*columns).select_from(reached, relation.source).where(*met, *relation.where)


def _row(engine: str, *values: Any) -> list[Any]:
    names = ("from_kind", "from_id", "kind", "id", "word")
    texts: list[Any] = [cast(literal(value) if isinstance(value, str) else value, Text) for value in values]
    if engine == "postgresql":  # its columns may sort by different rules, and one of a query has to have one
        texts = [text.collate("C") for text in texts]
    return [text.label(name) for name, text in zip(names, texts, strict=True)]
