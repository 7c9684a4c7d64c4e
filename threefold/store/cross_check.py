"""Hold the tables against the event log: what stands in them was written with an event, so the event must be there.

The chain of hashes shows a row that was changed or taken out of the middle. Whoever takes the last rows away, and mends
the row that says where the log stands, leaves a chain that holds, shorter; but the runs, versions and releases that
these rows told of are still there. The signed checkpoints say the same of everything up to the last of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from sqlalchemy import ColumnElement, Connection, Integer, Select, String, cast, exists, literal, not_, select
from sqlalchemy.sql.selectable import Exists

from threefold.store.schema import approvals, endpoints, events, model_versions, releases, runs

SHOWN = 20  # of each kind; the first already says that the log is not whole
TRACKED = "tracked"  # runs of other clients: an import brings many of them with one event


def missing(connection: Connection) -> Iterator[str]:
    """A sentence for each run, version, approval, release and routing whose event is not in the log."""
    for query, sentence in _queries():
        for row in connection.execute(query.limit(SHOWN)):
            yield sentence.format(**row._mapping)
    for name, generation in connection.execute(select(endpoints.c.name, endpoints.c.generation)).all():
        told = _generation(connection, name)
        if told != generation:
            yield f"endpoint {name} stands at generation {generation}, and the log tells of {told}"


def _queries() -> Iterator[tuple[Select[tuple[object, ...]], str]]:
    started = _event("run.started", literal("run ") + runs.c.id)
    yield select(runs).where(runs.c.kind != TRACKED, ~started), "run {id} has no event that it started"
    own = model_versions.c.lineage.is_not(None)  # a version of a client may have come with an import
    registered = _event("model.registered", _subject(model_versions.c.name, model_versions.c.number))
    there = registered | _renamed(model_versions.c.name)
    yield select(model_versions).where(own, not_(there)), "model {name}/{number} has no event that it was registered"
    given = _event("approval.given", _subject(approvals.c.name, approvals.c.number)) | _renamed(approvals.c.name)
    yield select(approvals).where(not_(given)), "the approval of model {name}/{number} by {by} has no event"
    subject = literal("endpoint ") + releases.c.endpoint
    made = exists().where(
        events.c.kind == "release.created", events.c.subject == subject, events.c.body.contains(releases.c.id)
    )
    yield select(releases).where(~made), "release {id} of version {number} has no event"


def _event(kind: str, subject: ColumnElement[str]) -> Exists:
    return exists().where(events.c.kind == kind, events.c.subject == subject)


def _subject(name: ColumnElement[str], number: ColumnElement[int]) -> ColumnElement[str]:
    return literal("model ") + name + literal("/") + cast(cast(number, Integer), String)


def _renamed(name: ColumnElement[str]) -> Exists:
    """Whether a model got its name later: its first events stand under the one before."""
    return exists().where(events.c.kind == "model.renamed", events.c.body.contains(literal('"to":"') + name))


def _generation(connection: Connection, endpoint: str) -> int:
    """The newest routing that the log tells of."""
    query = (
        select(events.c.body)
        .where(events.c.subject == f"endpoint {endpoint}", ~events.c.kind.startswith("serving."))
        .where(events.c.body.contains('"generation":'))
        .order_by(events.c.seq.desc())
        .limit(1)
    )
    body = connection.scalar(query)
    return int(json.loads(body)["generation"]) if body else 0
