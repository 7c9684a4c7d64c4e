"""What a filter over registered models and versions means in the catalogue, and what they can be ordered by.

    tags.team = 'sales' AND (metrics.roc_auc > 0.8 OR alias = 'champion')

One meaning for both doors: MLflow's clients, and `threefold models`. MLflow knows name, version_number, run_id, source_path
and tags; the rest is ours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Dialect, Select, and_, func, select, true

from threefold.errors import DataError
from threefold.registry.models import PROMPT
from threefold.store.schema import aliases, logged_model_metrics, model_tags, model_versions, models, version_tags
from threefold.store.tracking import filters
from threefold.store.tracking.filters import PRESENCE, TEXTUAL, Compare, Filter, Not, compared, number_in, text_in
from threefold.store.tracking.lifecycle import moment
from threefold.store.tracking.pages import ordering

LISTS = ("IN", "NOT IN")
_MODEL_TEXTS = {"name": models.c.name, "description": models.c.description}
_MODEL_NUMBERS = {"creation_timestamp": models.c.created_ms, "last_updated_timestamp": models.c.updated_ms}
_VERSION_TEXTS = {
    "name": model_versions.c.name, "run_id": model_versions.c.run_id, "source_path": model_versions.c.source,
    "status": model_versions.c.status, "stage": model_versions.c.stage, "semantic": model_versions.c.semantic,
    "description": model_versions.c.description, "user": model_versions.c.user, "model_id": model_versions.c.model_id,
    "bundle": model_versions.c.bundle,
}  # fmt: skip
_VERSION_TIMES = {
    "creation_timestamp": model_versions.c.created_at, "last_updated_timestamp": model_versions.c.updated_at,
}  # fmt: skip
_ALIKE = (model_versions.c.name == aliases.c.name) & (model_versions.c.number == aliases.c.number)
_TAGGED = (model_versions.c.name == version_tags.c.name) & (model_versions.c.number == version_tags.c.number)
MODEL_FILTER = (*_MODEL_TEXTS, *_MODEL_NUMBERS, "tags.<key>")
VERSION_FILTER = (*_VERSION_TEXTS, "version_number", "alias", *_VERSION_TIMES, "metrics.<name>", "tags.<key>")
MODEL_ORDER: Mapping[str, ColumnElement[Any]] = {
    "name": models.c.name, "timestamp": models.c.updated_ms, "last_updated_timestamp": models.c.updated_ms,
}  # fmt: skip
VERSION_ORDER: Mapping[str, ColumnElement[Any]] = {
    "name": model_versions.c.name, "version_number": model_versions.c.number, **_VERSION_TIMES,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Key:
    """One key to order by."""

    name: str
    column: ColumnElement[Any]
    ascending: bool

    @property
    def clause(self) -> ColumnElement[Any]:
        """As ORDER BY takes it; what has no value comes last, on every engine."""
        return (self.column.asc() if self.ascending else self.column.desc()).nulls_last()


def models_fitting(connection: Connection, where: str | None) -> ColumnElement[bool]:
    """The models that a filter means. Prompts are left out unless it asks for them. Raises DataError."""
    return _fitting(connection, where, _model_leaf, models.c.name)


def versions_fitting(connection: Connection, where: str | None) -> ColumnElement[bool]:
    """The versions that a filter means. Those of prompts are left out unless it asks for them. Raises DataError."""
    return _fitting(connection, where, _version_leaf, model_versions.c.name)


def model_keys(clauses: Sequence[str]) -> list[Key]:
    """What models are to be ordered by. Raises DataError."""
    return _keys(clauses, MODEL_ORDER, "order by key", ("attribute",))


def version_keys(clauses: Sequence[str]) -> list[Key]:
    """What versions are to be ordered by. Raises DataError."""
    return _keys(clauses, VERSION_ORDER, "attribute key", ("attribute", "metric"))


def _fitting(
    connection: Connection, where: str | None, leaf: Callable[[Compare, Dialect], ColumnElement[bool]], name: Any
) -> ColumnElement[bool]:
    tree = filters.parse(where)
    prompts = _asks_for_prompts(tree)

    def fits(compare: Compare) -> ColumnElement[bool]:
        if compare.kind == "tag" and compare.name == PROMPT and not prompts:
            text_in(compare)
            return true()  # they are left out already
        return leaf(compare, connection.dialect)

    condition = filters.matching(tree, fits)
    found = [] if condition is None else [condition]
    return and_(true(), *found, *([] if prompts else [name.not_in(_prompts())]))


def _model_leaf(compare: Compare, dialect: Dialect) -> ColumnElement[bool]:
    if compare.kind == "tag":
        fits = compared(model_tags.c.value, compare, dialect, text_in(compare))
        return models.c.name.in_(select(model_tags.c.name).where(model_tags.c.key == compare.name, fits))
    if compare.kind == "attribute" and compare.name in _MODEL_TEXTS:
        return _text(_MODEL_TEXTS[compare.name], compare, dialect)
    if compare.kind == "attribute" and compare.name in _MODEL_NUMBERS:
        return compared(_MODEL_NUMBERS[compare.name], compare, dialect, int(number_in(compare)))
    raise _unknown(compare, MODEL_FILTER)


def _version_leaf(compare: Compare, dialect: Dialect) -> ColumnElement[bool]:
    if compare.kind == "tag":
        fits = compared(version_tags.c.value, compare, dialect, text_in(compare))
        return select(version_tags.c.key).where(_TAGGED, version_tags.c.key == compare.name, fits).exists()
    if compare.kind == "metric":
        return compared(_metric(compare.name), compare, dialect, number_in(compare))
    if compare.kind != "attribute":
        raise _unknown(compare, VERSION_FILTER)
    if compare.name == "version_number":
        return compared(model_versions.c.number, compare, dialect, number_in(compare))
    if compare.name in _VERSION_TIMES:
        return compared(_VERSION_TIMES[compare.name], compare, dialect, moment(int(number_in(compare))))
    if compare.name == "alias":
        return select(aliases.c.alias).where(_ALIKE, _text(aliases.c.alias, compare, dialect)).exists()
    if compare.name not in _VERSION_TEXTS:
        raise _unknown(compare, VERSION_FILTER)
    return _text(_VERSION_TEXTS[compare.name], compare, dialect)


def _text(column: ColumnElement[Any], compare: Compare, dialect: Dialect) -> ColumnElement[bool]:
    if compare.sign in LISTS or (compare.sign in PRESENCE and column.nullable):
        return compared(column, compare, dialect)
    return compared(column, compare, dialect, text_in(compare, (*TEXTUAL, *LISTS)))


def _metric(name: str) -> ColumnElement[float]:
    """What a version reached: in its own acceptance test, else the last value of the logged model it was made from."""
    logged = (
        select(logged_model_metrics.c.value)
        .where(logged_model_metrics.c.model_id == model_versions.c.model_id, logged_model_metrics.c.name == name)
        .order_by(logged_model_metrics.c.step.desc(), logged_model_metrics.c.at_ms.desc())
        .limit(1)
        .scalar_subquery()
    )
    if '"' in name or "\\" in name:  # a path into JSON cannot say it, and no acceptance test calls a metric so
        return logged
    return func.coalesce(model_versions.c.metrics[name].as_float(), logged)


def _keys(
    clauses: Sequence[str], columns: Mapping[str, ColumnElement[Any]], said: str, kinds: Sequence[str]
) -> list[Key]:
    """The keys of some clauses. MLflow's words for them differ between its two searches, and its clients look for them."""
    found: list[Key] = []
    for clause in clauses:
        kind, name, ascending = ordering(clause, kinds)
        if kind == "attribute" and name not in columns:
            raise DataError(f"Invalid {said} '{name}' specified", "order_by", f"it is one of {', '.join(columns)}")
        whole = name if kind == "attribute" else f"{kind}s.{name}"
        if any(other.name == whole for other in found):
            raise DataError(f"`order_by` contains duplicate fields: {list(clauses)}", "order_by", "name each once")
        found.append(Key(whole, columns[name] if kind == "attribute" else _metric(name), ascending))
    return found


def _asks_for_prompts(tree: Filter) -> bool:
    if isinstance(tree, Compare):
        if tree.kind != "tag" or tree.name != PROMPT or not isinstance(tree.value, str):
            return False
        return (tree.sign, tree.value.lower()) in (("=", "true"), ("!=", "false"))
    parts = (tree.part,) if isinstance(tree, Not) else tree.parts
    return any(_asks_for_prompts(part) for part in parts)


def _prompts() -> Select[tuple[str]]:
    return select(model_tags.c.name).where(model_tags.c.key == PROMPT, model_tags.c.value == "true")


def _unknown(compare: Compare, known: Sequence[str]) -> DataError:
    name = compare.name if compare.kind == "attribute" else f"{compare.kind}s.{compare.name}"
    return DataError(f"Invalid attribute key '{name}' specified", "the filter", f"it is one of {', '.join(known)}")
