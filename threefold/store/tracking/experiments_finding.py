"""Find experiments: filter, order and page."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Connection, Dialect, String, cast, select

from threefold.errors import DataError
from threefold.store.schema import experiment_tags, experiments
from threefold.store.tracking import filters
from threefold.store.tracking.experiments import Experiment, load
from threefold.store.tracking.filters import Compare, compared, number_in, text_in
from threefold.store.tracking.pages import ordering

_NUMBERS = {"creation_time": experiments.c.created_ms, "last_update_time": experiments.c.updated_ms}
_COLUMNS = {**_NUMBERS, "name": experiments.c.name, "experiment_id": experiments.c.id}
NEWEST = ("creation_time DESC", "experiment_id ASC")


def search(
    connection: Connection, where: str | None, order: Sequence[str], view: str, limit: int, offset: int = 0
) -> list[Experiment]:
    """The experiments on one page. Raises DataError.

    Args:
        view: active, deleted, all.
    """
    query = select(experiments.c.id)
    if view != "all":
        gone = experiments.c.deleted_at
        query = query.where(gone.is_(None) if view == "active" else gone.is_not(None))
    condition = filters.matching(filters.parse(where), lambda compare: _leaf(compare, connection.dialect))
    if condition is not None:
        query = query.where(condition)
    keys = [_key(clause) for clause in order or NEWEST]
    for name, ascending in keys:
        column = _COLUMNS[name]
        query = query.order_by(column.asc() if ascending else column.desc())
    if not any(name == "experiment_id" for name, _ in keys):
        query = query.order_by(experiments.c.id.desc())
    return load(connection, list(connection.scalars(query.limit(limit).offset(offset))))


def _key(clause: str) -> tuple[str, bool]:
    kind, name, ascending = ordering(clause, ("attribute", "tag"))
    if kind != "attribute" or name not in _COLUMNS:
        raise _unknown(kind, name)
    return name, ascending


def _leaf(compare: Compare, dialect: Dialect) -> ColumnElement[bool]:
    if compare.kind == "tag":
        found = compared(experiment_tags.c.value, compare, dialect, text_in(compare))
        named = select(experiment_tags.c.experiment_id).where(experiment_tags.c.name == compare.name, found)
        return experiments.c.id.in_(named)
    if compare.kind != "attribute" or compare.name not in _COLUMNS:
        raise _unknown(compare.kind, compare.name)
    if compare.name in _NUMBERS:
        return compared(_NUMBERS[compare.name], compare, dialect, number_in(compare))
    column = cast(experiments.c.id, String) if compare.name == "experiment_id" else experiments.c.name
    return compared(column, compare, dialect, text_in(compare))


def _unknown(kind: str, name: str) -> DataError:
    if kind != "attribute":
        return DataError(f"Invalid entity type '{kind}'", "the filter or order_by", "use an attribute or tags.<name>")
    return DataError(
        f"Invalid attribute key '{name}' specified", "the filter or order_by", f"it is one of {', '.join(_COLUMNS)}"
    )
