"""Looking at the memory from outside: is it whole, and does everything that is named exist."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

from sqlalchemy import Connection, Select, and_, exists, select

from threefold.errors import Finding, NotFound, StoreError
from threefold.store import cross_check, events, roots, schema
from threefold.store.objects import Objects
from threefold.store.store import Store

MEND_OBJECT = "restore a backup, or run again: the step that made it makes it anew"
MEND_ROWS = "restore the catalogue from a backup"

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Checked:
    """What was looked at, and what is wrong."""

    deep: bool
    events: int  # sound ones from the start
    objects: int  # that something refers to
    sound: int  # of those
    size_bytes: int
    unused: int  # objects that nothing refers to; `gc` removes them
    findings: tuple[Finding, ...]


def check(store: Store, *, deep: bool = False, progress: Progress = lambda what, done, of: None) -> Checked:
    """Look at everything, and change nothing.

    Args:
        deep: read every object and compare it with its digest; otherwise only that it is there and of its size.
    """
    findings: list[Finding] = []
    with store.read() as connection:
        findings += _database(connection, store.url)
        chained, broken = events.verify(connection)
        if broken:
            findings.append(Finding(f"the event log does not hold: {broken}", store.url, MEND_ROWS))
        for sentence in cross_check.missing(connection):
            findings.append(Finding(sentence, store.url, MEND_ROWS))
        findings += _dangling(connection, store.url)
        direct = roots.direct(connection)
    present = set(store.objects.digests())

    def unreadable(root: roots.Root, error: StoreError) -> None:
        findings.append(Finding(f"{error.what}; needed by {root.reason}", error.where, MEND_OBJECT))

    needed = roots.whole(store.objects, direct, present.__contains__, unreadable)
    size = sound = 0
    for number, root in enumerate(needed.values(), 1):
        progress("checking objects", number, len(needed))
        finding, bytes_ = _object(store.objects, root, deep=deep)
        size += bytes_
        sound += finding is None
        if finding is not None and not any(one.where == finding.where for one in findings):
            findings.append(finding)
    return Checked(deep, chained, len(needed), sound, size, len(present - needed.keys()), tuple(findings))


def _object(objects: Objects, root: roots.Root, *, deep: bool) -> tuple[Finding | None, int]:
    where = f"{objects.address}, object {root.digest}"
    try:
        size = objects.size_bytes(root.digest)
        if deep:
            for _ in objects.open_stream(root.digest):
                pass
    except NotFound:
        return Finding(f"object {root.digest[:12]} is missing; needed by {root.reason}", where, MEND_OBJECT), 0
    except StoreError as error:
        return Finding(f"{error.what}; needed by {root.reason}", where, MEND_OBJECT), 0
    if root.size_bytes is not None and size != root.size_bytes:
        said = f"object {root.digest[:12]} has {size} bytes, not {root.size_bytes}; needed by {root.reason}"
        return Finding(said, where, MEND_OBJECT), size
    return None, size


def _database(connection: Connection, where: str) -> Iterator[Finding]:
    """What the database itself finds wrong; Postgres watches over its own pages."""
    if connection.dialect.name != "sqlite":
        return
    for (said,) in connection.exec_driver_sql("PRAGMA integrity_check(20)").all():
        if said != "ok":
            yield Finding(f"the catalogue is damaged: {said}", where, MEND_ROWS)
    for row in connection.exec_driver_sql("PRAGMA foreign_key_check").all():
        yield Finding(f"row {row[1]} of {row[0]} refers to a row of {row[2]} that is not there", where, MEND_ROWS)


def _dangling(connection: Connection, where: str) -> Iterator[Finding]:
    """Rows that name another row which is not there, where the database does not watch over it itself."""
    for query, sentence in _references():
        # A version that a client registered has no lineage of ours, and may name a run of another store.
        rows = (row._mapping for row in connection.execute(query) if getattr(row, "lineage", True) is not None)
        for row in islice(rows, 20):
            yield Finding(sentence.format(**row), where, MEND_ROWS)


def _references() -> Iterator[tuple[Select[tuple[object, ...]], str]]:
    versions, aliases, runs = schema.model_versions, schema.aliases, schema.runs
    executions, edges = schema.executions, schema.edges
    there = exists().where(and_(versions.c.name == aliases.c.name, versions.c.number == aliases.c.number))
    yield select(aliases).where(~there), "alias {alias} of model {name} points at version {number}, which is not there"
    there = exists().where(runs.c.id == versions.c.run_id)
    yield select(versions).where(~there), "model {name}/{number} was made by run {run_id}, which is not there"
    there = exists().where(executions.c.id == edges.c.execution_id)
    yield select(edges).where(~there), "lineage names execution {execution_id}, which is not there"
