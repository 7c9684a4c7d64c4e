"""Find runs: filter, order and page, all of it in the catalogue.

A metric is compared by its last value, which `series` keeps beside its name in one index; so a search reads no history.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, Dialect, Select, bindparam, case, func, select

from threefold.errors import DataError
from threefold.store.schema import datasets, params, run_datasets, run_tags, runs, series
from threefold.store.tracking import filters
from threefold.store.tracking.filters import Compare, check_sign, compared, number_in, text_in
from threefold.store.tracking.lifecycle import moment
from threefold.store.tracking.pages import ordering

View = Literal["active", "deleted", "all"]
CONTEXT = "mlflow.data.context"
STATUSES = {  # ours -> the protocol's
    "running": "RUNNING", "scheduled": "SCHEDULED", "done": "FINISHED", "failed": "FAILED", "refused": "FAILED",
    "interrupted": "KILLED",
}  # fmt: skip
_ALIASES = {"created": "start_time", "Created": "start_time"} | dict.fromkeys(
    ("run name", "Run name", "Run Name"), "run_name"
)
_TEXTS = {
    "run_id": runs.c.id, "run_name": runs.c.name, "user_id": runs.c.user, "artifact_uri": runs.c.artifact_root,
}  # fmt: skip
_TIMES = {"start_time": runs.c.started_at, "end_time": runs.c.ended_at}
ATTRIBUTES = (*_TEXTS, *_TIMES, "status")  # of a filter; which experiments and whether deleted ones is asked beside it
_ORDERED_BY = (*ATTRIBUTES, "experiment_id", "lifecycle_stage")
_NAMED = {"param": params, "tag": run_tags}
_LISTS = (*filters.TEXTUAL, "IN", "NOT IN")


@dataclass(frozen=True, slots=True)
class Search:
    """What to look for.

    Attributes:
        experiments: ids; only their runs.
        where: a filter, as `filters.parse` reads it.
        order: clauses such as "metrics.loss DESC"; ties fall to the newest, then to the id.
    """

    experiments: Sequence[int]
    where: str | None = None
    order: Sequence[str] = ()
    view: View = "active"


def search(connection: Connection, wanted: Search, limit: int, offset: int = 0) -> list[int]:
    """The numbers of the runs on one page, in order. Raises DataError."""
    keys = [_key(clause) for clause in wanted.order]
    if len({key[:2] for key in keys}) < len(keys):
        raise DataError(f"`order_by` contains duplicate fields: {list(wanted.order)}", "order_by", "name each once")
    base = select(runs.c.number).where(*_conditions(connection, wanted))
    if keys and keys[0][0] == "metric":
        # Runs that have a number under the first name come first, and an index holds them in order already.
        first = base.join(series, (series.c.run == runs.c.number) & (series.c.name == keys[0][1]))
        first = first.where(series.c.last_value.is_not(None))
        numbers = _page(connection, _ordered(first, keys, ready=series.c.last_value), limit, offset)
        if len(numbers) == limit:
            return numbers
    return _page(connection, _ordered(base, keys), limit, offset)


def count(connection: Connection, wanted: Search) -> int:
    """How many runs there are to find."""
    query = select(func.count()).select_from(runs).where(*_conditions(connection, wanted))
    return int(connection.scalar(query) or 0)


def _page(connection: Connection, query: Select[Any], limit: int, offset: int) -> list[int]:
    return list(connection.scalars(query.limit(limit).offset(offset)))


def among(column: ColumnElement[int], numbers: Sequence[int]) -> ColumnElement[bool]:
    """Whether a column is one of many numbers; they stand in the statement, as Postgres takes 65,535 parameters at most."""
    return column.in_(bindparam(None, list(numbers), expanding=True, literal_execute=True))


def _conditions(connection: Connection, wanted: Search) -> list[ColumnElement[bool]]:
    mine = list(wanted.experiments)
    found = [runs.c.experiment_id == mine[0] if len(mine) == 1 else among(runs.c.experiment_id, mine)]
    if wanted.view != "all":
        found.append(runs.c.deleted_at.is_(None) if wanted.view == "active" else runs.c.deleted_at.is_not(None))
    condition = condition_of(wanted.where, connection.dialect)
    return found if condition is None else [*found, condition]


def condition_of(where: str | None, dialect: Dialect) -> ColumnElement[bool] | None:
    """What a filter means for the rows of `runs`; None where it is empty. Raises DataError."""
    return filters.matching(filters.parse(where), lambda compare: _leaf(compare, dialect))


def _leaf(compare: Compare, dialect: Dialect) -> ColumnElement[bool]:
    if compare.kind == "attribute":
        return _attribute(compare, dialect)
    if compare.kind == "dataset":
        return _dataset(compare, dialect)
    if compare.kind == "metric":
        table, condition = series, compared(series.c.last_value, compare, dialect, number_in(compare))
    else:
        table = _NAMED[compare.kind]
        check_sign(compare, (*filters.TEXTUAL, *filters.PRESENCE))
        if compare.sign in filters.PRESENCE:
            having = runs.c.number.in_(select(table.c.run).where(table.c.name == compare.name))
            return having if compare.sign == "IS NOT NULL" else ~having
        condition = compared(table.c.value, compare, dialect, text_in(compare))
    return runs.c.number.in_(select(table.c.run).where(table.c.name == compare.name, condition))


def _attribute(compare: Compare, dialect: Dialect) -> ColumnElement[bool]:
    name = _attribute_name(compare.name)
    if name in _TIMES:
        return compared(_TIMES[name], compare, dialect, moment(int(number_in(compare))))
    if name == "status":  # a few words that the protocol calls otherwise: which of them fit is known before asking
        text = text_in(compare)
        return runs.c.status.in_([ours for ours, word in STATUSES.items() if fits(word, compare.sign, text)])
    if compare.sign in ("IN", "NOT IN"):
        if name != "run_id":
            raise DataError(
                "Only the 'run_id' attribute supports comparison with a list of quoted string values", "the filter",
                "join comparisons by OR",
            )  # fmt: skip
        return compared(runs.c.id, compare, dialect)
    return compared(_TEXTS[name], compare, dialect, text_in(compare))


def fits(word: str, sign: str, text: str) -> bool:
    """Whether a word passes a comparison of texts, as the catalogue would judge it."""
    if sign in ("=", "!="):
        return (word == text) == (sign == "=")
    pattern = "".join(".*" if letter == "%" else "." if letter == "_" else re.escape(letter) for letter in text)
    return re.fullmatch(pattern, word, re.IGNORECASE if sign == "ILIKE" else 0) is not None


def _dataset(compare: Compare, dialect: Dialect) -> ColumnElement[bool]:
    columns = {
        "name": datasets.c.name,
        "digest": datasets.c.digest,
        "context": run_datasets.c.tags[CONTEXT].as_string(),
    }
    if compare.name not in columns:
        raise DataError(
            f"Invalid dataset key '{compare.name}' specified", "the filter", f"it is one of {', '.join(columns)}"
        )
    check_sign(compare, _LISTS)
    value = None if compare.sign in ("IN", "NOT IN") else text_in(compare)
    used = select(run_datasets.c.run).join(datasets, datasets.c.id == run_datasets.c.dataset)
    return runs.c.number.in_(used.where(compared(columns[compare.name], compare, dialect, value)))


def _attribute_name(name: str, among: Sequence[str] = ATTRIBUTES) -> str:
    known = _ALIASES.get(name, name)
    if known not in among:
        raise DataError(
            f"Invalid attribute key '{name}' specified",
            "the filter or order_by",
            f"it is one of {', '.join(among)}",
        )
    return known


def _key(clause: str) -> tuple[str, str, bool]:
    kind, name, ascending = ordering(clause, ("attribute", "metric", "param", "tag"))
    return kind, _attribute_name(name, _ORDERED_BY) if kind == "attribute" else name, ascending


def _ordered(
    query: Select[Any], keys: Sequence[tuple[str, str, bool]], ready: ColumnElement[Any] | None = None
) -> Select[Any]:
    """Order a query; runs without the value come last, those with NaN before them.

    Args:
        ready: the column of the first key, where the query has it already and it is never null.
    """
    for place, (kind, name, ascending) in enumerate(keys):
        if place == 0 and ready is not None:
            value, absent = ready, None
        else:
            query, value, absent = _sorted_by(query, kind, name)
        query = query.order_by(*(() if absent is None else (absent,)), value.asc() if ascending else value.desc())
    if not any(key[:2] == ("attribute", "start_time") for key in keys):
        query = query.order_by(runs.c.started_at.desc())
    return query.order_by(runs.c.id)


def _sorted_by(query: Select[Any], kind: str, name: str) -> tuple[Select[Any], Any, Any]:
    if kind == "metric":
        own = series.alias()
        joined = query.outerjoin(own, (own.c.run == runs.c.number) & (own.c.name == name))
        rank = case((own.c.run.is_(None), 2), (own.c.last_value.is_(None), 1), else_=0)
        return joined, own.c.last_value, rank
    if kind in _NAMED:
        table = _NAMED[kind].alias()
        joined = query.outerjoin(table, (table.c.run == runs.c.number) & (table.c.name == name))
        return joined, table.c.value, case((table.c.value.is_(None), 1), else_=0)
    if name == "status":
        return query, case(STATUSES, value=runs.c.status), None
    column = {**_TEXTS, **_TIMES, "experiment_id": runs.c.experiment_id, "lifecycle_stage": runs.c.deleted_at}[name]
    return query, column, case((column.is_(None), 1), else_=0) if column.nullable else None
