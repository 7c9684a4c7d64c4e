"""What the memory still needs: every object that something refers to, and why.

Two steps. `direct` reads the catalogue: its columns of digests, and the digests inside its JSON. `whole` then follows
the objects that name others: the manifest of a bundle its files, the manifest of a table its pieces, a value that a
step gave the digests in it. Whoever adds a column of digests adds a line here, or `gc` takes its objects away.
"""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Connection, Text, cast, select
from sqlalchemy.sql.selectable import Select

from threefold.errors import NotFound, StoreError
from threefold.store import schema
from threefold.store.objects import Objects

Kind = Literal["table", "bundle", "value", "file"]  # what an object may name: pieces, files, digests anywhere, nothing

DIGEST = re.compile(r"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")
IN_BYTES = re.compile(DIGEST.pattern.encode())
KINDS: dict[str, Kind] = {"table": "table", "bundle": "bundle", "json": "value", "object": "value"}  # of artifacts
AT_A_TIME = 10_000  # rows


@dataclass(frozen=True, slots=True)
class Root:
    """One reference from the catalogue to an object."""

    digest: str
    reason: str  # who needs it: "run 5f3a…", "model flight-delays/3", "snapshot flights"
    kind: Kind
    size_bytes: int | None = None  # where the catalogue knows it
    certain: bool = True  # False: found in JSON, where 64 hex letters may be the digest of something else


@dataclass(frozen=True, slots=True)
class Direct:
    """What the catalogue names, and what kind of thing each object is as far as it knows."""

    roots: tuple[Root, ...]
    kinds: Mapping[str, tuple[Kind, int]]  # digest -> kind, size in bytes


def direct(connection: Connection) -> Direct:
    """Every object that the catalogue names, once for each reason."""
    kinds = _kinds(connection)
    return Direct(tuple(_direct(connection, kinds)), kinds)


def _direct(connection: Connection, kinds: Mapping[str, tuple[Kind, int]]) -> Iterator[Root]:
    for query, reason, kind in _columns():
        for row in _rows(connection, query):
            if row.digest:
                known = kinds.get(row.digest)
                size = known[1] if known else getattr(row, "size_bytes", None)
                yield Root(row.digest, reason(row), known[0] if known else kind, size)
    for query, reason in _texts():
        for row in _rows(connection, query):
            for digest in dict.fromkeys(DIGEST.findall(row.body or "")):
                kind, size = kinds.get(digest, ("table", None))
                yield Root(digest, reason(row), kind, size, certain=digest in kinds)


def whole(
    objects: Objects,
    named: Direct,
    present: Callable[[str], bool] | None = None,
    unreadable: Callable[[Root, StoreError], None] | None = None,
) -> dict[str, Root]:
    """Every object that is needed: those the catalogue names, and what these name in turn.

    Args:
        present: tells whether an object is there; asked for what is only perhaps a digest. None: ask `objects`.
        unreadable: told of an object that cannot be read, so that nobody knows what it names. None: raise.
    Returns:
        digest -> the first reference to it. What is missing stands there, too, where it is certainly a digest.
    Raises:
        StoreError: an object that may name others is damaged, or cannot be reached.
    """
    there = present or objects.has
    found: dict[str, Root] = {}
    followed: set[tuple[str, Kind]] = set()
    waiting = deque(named.roots)
    while waiting:
        root = waiting.popleft()
        if not root.certain and not there(root.digest):
            continue
        first = found.setdefault(root.digest, root)
        if root.certain and not first.certain:
            found[root.digest] = root
        if (root.digest, root.kind) in followed:
            continue
        followed.add((root.digest, root.kind))
        try:
            waiting += _named_by(objects, root, named.kinds)
        except NotFound:
            continue  # it names nothing any more
        except StoreError as error:
            if unreadable is None:
                raise
            unreadable(root, error)
    return found


