"""Find registered models and versions by a filter, page by page."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, select

from threefold.registry import conditions
from threefold.store.schema import model_versions, models

NEWEST = ("last_updated_timestamp DESC", "name ASC", "version_number DESC")


def search_models(
    connection: Connection, where: str | None, order: Sequence[str], limit: int, offset: int
) -> list[str]:
    """The names on one page. Prompts are left out unless the filter asks for them. Raises DataError."""
    keys = conditions.model_keys(order)
    query = select(models.c.name).where(conditions.models_fitting(connection, where))
    query = query.order_by(*(key.clause for key in keys), models.c.name)
    return list(connection.scalars(query.limit(limit).offset(offset)))


def search_versions(
    connection: Connection, where: str | None, order: Sequence[str], limit: int, offset: int
) -> list[tuple[str, int]]:
    """Name and number of the versions on one page, without deleted ones. Raises DataError."""
    keys = conditions.version_keys(order or NEWEST)
    fits = (model_versions.c.deleted_at.is_(None), conditions.versions_fitting(connection, where))
    query = select(model_versions.c.name, model_versions.c.number).where(*fits)
    query = query.order_by(*(key.clause for key in keys), model_versions.c.name, model_versions.c.number.desc())
    return [(row.name, row.number) for row in connection.execute(query.limit(limit).offset(offset))]
