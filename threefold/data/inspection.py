"""Looking at a table as somebody would who starts a project with it: what is the task, what is a feature, what not."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from threefold.data.moments import looks_like_dates
from threefold.data.profile import profile
from threefold.data.split import split
from threefold.data.strength import AUC_LIMIT, RANK_LIMIT, strength
from threefold.data.words import counted, did_you_mean, listing
from threefold.design.canvas import Prediction
from threefold.errors import DataError
from threefold.records import ColumnProfile, Problem, utc_now

NEEDED = 20  # rows with a target: fewer cannot be split into a test, folds, and something to learn from
NEEDED_OF_A_CLASS = 5
FEW_ROWS = 200
MAX_CLASSES = 100
FEW_VALUES = 10  # whole numbers with at most this many values are classes, as in training/task.py
YES = ("true", "1", "yes", "y", "t")
SEED = 7
LEAK = {"binary": AUC_LIMIT, "multiclass": AUC_LIMIT, "regression": RANK_LIMIT}  # features/leaks.py refuses these
ROUNDING = 0.0005  # features are Float32, and round a little differently
STRONG = {"binary": 0.95, "multiclass": 0.95, "regression": 0.97}
OWN_VALUES = 0.5  # strings with more different values than this share of the rows name rows rather than kinds
HEURISTIC_KINDS = 30  # a heuristic that people can keep in mind has no more cases
MOMENTS = re.compile(r"(^|_)(at|on|date|time|day|timestamp|datetime|when|month|period)($|_)|(date|time)$", re.I)
NOT_OF_THE_ROW = re.compile(r"birth|born|dob|expir|valid|until|due|_end|^end|deadline", re.I)
ID_NAME = re.compile(
    r"(^|[_\s.])(id|uuid|guid|key|number|no|nr|index|idx|code)$|Id$|ID$|^(unnamed: ?0|index|rownames|)$", re.I
)
CODE = re.compile(r"\S*\d\S*")  # a text that may name a row: no spaces, a digit; people are not to be named


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A column that is no feature, and the reason in a few words."""

    column: str
    reason: str


@dataclass(frozen=True, slots=True)
class Inspection:
    """What a first look at a table found."""

    rows: int
    days: float | None  # from the first row to the last; None where no column says when a row came about
    target: str
    problem: Problem
    positive: str | None
    id: str | None
    at: str | None
    baseline: str
    features: tuple[str, ...]
    left_out: tuple[LeftOut, ...]
    warnings: tuple[str, ...]  # sentences, for things a person should decide


def inspect(frame: pl.DataFrame, table: str, target: str, where: str) -> Inspection:
    """Look at a table.

    Args:
        frame: as it was read.
        table: its name.
        target: the column to predict.
        where: how messages call the place.
    Raises:
        DataError: there is no such column, it holds nothing to learn, or there are too few rows or no feature.
    """
    _check_target(frame, table, target, where)
    rows = frame if _nested(frame) else frame.unique(keep="first", maintain_order=True)
    labelled = _labelled(rows, table, target, where)
    problem = _problem(labelled[target], target, where)
    about = {column.name: column for column in profile(table, labelled).columns if column.name != target}
    identifier, moment = _identifier(labelled, about), _moment(labelled, about)
    prediction = Prediction(table, target, problem, at=moment, split_by="time" if moment else "random", id=identifier)
    learned = split(labelled, prediction, SEED)[0]  # the test share is not looked at more closely than this
    left_out = list(_useless(labelled, learned, about, moment, {identifier, target}))
    measured = _measured(learned, target, problem, [name for name in about if name not in _names(left_out, identifier)])
    left_out += [
        LeftOut(name, _leaks(value, problem)) for name, value in measured.items() if value >= LEAK[problem] - ROUNDING
    ]
    features = tuple(name for name in about if name not in _names(left_out, identifier))
    if not features:
        why = [f"'{identifier}' names the rows"] if identifier else []
        why += [f"'{one.column}' {one.reason}" for one in left_out]
        do = f"bring columns that are known before the outcome; {listing(why, at_most=5)}"
        raise DataError(f"no column of table '{table}' is left to learn from", where, do)
    return Inspection(
        rows=labelled.height,
        days=_days(labelled[moment]) if moment else None,
        target=target,
        problem=problem,
        positive=_positive(labelled[target]) if problem == "binary" else None,
        id=identifier,
        at=moment,
        baseline=_baseline(learned, features, measured),
        features=features,
        left_out=tuple(left_out),
        warnings=tuple(_warnings(frame, labelled, target, problem, measured, left_out)),
    )  # fmt: skip


