"""Registered models: the names that versions belong to, as clients of the tracking protocol make and change them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from threefold.errors import Conflict, NotFound, Refused
from threefold.records import now_ms
from threefold.registry import deletion, holds, versions
from threefold.store import Writer
from threefold.store.schema import (
    alias_moves,
    aliases,
    approvals,
    evidence,
    model_tags,
    model_versions,
    models,
    releases,
    signatures,
    version_tags,
)

PROMPT = "mlflow.prompt.is_prompt"  # the tag that makes a model a prompt; they share the registry's names
STAGES = ("None", "Staging", "Production", "Archived")


@dataclass(slots=True)
class Version:
    """One version as a client sees it; `registry.versions` has its place in our own lifecycle."""

    name: str
    number: int
    created_ms: int
    updated_ms: int
    user: str
    stage: str
    description: str | None
    source: str
    run_id: str
    run_link: str | None
    model_id: str | None
    tags: dict[str, str] = field(default_factory=dict)
    aliases: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Model:
    """One registered model; `latest` holds the newest version of each stage."""

    name: str
    description: str | None
    created_ms: int
    updated_ms: int
    tags: dict[str, str] = field(default_factory=dict)
    aliases: dict[str, int] = field(default_factory=dict)
    latest: list[Version] = field(default_factory=list)


def create(tx: Writer, name: str, description: str | None, tags: Mapping[str, str]) -> None:
    """Make a name for versions. Raises Conflict where it is taken."""
    if exists(tx.connection, name):
        raise _taken(tx.connection, name, PROMPT in tags)
    at = now_ms()
    used = tx.connection.scalar(select(func.max(model_versions.c.number)).where(model_versions.c.name == name))
    row = {"name": name, "description": description, "created_ms": at, "updated_ms": at, "last_number": used or 0}
    tx.execute(insert(models).values(**row))
    if tags:
        tx.execute(insert(model_tags), [{"name": name, "key": key, "value": value} for key, value in tags.items()])
    tx.event("model.named", f"model {name}", {})


def get(connection: Connection, name: str) -> Model:
    """One registered model. Raises NotFound."""
    found = load(connection, [name])
    if not found:
        raise missing(name)
    return found[0]


def exists(connection: Connection, name: str) -> bool:
    """Whether there is a model of that name."""
    return connection.scalar(select(models.c.name).where(models.c.name == name)) is not None


def require(connection: Connection, name: str) -> None:
    """Say no where there is no model of that name. Raises NotFound."""
    if not exists(connection, name):
        raise missing(name)


def load(connection: Connection, names: Sequence[str]) -> list[Model]:
    """Some registered models with what belongs to them, in the order of the names."""
    wanted = list(names)
    found = {
        row.name: Model(row.name, row.description, row.created_ms, row.updated_ms)
        for row in connection.execute(select(models).where(models.c.name.in_(wanted)))
    }
    for row in connection.execute(select(model_tags).where(model_tags.c.name.in_(wanted)).order_by(model_tags.c.key)):
        found[row.name].tags[row.key] = row.value
    for row in connection.execute(select(aliases).where(aliases.c.name.in_(wanted)).order_by(aliases.c.alias)):
        if row.name in found:
            found[row.name].aliases[row.alias] = row.number
    for version in _latest(connection, wanted):
        if version.name in found:
            found[version.name].latest.append(version)
    return [found[name] for name in wanted if name in found]


def describe(tx: Writer, name: str, description: str | None) -> None:
    """Change the description of a model. Raises NotFound."""
    require(tx.connection, name)
    tx.execute(update(models).where(models.c.name == name).values(description=description, updated_ms=now_ms()))
    tx.event("model.described", f"model {name}", {})


def rename(tx: Writer, name: str, new: str) -> None:
    """Give a model and its versions another name.

    Raises:
        NotFound, Conflict: there is no such model; the new name is taken.
        Refused: what was released or signed keeps its name.
    """
    require(tx.connection, name)
    if new == name:
        return
    used = select(model_versions.c.number).where(model_versions.c.name == new).limit(1)
    if exists(tx.connection, new) or tx.connection.scalar(used) is not None:
        raise _taken(tx.connection, new, False)
    _require_unsigned(tx.connection, name)
    tx.execute(update(models).where(models.c.name == name).values(name=new, updated_ms=now_ms()))
    for table in (model_versions, version_tags, aliases, alias_moves, approvals):
        tx.execute(update(table).where(table.c.name == name).values(name=new))
    tx.execute(update(model_versions).where(model_versions.c.name == new).values(updated_at=tx.now))
    for number in tx.connection.scalars(select(model_versions.c.number).where(model_versions.c.name == new)).all():
        mine = evidence.c.subject == versions.subject(name, number)
        tx.execute(update(evidence).where(mine).values(subject=versions.subject(new, number)))
    tx.event("model.renamed", f"model {name}", {"to": new})


def remove(tx: Writer, name: str) -> None:
    """Delete a model with its versions, which can be restored until they are purged.

    Raises:
        NotFound: there is no such model.
        Refused: one of its versions answers somewhere, or is held.
    """
    require(tx.connection, name)
    alive = (model_versions.c.name == name, model_versions.c.deleted_at.is_(None))
    for number in tx.connection.scalars(select(model_versions.c.number).where(*alive)).all():
        holds.require_free(tx.connection, versions.subject(name, number))
        deletion.require_idle(tx.connection, name, number)
    for alias in tx.connection.scalars(select(aliases.c.alias).where(aliases.c.name == name)).all():
        versions.move_alias(tx, name, alias, None, "the model was deleted")
    tx.execute(update(model_versions).where(*alive).values(deleted_at=tx.now, updated_at=tx.now))
    tx.execute(delete(model_tags).where(model_tags.c.name == name))
    tx.execute(delete(models).where(models.c.name == name))
    tx.event("model.deleted", f"model {name}", {})


def set_tag(tx: Writer, name: str, key: str, value: str) -> None:
    """Keep a tag of a model. Raises NotFound."""
    require(tx.connection, name)
    tx.execute(delete(model_tags).where(model_tags.c.name == name, model_tags.c.key == key))
    tx.execute(insert(model_tags).values(name=name, key=key, value=value))
    tx.event("model.tagged", f"model {name}", {"key": key})


def delete_tag(tx: Writer, name: str, key: str) -> None:
    """Take a tag of a model away; nothing happens where there is none. Raises NotFound."""
    require(tx.connection, name)
    tx.execute(delete(model_tags).where(model_tags.c.name == name, model_tags.c.key == key))
    tx.event("model.untagged", f"model {name}", {"key": key})


def is_prompt(connection: Connection, name: str) -> bool:
    """Whether a name stands for a prompt rather than a model."""
    tag = select(model_tags.c.value).where(model_tags.c.name == name, model_tags.c.key == PROMPT)
    return str(connection.scalar(tag)).lower() == "true"


def load_versions(connection: Connection, keys: Sequence[tuple[str, int]]) -> list[Version]:
    """Some versions with their tags and aliases, in the order of the keys."""
    names = sorted({name for name, _ in keys})
    wanted = set(keys)
    found: dict[tuple[str, int], Version] = {}
    for begin in range(0, len(names), 500):
        part = names[begin : begin + 500]
        alive = (model_versions.c.name.in_(part), model_versions.c.deleted_at.is_(None))
        query = select(model_versions).where(*alive)
        if len(wanted) <= 500:
            query = query.where(model_versions.c.number.in_({number for _, number in wanted}))
        for row in connection.execute(query):
            if (row.name, row.number) in wanted:
                found[row.name, row.number] = _version(row)
        tags = select(version_tags).where(version_tags.c.name.in_(part)).order_by(version_tags.c.key)
        for row in connection.execute(tags):
            if (row.name, row.number) in found:
                found[row.name, row.number].tags[row.key] = row.value
        for row in connection.execute(select(aliases).where(aliases.c.name.in_(part)).order_by(aliases.c.alias)):
            if (row.name, row.number) in found:
                found[row.name, row.number].aliases.append(row.alias)
    return [found[key] for key in keys if key in found]


def missing(name: str) -> NotFound:
    """There is no such model."""
    return NotFound(f"Registered Model with name={name} not found", "the registry", "see registered-models/search")


def _latest(connection: Connection, names: Sequence[str]) -> list[Version]:
    alive = (model_versions.c.name.in_(list(names)), model_versions.c.deleted_at.is_(None))
    newest = (
        select(model_versions.c.name, func.max(model_versions.c.number).label("number"))
        .where(*alive)
        .group_by(model_versions.c.name, model_versions.c.stage)
        .order_by(func.min(model_versions.c.number))  # stages in the order in which they were first reached
    )
    return load_versions(connection, [(row.name, row.number) for row in connection.execute(newest)])


def _version(row: Row[Any]) -> Version:
    return Version(
        row.name, row.number, _ms(row.created_at), _ms(row.updated_at), row.user, row.stage, row.description, row.source,
        row.run_id, row.run_link, row.model_id,
    )  # fmt: skip


def _ms(moment: str) -> int:
    return int(datetime.fromisoformat(moment).timestamp() * 1000)


def _taken(connection: Connection, name: str, prompt: bool) -> Conflict:
    old, new = ("Prompt" if one else "Registered Model" for one in (is_prompt(connection, name), prompt))
    if old != new:
        what = f"Tried to create a {new.lower()} with name '{name}', but the name is already taken by a {old.lower()}"
        return Conflict(what, "the registry", "choose another name: a model and a prompt cannot share one")
    return Conflict(f"{new} (name={name}) already exists", "the registry", "use it, or choose another name")


def _require_unsigned(connection: Connection, name: str) -> None:
    released = connection.scalar(select(releases.c.id).where(releases.c.name == name).limit(1))
    signed = connection.scalar(
        select(signatures.c.id).where(signatures.c.subject.startswith(f"model {name}/", autoescape=True)).limit(1)
    )
    if released or signed:
        raise Refused(
            f"model {name!r} was {'released' if released else 'signed'} under this name", f"model {name}",
            "register its next version under the new name",
        )  # fmt: skip
