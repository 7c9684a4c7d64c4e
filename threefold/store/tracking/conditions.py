"""What a filter means for the rows of `runs`.

A comparison of a metric, parameter, tag or dataset asks, run by run, whether a row is there: whoever walks along runs in
some order can stop as soon as a page is full. How to begin at the other end, at the few rows that fit, says `narrowing`.
A metric is compared by its last value, which `series` keeps beside its name in one index; so a search reads no history.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Dialect, FromClause, bindparam, select

from threefold.errors import DataError
from threefold.store.schema import datasets, params, run_datasets, run_tags, runs, series
from threefold.store.tracking import filters
from threefold.store.tracking.filters import Compare, Filter, check_sign, compared, number_in, text_in
from threefold.store.tracking.lifecycle import moment

CONTEXT = "mlflow.data.context"
STATUSES = {  # ours -> the protocol's
    "running": "RUNNING", "scheduled": "SCHEDULED", "done": "FINISHED", "failed": "FAILED", "refused": "FAILED",
    "interrupted": "KILLED",
}  # fmt: skip
TEXTS = {
    "run_id": runs.c.id, "run_name": runs.c.name, "user_id": runs.c.user, "artifact_uri": runs.c.artifact_root,
}  # fmt: skip
TIMES = {"start_time": runs.c.started_at, "end_time": runs.c.ended_at}
ATTRIBUTES = (*TEXTS, *TIMES, "status")  # of a filter; which experiments and whether deleted ones is asked beside it
NAMED = {"metric": series, "param": params, "tag": run_tags}  # what has a name and a value for each run
_ALIASES = {"created": "start_time", "Created": "start_time"} | dict.fromkeys(
    ("run name", "Run name", "Run Name"), "run_name"
)
_LISTS = (*filters.TEXTUAL, "IN", "NOT IN")


def condition_of(tree: Filter, dialect: Dialect) -> ColumnElement[bool] | None:
    """What a filter means, for a query that has `runs`; None where it is empty. Raises DataError."""
    return filters.matching(tree, lambda compare: _leaf(compare, dialect))


def all_of(tree: Filter) -> tuple[Filter, ...]:
    """The parts of a filter that must all hold."""
    if isinstance(tree, filters.Every):
        return tuple(part for inner in tree.parts for part in all_of(inner))
    return (tree,)


def holds(compare: Compare, table: FromClause, dialect: Dialect) -> ColumnElement[bool]:
    """What a comparison of a metric, parameter or tag means for the rows of its table. Raises DataError.

    Args:
        table: that of the kind, or another name for it.
    """
    named: ColumnElement[bool] = table.c.name == compare.name
    if compare.kind == "metric":
        return named & compared(table.c.last_value, compare, dialect, number_in(compare))
    check_sign(compare, (*filters.TEXTUAL, *filters.PRESENCE))
    if compare.sign in filters.PRESENCE:
        return named
    return named & compared(table.c.value, compare, dialect, text_in(compare))


def among(column: ColumnElement[int], numbers: Sequence[int]) -> ColumnElement[bool]:
    """Whether a column is one of many numbers; they stand in the statement, as Postgres takes 65,535 parameters at most."""
    return column.in_(bindparam(None, list(numbers), expanding=True, literal_execute=True))


def attribute_name(name: str, names: Sequence[str] = ATTRIBUTES) -> str:
    """The name of an attribute as we call it. Raises DataError."""
    known = _ALIASES.get(name, name)
    if known not in names:
        raise DataError(
            f"Invalid attribute key '{name}' specified",
            "the filter or order_by",
            f"it is one of {', '.join(names)}",
        )
    return known


def _leaf(compare: Compare, dialect: Dialect) -> ColumnElement[bool]:
    if compare.kind == "attribute":
        return _attribute(compare, dialect)
    if compare.kind == "dataset":
        return _dataset(compare, dialect)
    own = NAMED[compare.kind].alias()  # another name, so that it is not mistaken for the table that a query walks along
    there = select(1).where(own.c.run == runs.c.number, holds(compare, own, dialect)).correlate(runs).exists()
    return ~there if compare.sign == "IS NULL" else there


def _attribute(compare: Compare, dialect: Dialect) -> ColumnElement[bool]:
    name = attribute_name(compare.name)
    if name in TIMES:
        return compared(TIMES[name], compare, dialect, moment(int(number_in(compare))))
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
    return compared(TEXTS[name], compare, dialect, text_in(compare))


def fits(word: str, sign: str, text: str) -> bool:
    """Whether a word passes a comparison of texts, as the catalogue would judge it."""
    if sign in ("=", "!="):
        return (word == text) == (sign == "=")
    pattern = "".join(".*" if letter == "%" else "." if letter == "_" else re.escape(letter) for letter in text)
    return re.fullmatch(pattern, word, re.IGNORECASE if sign == "ILIKE" else 0) is not None


def _dataset(compare: Compare, dialect: Dialect) -> ColumnElement[bool]:
    columns: dict[str, Any] = {
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
    used = select(1).select_from(run_datasets).join(datasets, datasets.c.id == run_datasets.c.dataset)
    there = used.where(run_datasets.c.run == runs.c.number, compared(columns[compare.name], compare, dialect, value))
    return there.correlate(runs).exists()
