"""Runs with their parameters and tags, as rows."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table, delete, insert, select

from threefold.errors import NotFound
from threefold.store.schema import params, run_tags, runs


def insert_run(connection: Connection, row: Mapping[str, Any]) -> int:
    """Add a run; returns its number, by which all that is logged to it is kept."""
    made = connection.execute(insert(runs).values(**row)).inserted_primary_key
    assert made is not None  # an insert of one row has a key
    return int(made[0])


def number_of(connection: Connection, run_id: str) -> int:
    """The number of a run. Raises NotFound."""
    found = connection.scalar(select(runs.c.number).where(runs.c.id == run_id))
    if found is None:
        raise NotFound(f"there is no run {run_id!r}", "the store", "see: threefold runs list")
    return int(found)


def set_params(connection: Connection, run: int, values: Mapping[str, Any]) -> None:
    """Keep parameters of a run; a name that is there already gets the new value."""
    _set(connection, params, run, values)


def set_tags(connection: Connection, run: int, values: Mapping[str, Any]) -> None:
    """Keep tags of a run; a name that is there already gets the new value."""
    _set(connection, run_tags, run, values)


def params_of(connection: Connection, numbers: Sequence[int]) -> dict[int, dict[str, str]]:
    """The parameters of some runs: number of the run -> name -> text."""
    return _of(connection, params, numbers)


def tags_of(connection: Connection, numbers: Sequence[int]) -> dict[int, dict[str, str]]:
    """The tags of some runs: number of the run -> name -> text."""
    return _of(connection, run_tags, numbers)


def text_of(value: Any) -> str:
    """A value as it is kept: a text as it is, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value)


def typed(text: str) -> Any:
    """What `text_of` was given: a number, list or truth value where the text is one in JSON, otherwise the text.

    >>> typed("0.5"), typed("gini")
    (0.5, 'gini')
    """
    try:
        return json.loads(text)
    except ValueError:
        return text


def _set(connection: Connection, table: Table, run: int, values: Mapping[str, Any]) -> None:
    if not values:
        return
    connection.execute(delete(table).where(table.c.run == run, table.c.name.in_(list(values))))
    connection.execute(
        insert(table), [{"run": run, "name": name, "value": text_of(value)} for name, value in values.items()]
    )


def _of(connection: Connection, table: Table, numbers: Sequence[int]) -> dict[int, dict[str, str]]:
    found: dict[int, dict[str, str]] = {}
    query = select(table).where(table.c.run.in_(list(numbers))).order_by(table.c.run, table.c.name)
    for row in connection.execute(query):
        found.setdefault(row.run, {})[row.name] = row.value
    return found
