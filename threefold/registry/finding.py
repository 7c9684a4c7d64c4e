"""Search: models and versions by name, status, tags, or by a filter in words of `conditions.py`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, exists, func, select

from threefold.records import ModelVersion
from threefold.registry import conditions
from threefold.registry.versions import version_of
from threefold.store import Store
from threefold.store.schema import model_tags, model_versions, models, version_tags


@dataclass(frozen=True, slots=True)
class Model:
    """One name with its versions."""

    name: str
    description: str
    versions: int
    newest: int | None


def find_versions(
    store: Store,
    *,
    name: str | None = None,
    contains: str | None = None,
    status: str | None = None,
    tags: Mapping[str, str] | None = None,
    deleted: bool = False,
    where: str | None = None,
    order: Sequence[str] = (),
) -> tuple[ModelVersion, ...]:
    """Versions that fit everything that is given, by name and number. Raises DataError.

    Args:
        name: of the model, whole.
        contains: a part of the model's name, or of the version's description or semantic name.
        tags: tags that the version, or its model, has.
        deleted: look among the deleted ones instead.
        where: a filter, as in "metrics.roc_auc > 0.8 AND tags.team = 'sales'".
        order: what to order by before name and number, as in "metrics.roc_auc DESC".
    """
    table = model_versions
    keys = (*(key.clause for key in conditions.version_keys(order)), table.c.name, table.c.number)
    query = select(table).order_by(*keys)
    query = query.where(table.c.deleted_at.is_not(None) if deleted else table.c.deleted_at.is_(None))
    if name is not None:
        query = query.where(table.c.name == name)
    if contains is not None:
        said = [
            column.icontains(contains, autoescape=True)
            for column in (table.c.name, table.c.description, table.c.semantic)
        ]
        query = query.where(said[0] | said[1] | said[2])
    if status is not None:
        query = query.where(table.c.status == status)
    for key, value in (tags or {}).items():
        query = query.where(_version_tag(key, value) | _model_tag(key, value, table.c.name))
    with store.read() as connection:
        fits = conditions.versions_fitting(connection, where)
        return tuple(version_of(row) for row in connection.execute(query.where(fits)))


def find_models(
    store: Store, *, contains: str | None = None, tags: Mapping[str, str] | None = None, where: str | None = None
) -> tuple[Model, ...]:
    """Models that fit everything that is given, by name. Raises DataError.

    Args:
        contains: a part of the name or of the description.
        where: a filter, as in "name LIKE 'churn%' AND tags.team = 'sales'".
    """
    alive = (model_versions.c.name == models.c.name) & model_versions.c.deleted_at.is_(None)
    query = (
        select(
            models.c.name, models.c.description, func.count(model_versions.c.number).label("versions"),
            func.max(model_versions.c.number).label("newest"),
        )
        .outerjoin(model_versions, alive)
        .group_by(models.c.name, models.c.description)
        .order_by(models.c.name)
    )  # fmt: skip
    if contains is not None:
        query = query.where(
            models.c.name.icontains(contains, autoescape=True)
            | models.c.description.icontains(contains, autoescape=True)
        )
    for key, value in (tags or {}).items():
        query = query.where(_model_tag(key, value, models.c.name))
    with store.read() as connection:
        rows = connection.execute(query.where(conditions.models_fitting(connection, where)))
        return tuple(Model(row.name, row.description or "", row.versions, row.newest) for row in rows)


def _version_tag(key: str, value: str) -> ColumnElement[bool]:
    return exists().where(
        version_tags.c.name == model_versions.c.name, version_tags.c.number == model_versions.c.number,
        version_tags.c.key == key, version_tags.c.value == value,
    )  # fmt: skip


def _model_tag(key: str, value: str, name: ColumnElement[str]) -> ColumnElement[bool]:
    return exists().where(model_tags.c.name == name, model_tags.c.key == key, model_tags.c.value == value)