def _named_by(objects: Objects, root: Root, kinds: Mapping[str, tuple[Kind, int]]) -> list[Root]:
    """The objects that an object names. Raises NotFound, StoreError."""
    if root.kind == "table":
        return [Root(digest, root.reason, "file") for digest in objects.references(root.digest)]
    if root.kind == "bundle":
        try:
            files = list(json.loads(objects.get(root.digest))["files"].values())
        except (ValueError, KeyError, AttributeError) as error:
            raise StoreError(f"object {root.digest[:12]} is not a bundle", root.reason, "restore a backup") from error
        return [Root(digest, root.reason, "file") for digest in files]
    if root.kind == "value":
        digests = [found.decode() for found in dict.fromkeys(IN_BYTES.findall(objects.get(root.digest)))]
        return [Root(one, root.reason, kinds.get(one, ("table", 0))[0], certain=False) for one in digests]
    return []


def _kinds(connection: Connection) -> dict[str, tuple[Kind, int]]:
    table = schema.artifacts
    rows = connection.execute(select(table.c.digest, table.c.kind, table.c.size_bytes))
    return {row.digest: (KINDS.get(row.kind, "file"), row.size_bytes) for row in rows}


def _rows(connection: Connection, query: Select[Any]) -> Iterator[Any]:
    yield from connection.execution_options(yield_per=AT_A_TIME).execute(query)


def _columns() -> Iterator[tuple[Select[Any], Callable[[Any], str], Kind]]:
    """The columns that hold a digest, with who needs it and what the object may name."""
    runs, executions, edges, versions = schema.runs, schema.executions, schema.edges, schema.model_versions
    held = schema.holds
    yield select(runs.c.environment.label("digest"), runs.c.id), lambda row: f"run {row.id}", "file"
    yield (
        select(edges.c.digest, executions.c.run_id, executions.c.step).join(
            executions, executions.c.id == edges.c.execution_id
        ),
        lambda row: f"run {row.run_id}, step {row.step}",
        "table",
    )
    yield select(schema.snapshots.c.digest, schema.snapshots.c.name), lambda row: f"snapshot {row.name}", "table"
    yield (
        select(versions.c.bundle.label("digest"), versions.c.name, versions.c.number),
        lambda row: f"model {row.name}/{row.number}",
        "bundle",
    )
    segments = schema.log_segments
    yield select(segments.c.digest, segments.c.endpoint), lambda row: f"log of {row.endpoint}", "table"
    files = schema.files
    yield select(files.c.digest, files.c.path, files.c.size_bytes), lambda row: f"file {row.path}", "file"
    for kind, names in (("snapshot", "table"), ("object", "value")):
        mine = held.c.subject.startswith(f"{kind} "), held.c.released_at.is_(None)
        yield select(held.c.subject.label("digest")).where(*mine), lambda row: f"hold on {row.digest}", names  # type: ignore[misc]  # the literals above


def _texts() -> Iterator[tuple[Select[Any], Callable[[Any], str]]]:
    """The JSON that holds digests among other things, as text."""
    runs, cache, versions, releases = schema.runs, schema.cache, schema.model_versions, schema.releases
    yield select(cast(runs.c.code, Text).label("body"), runs.c.id), lambda row: f"run {row.id}"
    for column in (cache.c.outputs, cache.c.parts):
        yield select(cast(column, Text).label("body"), cache.c.step), lambda row: f"cache of step {row.step}"
    yield (
        select(cast(versions.c.lineage, Text).label("body"), versions.c.name, versions.c.number),
        lambda row: f"model {row.name}/{row.number}",
    )
    yield (
        select(cast(releases.c.body, Text).label("body"), releases.c.name, releases.c.number),
        lambda row: f"release of {row.name}/{row.number}",
    )
    endpoints = schema.endpoints
    yield (
        select(cast(endpoints.c.routing, Text).label("body"), endpoints.c.name),
        lambda row: f"endpoint {row.name}",
    )
    held = schema.holds
    yield select(held.c.subject.label("body")).where(held.c.released_at.is_(None)), lambda row: f"hold on {row.body}"


def named_now(connection: Connection, digests: Sequence[str]) -> set[str]:
    """Which of some objects a column of digests names at this moment; a quick look, for who holds the writers' turn."""
    columns = (
        schema.edges.c.digest,
        schema.snapshots.c.digest,
        schema.log_segments.c.digest,
        schema.files.c.digest,
        schema.model_versions.c.bundle,
    )
    found: set[str] = set()
    for column in columns:
        found.update(connection.scalars(select(column).where(column.in_(list(digests)))))
    return found
