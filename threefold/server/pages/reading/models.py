"""Models and their versions: what they are, why they were let through, where they answer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Row, func, select

from threefold.errors import NotFound
from threefold.server.pages.reading.live import served
from threefold.store.schema import (
    aliases,
    approvals,
    endpoints,
    events,
    evidence,
    holds,
    logged_models,
    model_tags,
    model_versions,
    models,
    releases,
    signatures,
    version_tags,
)

LISTED = 500


def every(connection: Connection) -> list[dict[str, Any]]:
    """All models with their newest version, their aliases and the endpoints they answer."""
    table = model_versions.c
    counts: dict[str, tuple[int, int]] = {
        row.name: (row.versions, row.newest)
        for row in connection.execute(
            select(table.name, func.count().label("versions"), func.max(table.number).label("newest"))
            .where(table.deleted_at.is_(None))
            .group_by(table.name)
        )
    }
    states = _states(connection, counts)
    named = _aliases(connection)
    live = _live(connection)
    return [
        {
            "name": row.name, "description": row.description or "", "versions": counts.get(row.name, (0, None))[0],
            "newest": counts.get(row.name, (0, None))[1], "status": states.get(row.name),
            "aliases": named.get(row.name, {}), "live": live.get(row.name, []), "changed": row.updated_ms,
        }
        for row in connection.execute(select(models).order_by(models.c.name).limit(LISTED))
    ]  # fmt: skip


def one(connection: Connection, name: str) -> dict[str, Any]:
    """A model with its versions, newest first. Raises NotFound."""
    row = connection.execute(select(models).where(models.c.name == name)).first()
    if row is None:
        raise NotFound(f"there is no model {name!r}", "the registry of this store", "the page of models lists them")
    table = model_versions
    query = select(table).where(table.c.name == name, table.c.deleted_at.is_(None)).order_by(table.c.number.desc())
    found = connection.execute(query.limit(LISTED)).all()
    verdicts, pointing = _verdicts(connection, name), _aliases(connection, name).get(name, {})
    return {
        "name": name,
        "description": row.description or "",
        "tags": _tags(connection, model_tags, model_tags.c.name == name),
        "aliases": pointing,
        "versions": [_line(one, verdicts, pointing) for one in found],
        "deleted": list(
            connection.scalars(
                select(table.c.number)
                .where(table.c.name == name, table.c.deleted_at.is_not(None))
                .order_by(table.c.number)
                .limit(LISTED)
            )
        ),
        "moves": moves(connection, name),
        "live": _live(connection).get(name, []),
    }


def version(connection: Connection, name: str, number: int) -> dict[str, Any]:
    """One version with its gates, approvals, releases and all it rests on. Raises NotFound."""
    table = model_versions.c
    row = connection.execute(select(model_versions).where(table.name == name, table.number == number)).first()
    if row is None:
        raise NotFound(f"model {name!r} has no version {number}", "the registry of this store", "its page lists them")
    subject = f"model {name}/{number}"
    pointing = _aliases(connection, name).get(name, {})
    return {
        **_line(row, {}, pointing),
        "name": name,
        "deleted": row.deleted_at,
        "description": row.description or "",
        "tags": _tags(connection, version_tags, version_tags.c.name == name, version_tags.c.number == number),
        "run_id": row.run_id,
        "run_link": row.run_link,
        "source": row.source,
        "bundle": row.bundle,
        "logged_model": _logged(connection, row.model_id),
        "lineage": row.lineage if isinstance(row.lineage, Mapping) else {},
        "gates": _gates(connection, subject),
        "approvals": _approvals(connection, name, number),
        "releases": _releases(connection, name, number),
        "signatures": [
            {"key": one.key_id, "at": one.at}
            for one in connection.execute(select(signatures).where(signatures.c.subject == subject))
        ],
        "holds": [
            {"reason": one.reason, "by": one.by, "at": one.at}
            for one in connection.execute(
                select(holds).where(holds.c.subject == subject, holds.c.released_at.is_(None))
            )
        ],
        "life": _life(connection, subject),
        "live": [one for one in _live(connection).get(name, []) if one["number"] == number],
        "others": _neighbours(connection, name, number),
    }


def moves(connection: Connection, name: str) -> list[dict[str, Any]]:
    """Every move of an alias of a model, oldest first, as the event log has it."""
    query = select(events).where(events.c.subject == f"model {name}", events.c.kind == "alias.moved")
    found = []
    for row in connection.execute(query.order_by(events.c.seq.desc()).limit(LISTED)):
        body = json.loads(row.body)
        found.append(
            {"alias": body.get("alias"), "before": body.get("from"), "after": body.get("to"), "at": row.at,
             "by": row.actor, "reason": body.get("reason") or ""}
        )  # fmt: skip
    return found[::-1]


# ------------------------------------------------------------------------------------------------------- parts


def _line(row: Row[Any], verdicts: Mapping[str, tuple[int, int]], pointing: Mapping[str, int]) -> dict[str, Any]:
    lineage = row.lineage if isinstance(row.lineage, Mapping) else {}
    passed, tried = verdicts.get(f"model {row.name}/{row.number}", (0, 0))
    return {
        "number": row.number, "semantic": row.semantic, "status": row.status,
        "stage": row.stage if row.stage != "None" else None, "made": row.created_at, "by": row.user,
        "candidate": lineage.get("candidate") or "", "as_of": lineage.get("as_of"), "passed": passed, "tried": tried,
        "metrics": row.metrics if isinstance(row.metrics, Mapping) else {},
        "aliases": sorted(alias for alias, number in pointing.items() if number == row.number),
    }  # fmt: skip


def _states(connection: Connection, counts: Mapping[str, tuple[int, int]]) -> dict[str, str]:
    table = model_versions.c
    query = select(table.name, table.number, table.status).where(table.deleted_at.is_(None))
    return {row.name: row.status for row in connection.execute(query) if counts[row.name][1] == row.number}


def _aliases(connection: Connection, name: str | None = None) -> dict[str, dict[str, int]]:
    query = select(aliases).order_by(aliases.c.alias)
    found: dict[str, dict[str, int]] = {}
    for row in connection.execute(query if name is None else query.where(aliases.c.name == name)):
        found.setdefault(row.name, {})[row.alias] = row.number
    return found


def _live(connection: Connection) -> dict[str, list[dict[str, Any]]]:
    """Model -> which of its versions answer which endpoint with which share."""
    found: dict[str, list[dict[str, Any]]] = {}
    if connection.scalar(select(func.count()).select_from(endpoints)):
        for endpoint in served(connection):
            for arm in endpoint["arms"]:
                said = {"endpoint": endpoint["name"], "number": arm.get("number"), "share": arm.get("share")}
                found.setdefault(endpoint["model"], []).append(said)
    return found


def _verdicts(connection: Connection, name: str) -> dict[str, tuple[int, int]]:
    """Version -> how many gates passed, of how many, in its newest acceptance test."""
    table = evidence.c
    mine = table.subject.startswith(f"model {name}/", autoescape=True)
    last = select(table.subject, func.max(table.at).label("at")).where(mine).group_by(table.subject).subquery()
    together = (table.subject == last.c.subject) & (table.at == last.c.at)
    query = select(table.subject, func.sum(table.passed).label("passed"), func.count().label("tried"))
    query = query.select_from(evidence.join(last, together)).group_by(table.subject)
    return {row.subject: (int(row.passed or 0), row.tried) for row in connection.execute(query)}


def _gates(connection: Connection, subject: str) -> list[dict[str, Any]]:
    """What the newest acceptance test said."""
    newest = select(func.max(evidence.c.at)).where(evidence.c.subject == subject).scalar_subquery()
    query = select(evidence).where(evidence.c.subject == subject, evidence.c.at == newest).order_by(evidence.c.gate)
    return [
        {
            **(row.body if isinstance(row.body, Mapping) else {}),
            "gate": row.gate,
            "passed": bool(row.passed),
            "at": row.at,
        }
        for row in connection.execute(query)
    ]


def _approvals(connection: Connection, name: str, number: int) -> list[dict[str, Any]]:
    query = select(approvals).where(approvals.c.name == name, approvals.c.number == number).order_by(approvals.c.at)
    return [{"by": row.by, "reason": row.reason, "at": row.at} for row in connection.execute(query)]


def _releases(connection: Connection, name: str, number: int) -> list[dict[str, Any]]:
    query = select(releases).where(releases.c.name == name, releases.c.number == number)
    return [
        {"id": row.id, "endpoint": row.endpoint, "at": row.created_at, "reason": (row.body or {}).get("reason", ""),
         "approved_by": (row.body or {}).get("approved_by", "")}
        for row in connection.execute(query.order_by(releases.c.created_at))
    ]  # fmt: skip


def _life(connection: Connection, subject: str) -> list[dict[str, Any]]:
    query = select(events).where(events.c.subject == subject).order_by(events.c.seq).limit(100)
    return [
        {"seq": row.seq, "kind": row.kind, "at": row.at, "by": row.actor, "body": json.loads(row.body)}
        for row in connection.execute(query)
    ]


def _logged(connection: Connection, model_id: str | None) -> dict[str, Any] | None:
    if not model_id:
        return None
    row = connection.execute(select(logged_models).where(logged_models.c.id == model_id)).first()
    return {"id": model_id, "name": row.name if row else "", "type": row.type if row else None}


def _tags(connection: Connection, table: Any, *mine: Any) -> dict[str, str]:
    return {row.key: row.value for row in connection.execute(select(table).where(*mine).order_by(table.c.key))}


def _neighbours(connection: Connection, name: str, number: int) -> dict[str, int | None]:
    table = model_versions.c
    there = (table.name == name, table.deleted_at.is_(None))
    before = connection.scalar(select(func.max(table.number)).where(*there, table.number < number))
    after = connection.scalar(select(func.min(table.number)).where(*there, table.number > number))
    return {"before": before, "after": after}
