"""What a table promises, and which promises a later table breaks."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import polars as pl

from threefold.data.profile import kind_of
from threefold.data.words import counted, listing
from threefold.records import ColumnProfile, ColumnRule, Contract, Kind, Profile, Violation

NULL_MARGIN = 0.01  # more nulls than half again what was seen, and this, break the promise
RANGE_MARGIN = 0.5  # of the spread from the 5th to the 95th percentile (at least a tenth of the range), on both sides
OUTLIER = 20.0  # a value this many spreads beyond those percentiles does not widen the range
CATEGORY_ROWS = 2  # a value seen less often does not join the allowed ones
CATEGORY_SHARE = 0.0002  # the same, as a share of the rows
UNSEEN_MARGIN = 0.01


def infer(profile: Profile, unique_key: tuple[str, ...] = ()) -> Contract:
    """A contract that the profiled table keeps, with room for what an honest later table may bring.

    Ranges are what was seen, widened by half the spread from the 5th to the 95th percentile; a single absurd value
    does not widen them. Categories are those with some mass. Null shares get half again, and one percent.
    """
    rules = tuple(_rule(column) for column in profile.columns)
    return Contract(table=profile.table, rules=rules, unique_key=unique_key)


def check(frame: pl.DataFrame, contract: Contract) -> tuple[Violation, ...]:
    """The promises that a table breaks, each with its number and one sentence.

    Columns that the contract does not name are not looked at. A table of 0 rows keeps every promise about values.
    """
    found = [violation for rule in contract.rules for violation in _broken(frame, rule, contract.table)]
    return (*found, *_not_unique(frame, contract))


# ----------------------------------------------------------------------------------------------------- inference


def _rule(column: ColumnProfile) -> ColumnRule:
    low, high = _range(column)
    values, unseen = _values(column)
    share = column.nulls / column.rows if column.rows else 0.0
    return ColumnRule(
        name=column.name,
        kind=column.kind,
        max_null_share=round(min(1.0, 1.5 * share + NULL_MARGIN), 4),
        minimum=low,
        maximum=high,
        values=values,
        max_unseen_share=unseen,
    )


def _range(column: ColumnProfile) -> tuple[float | None, float | None]:
    if column.kind != "number" or not column.quantiles:
        return None, None
    least, low, quarter, _, three_quarters, high, most = column.quantiles
    spread = high - low
    if quarter < three_quarters:  # a column that is mostly the same, as rain is, has no scale to call a value absurd by
        least, most = max(least, low - OUTLIER * spread), min(most, high + OUTLIER * spread)
    margin = max(RANGE_MARGIN * spread, 0.1 * (most - least))
    floor = 0.0 if least >= 0 else -math.inf  # what never was negative, a count or a price, stays so
    return _rounded(max(floor, least - margin), math.floor), _rounded(most + margin, math.ceil)


def _rounded(value: float, outward: Callable[[float], int]) -> float:
    """Four significant digits, rounded away from the range: 0.12341 downward is 0.1234, upward 0.1235."""
    if value == 0 or not math.isfinite(value):
        return value
    unit = 10.0 ** (math.floor(math.log10(abs(value))) - 3)
    return float(f"{outward(value / unit) * unit:.6g}")


def _values(column: ColumnProfile) -> tuple[tuple[str, ...] | None, float]:
    if column.kind not in ("category", "boolean") or not column.top or column.unique > len(column.top):
        return None, 0.0
    enough = max(CATEGORY_ROWS, CATEGORY_SHARE * column.rows)
    kept = [value for value, count in column.top if count >= enough]
    if not kept:
        return None, 0.0
    known = sum(count for value, count in column.top if value in set(kept))
    seen = column.rows - column.nulls
    return tuple(sorted(kept)), round(min(1.0, 1.5 * (1 - known / seen) + UNSEEN_MARGIN), 4)


# -------------------------------------------------------------------------------------------------------- checks


def _broken(frame: pl.DataFrame, rule: ColumnRule, table: str) -> Iterator[Violation]:
    if rule.name not in frame.columns:
        yield Violation(table, rule.name, "missing", frame.height, 1.0, f"column '{rule.name}' is missing")
        return
    column = frame[rule.name]
    kind = kind_of(column)
    if not _fits(column, rule):
        sentence = f"column '{rule.name}' is now a {kind} ({column.dtype}), promised is a {rule.kind}"
        bad = misfit(column, rule.kind)
        tail = "" if bad is None else f", because of a value such as '{bad[:60]}'"
        # Both become numbers when they are features, so a table may change from one to the other.
        name = "kind" if {kind, rule.kind} == {"number", "boolean"} else "type"
        yield Violation(table, rule.name, name, frame.height, 1.0, sentence + tail)
        return
    if len(column):
        yield from _nulls(column, rule, table)
        yield from _outside(column, rule, table)
        yield from _unseen(column, rule, table)


def _fits(column: pl.Series, rule: ColumnRule) -> bool:
    kind = kind_of(column)
    if column.null_count() == len(column):
        return True  # a column of nulls has no type of its own; its nulls are reported
    alike = {"category", "text"}  # whether strings are prose is a guess from the rows at hand
    return kind == rule.kind or {kind, rule.kind} <= alike


def misfit(column: pl.Series, kind: Kind) -> str | None:
    """The first text that keeps a column from being what it was: one bad cell makes texts of all numbers."""
    if column.dtype != pl.String or kind not in ("number", "boolean", "time"):
        return None
    values = column.drop_nulls()
    if kind == "number":
        strange = values.filter(values.cast(pl.Float64, strict=False).is_null())
    elif kind == "boolean":
        strange = values.filter(~values.str.to_lowercase().is_in(["true", "false"]))
    else:
        strange = values.filter(~values.str.contains(r"^\d{4}-\d\d-\d\d([T ].*)?$"))
    return None if strange.is_empty() else str(strange[0])


def _nulls(column: pl.Series, rule: ColumnRule, table: str) -> Iterator[Violation]:
    nulls = column.null_count()
    share = nulls / len(column)
    if share > rule.max_null_share:
        sentence = (
            f"column '{rule.name}' is null in {share:.1%} of the rows, promised are at most {rule.max_null_share:.1%}"
        )
        yield Violation(table, rule.name, "nulls", nulls, share, sentence)


def _outside(column: pl.Series, rule: ColumnRule, table: str) -> Iterator[Violation]:
    if rule.minimum is None or rule.maximum is None or column.dtype == pl.Null:
        return
    low, high = column < rule.minimum, column > rule.maximum
    rows = int((low | high).sum())
    if rows:
        extreme = column.min() if low.any() else column.max()
        sentence = (
            f"column '{rule.name}' leaves the range {rule.minimum:g} to {rule.maximum:g} in {counted(rows, 'row')}, "
            f"as with {extreme!r}"
        )
        yield Violation(table, rule.name, "range", rows, rows / len(column), sentence)


def _unseen(column: pl.Series, rule: ColumnRule, table: str) -> Iterator[Violation]:
    if rule.values is None:
        return
    values = column.cast(pl.String)
    new = values.filter(values.is_not_null() & ~values.is_in(list(rule.values)))
    share = len(new) / len(column)
    if share > rule.max_unseen_share:
        common = listing((f"'{value}'" for value in new.unique().sort().to_list()), at_most=3)
        sentence = (
            f"column '{rule.name}' holds values never seen before in {share:.1%} of the rows ({common}), "
            f"promised are at most {rule.max_unseen_share:.1%}"
        )
        yield Violation(table, rule.name, "values", len(new), share, sentence)


def _not_unique(frame: pl.DataFrame, contract: Contract) -> Iterator[Violation]:
    key = [name for name in contract.unique_key if name in frame.columns]
    if not key or len(key) < len(contract.unique_key):
        return
    rows = frame.height - frame.select(key).n_unique() if frame.height else 0
    if rows:
        name = ", ".join(key)
        sentence = f"the key ({name}) is not unique: {counted(rows, 'row')} repeat one that stands before"
        yield Violation(contract.table, name, "unique", rows, rows / frame.height, sentence)
