"""Notes: descriptions and tags of models and versions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Table, delete, insert, select, update

from threefold.errors import NotFound, Refused
from threefold.records import now_ms
from threefold.registry import versions
from threefold.store import Store, Writer
from threefold.store.schema import model_tags, model_versions, models, version_tags

KEY_LENGTH = 250


@dataclass(frozen=True, slots=True)
class Notes:
    """What people wrote down about a model or a version."""

    description: str
    tags: Mapping[str, str]


def describe(store: Store, name: str, number: int | None, text: str) -> None:
    """Say in words what a version is, or with None the whole model. Raises NotFound."""
    with store.write() as tx:
        table, mine = _row(tx, store, name, number)
        said = {"updated_ms": now_ms()} if number is None else {"updated_at": tx.now}
        tx.execute(update(table).where(*mine).values(description=text, **said))
        tx.event("model.described", _label(name, number), {"description": text})


def tag(store: Store, name: str, number: int | None, key: str, value: str | None) -> None:
    """Tag a version, or with None the whole model; a value of None takes the tag away.

    Raises:
        Refused: the key is empty or too long.
        NotFound: there is no such model or version.
    """
    if not key or len(key) > KEY_LENGTH:
        raise Refused(f"a tag's name has 1 to {KEY_LENGTH} letters", _label(name, number), "name it shorter")
    with store.write() as tx:
        _row(tx, store, name, number)
        table, whose = _tags(name, number)
        tx.execute(delete(table).where(*(table.c[column] == one for column, one in whose.items()), table.c.key == key))
        if value is not None:
            tx.execute(insert(table).values(**whose, key=key, value=value))
        tx.event("model.tagged", _label(name, number), {"key": key, "value": value})


def of(store: Store, name: str, number: int | None = None) -> Notes:
    """What is noted about a version, or with None about the model. Nothing is known of a name that is not there."""
    table = models if number is None else model_versions
    tags, whose = _tags(name, number)
    with store.read() as connection:
        said = connection.scalar(
            select(table.c.description).where(*(table.c[column] == one for column, one in whose.items()))
        )
        rows = connection.execute(
            select(tags.c.key, tags.c.value).where(*(tags.c[column] == one for column, one in whose.items()))
        ).all()
    return Notes(said or "", {row.key: row.value for row in sorted(rows)})


def _row(tx: Writer, store: Store, name: str, number: int | None) -> tuple[Table, tuple[ColumnElement[bool], ...]]:
    """The table and the condition of a model or a version that is there."""
    if number is not None:
        versions.find_in(tx.connection, name, number, store.url)
        return model_versions, (model_versions.c.name == name, model_versions.c.number == number)
    if tx.connection.scalar(select(models.c.name).where(models.c.name == name)) is None:
        raise NotFound(f"no model is called {name!r}", f"registry in {store.url}", "see: threefold models search")
    return models, (models.c.name == name,)


def _tags(name: str, number: int | None) -> tuple[Table, dict[str, object]]:
    return (model_tags, {"name": name}) if number is None else (version_tags, {"name": name, "number": number})


def _label(name: str, number: int | None) -> str:
    return f"model {name}" if number is None else versions.subject(name, number)