def _names(left_out: Iterable[LeftOut], identifier: str | None) -> set[str | None]:
    return {identifier, *(one.column for one in left_out)}


# ------------------------------------------------------------------------------------------------------ the target


def _check_target(frame: pl.DataFrame, table: str, target: str, where: str) -> None:
    if target not in frame.columns:
        what = f"table '{table}' has no column '{target}' to predict"
        raise DataError(what, where, did_you_mean(target, frame.columns))
    if frame.width == 1:
        do = "bring columns that are known before the outcome"
        raise DataError(f"table '{table}' has no column but the target '{target}'", where, do)
    if frame[target].null_count() == frame.height:
        do = "name another column, or fill it in"
        raise DataError(f"the target '{target}' has no value in any row", f"{where}, column {target}", do)


def _labelled(rows: pl.DataFrame, table: str, target: str, where: str) -> pl.DataFrame:
    """The rows that have a target."""
    labelled = _with_target(rows, target)
    if labelled[target].n_unique() == 1:
        what = f"the target '{target}' is '{_short(labelled[target][0])}' in every row"
        do = "add rows with another outcome; there is nothing to tell apart"
        raise DataError(what, f"{where}, column {target}", do)
    if labelled.height < NEEDED:
        what = f"table '{table}' has {counted(labelled.height, 'different row')} with a target, at least {NEEDED} are needed"
        raise DataError(what, where, "bring more rows; a model that means something needs some hundreds")
    return labelled


def _with_target(rows: pl.DataFrame, target: str) -> pl.DataFrame:
    return rows.filter(pl.col(target).is_not_null())


def _nested(frame: pl.DataFrame) -> bool:
    return any(dtype.is_nested() or dtype == pl.Object for dtype in frame.dtypes)


def _problem(target: pl.Series, name: str, where: str) -> Problem:
    """Two labels are binary; more labels, or few whole numbers, are classes; other numbers a regression."""
    place = f"{where}, column {name}"
    if target.dtype.is_temporal() or target.dtype.is_nested():
        do = "predict a number, as the days until then, or a yes or no"
        raise DataError(f"the target '{name}' holds {target.dtype}, which cannot be predicted", place, do)
    unique, numeric = target.n_unique(), target.dtype.is_numeric()
    if numeric:
        whole = target.dtype.is_integer() or bool((target.round() == target).all())
        zero_one = unique == 2 and set(target.unique().to_list()) <= {0, 1}
        if not zero_one and not (whole and unique <= FEW_VALUES and len(target) >= 5 * unique):
            return "regression"
    if unique > MAX_CLASSES:
        do = "check that this is the target; or group the rare labels into one"
        raise DataError(
            f"the target '{name}' has {unique:,} different labels, {MAX_CLASSES} can be told apart", place, do
        )
    counts = target.value_counts(sort=True)
    if unique == 2 and counts["count"][1] < NEEDED_OF_A_CLASS:
        what = f"only {counted(counts['count'][1], 'row')} have the target '{counts[target.name][1]}', {NEEDED_OF_A_CLASS} are needed"
        raise DataError(what, place, "bring more rows of the rare outcome")
    return "binary" if unique == 2 else "multiclass"


