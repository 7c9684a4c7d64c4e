"""Looking at a table as somebody would who starts a project with it: what is the task, what is a feature, what not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import polars as pl

from threefold.data.declared import check_reserved
from threefold.data.nearly import nearly_numbers, unused_times
from threefold.data.profile import profile
from threefold.data.rows import days_between, identifier_of, moment_of
from threefold.data.split import split
from threefold.data.strength import AUC_LIMIT, RANK_LIMIT, strength
from threefold.data.targets import check_target, holds_nested, labelled_rows, positive_of, problem_of, rare_labels
from threefold.data.uninformative import LeftOut, uninformative
from threefold.data.words import counted, listing
from threefold.design.canvas import Prediction
from threefold.errors import DataError
from threefold.records import Problem

FEW_ROWS = 200
SEED = 7
LEAK = {"binary": AUC_LIMIT, "multiclass": AUC_LIMIT, "regression": RANK_LIMIT}  # features/leaks.py refuses these
ROUNDING = 0.0005  # features are Float32, and round a little differently
STRONG = {"binary": 0.95, "multiclass": 0.95, "regression": 0.97}
HEURISTIC_KINDS = 30  # a heuristic that people can keep in mind has no more cases


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
    check_reserved(frame, table, where)
    check_target(frame, table, target, where)
    rows = frame if holds_nested(frame) else frame.unique(keep="first", maintain_order=True)
    labelled = labelled_rows(rows, table, target, where)
    problem = problem_of(labelled[target], target, where)
    about = {column.name: column for column in profile(table, labelled).columns if column.name != target}
    identifier, moment = identifier_of(labelled, about), moment_of(labelled, about)
    prediction = Prediction(table, target, problem, at=moment, split_by="time" if moment else "random", id=identifier)
    learned = split(labelled, prediction, SEED)[0]  # the test share is not looked at more closely than this
    left_out = list(uninformative(labelled, learned, about, moment, {identifier, target}))
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
        days=days_between(labelled[moment]) if moment else None,
        target=target,
        problem=problem,
        positive=positive_of(labelled[target]) if problem == "binary" else None,
        id=identifier,
        at=moment,
        baseline=_baseline(learned, features, measured),
        features=features,
        left_out=tuple(left_out),
        warnings=(
            *(() if moment else unused_times(labelled, about)),
            *nearly_numbers(labelled),
            *_warnings(frame, labelled, target, problem, measured, left_out),
        ),
    )  # fmt: skip


def _names(left_out: Iterable[LeftOut], identifier: str | None) -> set[str | None]:
    return {identifier, *(one.column for one in left_out)}


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
        yield f"of {frame.height:,} rows {lost:,} {'is' if lost == 1 else 'are'} not used: no target, or equal to another row"
    if labelled.height < FEW_ROWS:
        yield f"with {counted(labelled.height, 'row')} every number that the gates measure is uncertain; more rows help most"
    left = {one.column for one in left_out}
    strong = sorted((-value, name) for name, value in measured.items() if value >= STRONG[problem] and name not in left)
    if strong:
        named = listing((f"'{name}' {-value:.3f}" for value, name in strong), at_most=3)
        yield f"these alone tell much of '{target}', check that they are known in time ({_measure(problem)}): {named}"
    if problem != "regression":
        yield from rare_labels(labelled[target])
