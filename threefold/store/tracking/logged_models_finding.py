"""Find logged models: filter, order and page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, Dialect, Select, and_, case, func, or_, select

from threefold.errors import DataError
from threefold.store.schema import logged_model_metrics, logged_model_params, logged_model_tags, logged_models
from threefold.store.tracking import filters
from threefold.store.tracking.conditions import among, fits
from threefold.store.tracking.filters import Compare, compared, number_in, text_in, unquoted
from threefold.store.tracking.logged_models import STATUSES

_TIMES = {
    "creation_timestamp": logged_models.c.created_ms, "creation_time": logged_models.c.created_ms,
    "creation_timestamp_ms": logged_models.c.created_ms,
    "last_updated_timestamp": logged_models.c.updated_ms, "last_updated_time": logged_models.c.updated_ms,
    "last_updated_timestamp_ms": logged_models.c.updated_ms,
}  # fmt: skip
_TEXTS = {
    "name": logged_models.c.name, "model_id": logged_models.c.id, "model_type": logged_models.c.type,
    "source_run_id": logged_models.c.source_run_id, "artifact_location": logged_models.c.artifact_root,
}  # fmt: skip
_COLUMNS = {**_TIMES, **_TEXTS, "status": logged_models.c.status, "experiment_id": logged_models.c.experiment_id}
_LISTS = (*filters.TEXTUAL, "IN", "NOT IN")


@dataclass(frozen=True, slots=True)
class DatasetFilter:
    """Only metrics on this dataset count."""

    name: str
    digest: str | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """One key to order by: an attribute, or "metrics.<name>" with the dataset it was measured on."""

    name: str
    ascending: bool = True
    dataset_name: str | None = None
    dataset_digest: str | None = None


def search(
    connection: Connection, experiments: Sequence[int], where: str | None, on: Sequence[DatasetFilter],
    order: Sequence[Order], limit: int, offset: int = 0,
) -> list[str]:  # fmt: skip
    """The ids of the logged models on one page, in order. Raises DataError."""
    alive = logged_models.c.deleted_at.is_(None)
    query = select(logged_models.c.id).where(alive, among(logged_models.c.experiment_id, experiments))
    tree = _tree(where)
    condition = filters.matching(tree, lambda compare: _leaf(compare, on, connection.dialect))
    if condition is not None:
        query = query.where(condition)
    if on and not _names_metric(tree):
        query = query.where(logged_models.c.id.in_(select(logged_model_metrics.c.model_id).where(_measured_on(on))))
    for key in order:
        query = _sorted_by(query, key)
    if not any(_COLUMNS.get(key.name) is logged_models.c.created_ms for key in order):
        query = query.order_by(logged_models.c.created_ms.desc())
    return list(connection.scalars(query.order_by(logged_models.c.id).limit(limit).offset(offset)))


def _tree(where: str | None) -> filters.Filter:
    """The filter. MLflow's clients expect that OR is refused here; so what we take beyond MLflow stands in parentheses."""
    try:
        return filters.parse(where, bare_or=False)
    except DataError as error:
        raise DataError(f"Invalid filter string {where!r}. {error.what}", error.where, error.do) from None


def _leaf(compare: Compare, on: Sequence[DatasetFilter], dialect: Dialect) -> ColumnElement[bool]:
    if compare.kind == "attribute":
        return _attribute(compare, dialect)
    if compare.kind == "dataset":
        raise DataError("Invalid entity type 'dataset'", "the filter", "name datasets in `datasets`")
    if compare.kind == "metric":
        _check_sign(compare, filters.NUMERIC)
        table = logged_model_metrics
        found = [table.c.name == compare.name, compared(table.c.value, compare, dialect, number_in(compare))]
        if on:
            found.append(_measured_on(on))
        return logged_models.c.id.in_(select(table.c.model_id).where(*found))
    named = logged_model_params if compare.kind == "param" else logged_model_tags
    _check_sign(compare, _LISTS)
    value = None if compare.sign in ("IN", "NOT IN") else text_in(compare)
    fits = compared(named.c.value, compare, dialect, value)
    return logged_models.c.id.in_(select(named.c.model_id).where(named.c.name == compare.name, fits))


def _attribute(compare: Compare, dialect: Dialect) -> ColumnElement[bool]:
    if compare.name in _TIMES:
        _check_sign(compare, filters.NUMERIC)
        return compared(_TIMES[compare.name], compare, dialect, number_in(compare))
    if compare.name == "status":
        _check_sign(compare, filters.TEXTUAL)
        text = text_in(compare)
        return logged_models.c.status.in_([n for n, word in enumerate(STATUSES, 1) if fits(word, compare.sign, text)])
    if compare.name not in _TEXTS:
        raise DataError(
            f"Invalid attribute key '{compare.name}' specified", "the filter", f"it is one of {', '.join(_COLUMNS)}"
        )
    _check_sign(compare, _LISTS)
    value = None if compare.sign in ("IN", "NOT IN") else text_in(compare)
    return compared(_TEXTS[compare.name], compare, dialect, value)


def _check_sign(compare: Compare, signs: Sequence[str]) -> None:
    if compare.sign not in signs:
        raise DataError(
            f"Invalid comparison operator for {compare.kind}s.{compare.name}: '{compare.sign}'", "the filter",
            f"it can be compared with {' '.join(signs)}",
        )  # fmt: skip


def _measured_on(on: Sequence[DatasetFilter]) -> ColumnElement[bool]:
    table = logged_model_metrics
    return or_(
        *(
            and_(table.c.dataset_name == one.name, *([table.c.dataset_digest == one.digest] if one.digest else []))
            for one in on
        )
    )


def _names_metric(tree: filters.Filter) -> bool:
    if isinstance(tree, Compare):
        return tree.kind == "metric"
    parts = (tree.part,) if isinstance(tree, filters.Not) else tree.parts
    return any(_names_metric(part) for part in parts)


def _sorted_by(query: Select[tuple[str]], key: Order) -> Select[tuple[str]]:
    if "." in key.name:
        kind, _, name = key.name.partition(".")
        if kind != "metrics":
            raise _bad(key, "Only metrics are supported")
        last = _last_metric(unquoted(name), key).subquery()
        query = query.outerjoin(last, (last.c.model_id == logged_models.c.id) & (last.c.place == 1))
        column: ColumnElement[object] = last.c.value
    elif key.name in _COLUMNS:
        column = _COLUMNS[key.name]
    else:
        raise _bad(key, f"it is one of {', '.join(_COLUMNS)}, metrics.<name>")
    return query.order_by(case((column.is_(None), 1), else_=0), column.asc() if key.ascending else column.desc())


def _last_metric(name: str, key: Order) -> Select[tuple[str, float, int]]:
    table = logged_model_metrics
    newest = (table.c.at_ms.desc(), table.c.step.desc(), table.c.id.desc())
    place = func.row_number().over(partition_by=table.c.model_id, order_by=newest).label("place")
    query = select(table.c.model_id, table.c.value, place).where(table.c.name == name)
    if key.dataset_name:
        query = query.where(table.c.dataset_name == key.dataset_name)
    if key.dataset_digest:
        query = query.where(table.c.dataset_digest == key.dataset_digest)
    return query


def _bad(key: Order, why: str) -> DataError:
    return DataError(f"Invalid order by field name: {key.name}. {why}", "order_by", "see docs/tracking.md")