def _positive(target: pl.Series) -> str:
    """The label that counts as "yes", as training would choose it: a word for yes, otherwise the rarer one."""
    counts = {_label(value): count for value, count in target.value_counts().sort(target.name).iter_rows()}
    said = [label for label in counts if label.lower() in YES]
    return said[0] if len(said) == 1 else min(counts, key=lambda label: counts[label])


def _label(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


# ------------------------------------------------------------------------------------------- identifier and moment


def _identifier(rows: pl.DataFrame, about: dict[str, ColumnProfile]) -> str | None:
    """The first column that names every row: no nulls, no repeats, and a name, text or numbering to show for it."""
    for name, column in about.items():
        if column.nulls or column.unique < rows.height or column.kind not in ("number", "category"):
            continue
        if ID_NAME.search(name) and name and (column.kind == "category" or rows[name].dtype.is_integer()):
            return name
        if column.kind == "category" and name and _are_codes(rows[name]):
            return name
    return None


def _are_codes(column: pl.Series) -> bool:
    return (
        column.dtype == pl.String
        and not looks_like_dates(column)
        and bool(column.str.contains(f"^{CODE.pattern}$").all())
    )


def _moment(rows: pl.DataFrame, about: dict[str, ColumnProfile]) -> str | None:
    """The time column that says when a row came about: no nulls, many moments, not in the future; the earliest one."""
    horizon = utc_now().replace(tzinfo=None) + timedelta(days=1)
    found = []
    for name, column in about.items():
        if not _is_moment(rows[name]) or column.nulls or NOT_OF_THE_ROW.search(name):
            continue
        latest = rows[name].cast(pl.Datetime("us")).max()
        if column.unique >= min(FEW_VALUES, rows.height / 2) and isinstance(latest, datetime) and latest <= horizon:
            found.append(name)
    named = [name for name in found if MOMENTS.search(name)] or found
    return min(named, key=lambda name: _lateness(rows, name, named)) if named else None


def _days(moments: pl.Series) -> float:
    times = moments.cast(pl.Datetime("us"))
    first, last = times.min(), times.max()
    assert isinstance(first, datetime)
    assert isinstance(last, datetime)
    return (last - first) / timedelta(days=1)


def _is_moment(column: pl.Series) -> bool:
    return column.dtype == pl.Date or isinstance(column.dtype, pl.Datetime)


def _lateness(rows: pl.DataFrame, name: str, others: list[str]) -> float:
    """How often other moments come before this one; the first to come is the one a prediction is about."""
    return sum(_share_before(rows, other, name) for other in others if other != name)


def _share_before(rows: pl.DataFrame, first: str, second: str) -> float:
    moments = [pl.col(name).cast(pl.Datetime("us")) for name in (first, second)]
    share = rows.select((moments[0] < moments[1]).mean()).item()
    return float(share or 0.0)


# --------------------------------------------------------------------------------------------- what is no feature


def _useless(
    rows: pl.DataFrame, learned: pl.DataFrame, about: dict[str, ColumnProfile], at: str | None, passed: set[str | None]
) -> Iterator[LeftOut]:
    for name, column in about.items():
        if name in passed:
            continue
        reason = _why_not(rows, learned[name], column, at)
        if reason:
            yield LeftOut(name, reason)


def _why_not(rows: pl.DataFrame, learned: pl.Series, column: ColumnProfile, at: str | None) -> str | None:
    """Why a column is no feature, in a few words; None where it is one."""
    filled = column.rows - column.nulls
    if not filled:
        return "has no value in any row"
    if learned.null_count() == len(learned):
        return "has no value in the rows to learn from"
    if not column.name:
        return "has no name"
    if column.unique == 1 and not column.nulls:
        return f"is always the same: {_short(learned.drop_nulls()[0])}"
    if learned.dtype.is_nested() or learned.dtype in (pl.Object, pl.Binary, pl.Duration, pl.Time):
        return f"holds {learned.dtype}, which is neither number nor text"
    if _is_moment(learned):
        late = at is not None and column.name != at and _share_before(rows, at, column.name) > 0.5
        return f"comes after {at}: not known yet" if late else None
    if column.kind == "category":
        return _why_no_category(learned, column, filled)
    if learned.dtype.is_integer() and _counts_rows(rows[column.name], column):
        return "numbers the rows"
    return None


def _why_no_category(learned: pl.Series, column: ColumnProfile, filled: int) -> str | None:
    if learned.dtype != pl.String:
        return None
    if looks_like_dates(learned):
        return "holds dates that can be read in more than one way: make them times in data.py"
    if column.unique == filled:
        return "names every row: no two are the same"
    if column.unique > OWN_VALUES * filled and filled >= NEEDED:
        return f"has {column.unique:,} different values in {filled:,} rows"
    return None


def _counts_rows(values: pl.Series, column: ColumnProfile) -> bool:
    """Whether whole numbers run through the rows: 0, 1, 2 … or 1, 2, 3 …"""
    if column.nulls or column.unique < len(values):
        return False
    return bool((values.diff().drop_nulls() == 1).all()) or bool(ID_NAME.search(column.name))


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 30 else text[:29] + "…"


# --------------------------------------------------------------------------------------- what one column alone says


def _measured(learned: pl.DataFrame, target: str, problem: Problem, names: list[str]) -> dict[str, float]:
    """What each column alone tells of the target; times are not judged, they become months and hours."""
    return {
        name: strength(_plain(learned[name]), learned[target], problem)
        for name in names
        if not learned[name].dtype.is_temporal()
    }


def _plain(column: pl.Series) -> pl.Series:
    if column.dtype in (pl.Categorical, pl.Enum):
        return column.cast(pl.String)
    return column if column.dtype == pl.String else column.cast(pl.Float64)


def _measure(problem: Problem) -> str:
    return "rank correlation" if problem == "regression" else "area under the ROC curve"


def _leaks(value: float, problem: Problem) -> str:
    return f"tells the target almost alone ({_measure(problem)} {value:.3f}): known only afterwards?"


def _baseline(learned: pl.DataFrame, features: tuple[str, ...], measured: dict[str, float]) -> str:
    """The heuristic to beat: the rate by the category that tells most, where there is one with enough rows a case."""
    fit = [
        name
        for name in features
        if learned[name].dtype in (pl.String, pl.Boolean, pl.Categorical, pl.Enum)
        and 2 <= learned[name].n_unique() <= HEURISTIC_KINDS
        and len(learned) >= 20 * learned[name].n_unique()
    ]
    best = max(fit, key=lambda name: measured[name], default=None)
    return f"rate by {best}" if best is not None and best == " ".join(best.split()) else "prior"


def _warnings(
    frame: pl.DataFrame,
    labelled: pl.DataFrame,
    target: str,
    problem: Problem,
    measured: dict[str, float],
    left_out: list[LeftOut],
) -> Iterator[str]:
    lost = frame.height - labelled.height
    if lost:
        yield f"{counted(lost, 'row')} of {frame.height:,} are not used: no target, or equal to another row"
    if labelled.height < FEW_ROWS:
        yield f"with {counted(labelled.height, 'row')} every number that the gates measure is uncertain; more rows help most"
    left = {one.column for one in left_out}
    strong = sorted((-value, name) for name, value in measured.items() if value >= STRONG[problem] and name not in left)
    if strong:
        named = listing((f"'{name}' {-value:.3f}" for value, name in strong), at_most=3)
        yield f"these alone tell much of '{target}', check that they are known in time ({_measure(problem)}): {named}"
    if problem != "regression":
        yield from _rare_labels(labelled[target])


def _rare_labels(target: pl.Series) -> Iterator[str]:
    counts = target.value_counts(sort=True)
    rare = counts.filter(pl.col("count") < NEEDED_OF_A_CLASS)[target.name]
    if len(rare):
        names = listing((f"'{value}'" for value in rare), at_most=5)
        yield f"hard to learn, on fewer than {NEEDED_OF_A_CLASS} rows each: {names}"
