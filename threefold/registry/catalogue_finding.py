"""Find registered models and versions by a filter, page by page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import ColumnElement, Connection, Dialect, Select, select, true

from threefold.errors import DataError
from threefold.registry.models import PROMPT
from threefold.store.schema import model_tags, model_versions, models, version_tags
from threefold.store.tracking import filters
from threefold.store.tracking.filters import Compare, Filter, Not, compared, number_in, text_in
from threefold.store.tracking.lifecycle import moment
from threefold.store.tracking.pages import ordering

_MODEL_ORDER = {
    "name": models.c.name, "timestamp": models.c.updated_ms, "last_updated_timestamp": models.c.updated_ms,
}  # fmt: skip
_VERSION_TEXTS = {
    "name": model_versions.c.name,
    "run_id": model_versions.c.run_id,
    "source_path": model_versions.c.source,
}
_VERSION_ORDER = {
    "name": model_versions.c.name, "version_number": model_versions.c.number,
    "creation_timestamp": model_versions.c.created_at, "last_updated_timestamp": model_versions.c.updated_at,
}  # fmt: skip
NEWEST = ("last_updated_timestamp DESC", "name ASC", "version_number DESC")


def search_models(
    connection: Connection, where: str | None, order: Sequence[str], limit: int, offset: int
) -> list[str]:
    """The names on one page. Prompts are left out unless the filter asks for them. Raises DataError."""
    tree = filters.parse(where)
    prompts = _asks_for_prompts(tree)
    query = select(models.c.name)
    condition = filters.matching(tree, lambda compare: _model_leaf(compare, prompts, connection.dialect))
    if condition is not None:
        query = query.where(condition)
    if not prompts:
        query = query.where(models.c.name.not_in(_prompts()))
    keys = _keys(order, _MODEL_ORDER)
    for name, ascending in keys:
        query = query.order_by(_MODEL_ORDER[name].asc() if ascending else _MODEL_ORDER[name].desc())
    if not any(name == "name" for name, _ in keys):
        query = query.order_by(models.c.name)
    return list(connection.scalars(query.limit(limit).offset(offset)))


def search_versions(
    connection: Connection, where: str | None, order: Sequence[str], limit: int, offset: int
) -> list[tuple[str, int]]:
    """Name and number of the versions on one page, without deleted ones. Raises DataError."""
    tree = filters.parse(where)
    prompts = _asks_for_prompts(tree)
    query = select(model_versions.c.name, model_versions.c.number).where(model_versions.c.deleted_at.is_(None))
    condition = filters.matching(tree, lambda compare: _version_leaf(compare, prompts, connection.dialect))
    if condition is not None:
        query = query.where(condition)
    if not prompts:
        query = query.where(model_versions.c.name.not_in(_prompts()))
    keys = _keys(order or NEWEST, _VERSION_ORDER)
    for name, ascending in keys:
        query = query.order_by(_VERSION_ORDER[name].asc() if ascending else _VERSION_ORDER[name].desc())
    query = query.order_by(model_versions.c.name, model_versions.c.number.desc())
    return [(row.name, row.number) for row in connection.execute(query.limit(limit).offset(offset))]


def _model_leaf(compare: Compare, prompts: bool, dialect: Dialect) -> ColumnElement[bool]:
    if compare.kind == "attribute":
        if compare.name != "name":
            raise _unknown(compare.name, ("name", "tags.<key>"))
        return compared(models.c.name, compare, dialect, text_in(compare))
    if compare.kind != "tag":
        raise _unknown(f"{compare.kind}s.{compare.name}", ("name", "tags.<key>"))
    text = text_in(compare)
    if compare.name == PROMPT and not prompts:
        return true()  # they are left out already
    fits = compared(model_tags.c.value, compare, dialect, text)
    return models.c.name.in_(select(model_tags.c.name).where(model_tags.c.key == compare.name, fits))


def _version_leaf(compare: Compare, prompts: bool, dialect: Dialect) -> ColumnElement[bool]:
    if compare.kind == "tag":
        text = text_in(compare)
        if compare.name == PROMPT and not prompts:
            return true()
        same = (version_tags.c.name == model_versions.c.name) & (version_tags.c.number == model_versions.c.number)
        fits = compared(version_tags.c.value, compare, dialect, text)
        return select(version_tags.c.key).where(same, version_tags.c.key == compare.name, fits).exists()
    if compare.kind != "attribute":
        raise _unknown(f"{compare.kind}s.{compare.name}", (*_VERSION_TEXTS, "version_number", "tags.<key>"))
    return _version_attribute(compare, dialect)


def _version_attribute(compare: Compare, dialect: Dialect) -> ColumnElement[bool]:
    if compare.name == "version_number":
        return compared(model_versions.c.number, compare, dialect, number_in(compare))
    if compare.name in ("creation_timestamp", "last_updated_timestamp"):
        return compared(_VERSION_ORDER[compare.name], compare, dialect, moment(int(number_in(compare))))
    if compare.name not in _VERSION_TEXTS:
        raise _unknown(compare.name, (*_VERSION_TEXTS, "version_number", "tags.<key>"))
    if compare.sign == "IN":
        if compare.name != "run_id":
            raise DataError(
                "Only the 'run_id' attribute supports comparison with a list of quoted string values", "the filter",
                "join comparisons by OR",
            )  # fmt: skip
        return compared(model_versions.c.run_id, compare, dialect)
    return compared(_VERSION_TEXTS[compare.name], compare, dialect, text_in(compare))


def _asks_for_prompts(tree: Filter) -> bool:
    if isinstance(tree, Compare):
        if tree.kind != "tag" or tree.name != PROMPT or not isinstance(tree.value, str):
            return False
        return (tree.sign, tree.value.lower()) in (("=", "true"), ("!=", "false"))
    parts = (tree.part,) if isinstance(tree, Not) else tree.parts
    return any(_asks_for_prompts(part) for part in parts)


def _prompts() -> Select[tuple[str]]:
    return select(model_tags.c.name).where(model_tags.c.key == PROMPT, model_tags.c.value == "true")


def _keys(order: Sequence[str], columns: Mapping[str, object]) -> list[tuple[str, bool]]:
    found: list[tuple[str, bool]] = []
    for clause in order:
        kind, name, ascending = ordering(clause, ("attribute",))
        if kind != "attribute" or name not in columns:
            raise DataError(
                f"Invalid {_said(columns)} '{name}' specified", "order_by", f"it is one of {', '.join(columns)}"
            )
        if any(other == name for other, _ in found):
            raise DataError(f"`order_by` contains duplicate fields: {list(order)}", "order_by", "name each once")
        found.append((name, ascending))
    return found


def _said(columns: Mapping[str, object]) -> str:
    """MLflow's words for what one orders by differ between its two searches, and its clients look for them."""
    return "attribute key" if "version_number" in columns else "order by key"


def _unknown(name: str, known: Sequence[str]) -> DataError:
    return DataError(f"Invalid attribute key '{name}' specified", "the filter", f"it is one of {', '.join(known)}")
