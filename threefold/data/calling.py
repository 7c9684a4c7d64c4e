"""Calling the functions of a project, and saying where in its code something went wrong."""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl

from threefold.design.words import kind_of
from threefold.errors import StepFailed, ThreefoldError


def call(function: Callable[..., Any], frame: pl.DataFrame, role: str) -> pl.DataFrame:
    """Call a project function that takes one table and returns one.

    Args:
        function: the project's.
        frame: its only argument.
        role: what it is for the reader, as in "view 'weather'".
    Raises:
        StepFailed: the function raised (the place is file and line of the user's code), or returned no table.
    """
    try:
        made = function(frame)
    except ThreefoldError:
        raise
    except (Exception, SystemExit) as error:  # a user's code may raise anything; the original stays chained
        reason = str(error).strip().splitlines() or [""]
        raise StepFailed(
            f"{role} raised {type(error).__name__}: {reason[0]}",
            line_of(function, error),
            "mend that line, then run again",
        ) from error
    if isinstance(made, pl.LazyFrame):
        made = collected(made, function, role)
    if not isinstance(made, pl.DataFrame):
        found = "nothing (None)" if made is None else kind_of(made)
        raise StepFailed(f"{role} returned {found}, not a table", place_of(function), "return a polars DataFrame")
    return made


def collected(lazy: pl.LazyFrame, function: Callable[..., Any], role: str) -> pl.DataFrame:
    """The table of a lazy frame that a project function returned."""
    try:
        return lazy.collect()
    except pl.exceptions.PolarsError as error:
        raise StepFailed(
            f"{role} raised {type(error).__name__}: {str(error).splitlines()[0]}",
            place_of(function),
            "mend the expression, then run again",
        ) from error


def place_of(function: Callable[..., Any]) -> str:
    """File and line where a function is defined."""
    code = inspect.unwrap(function)
    try:
        return f"{_short(inspect.getsourcefile(code) or '?')}:{inspect.getsourcelines(code)[1]}"
    except (OSError, TypeError):
        return getattr(function, "__name__", "a function")


def line_of(function: Callable[..., Any], error: BaseException) -> str:
    """The innermost line of the project's own code in a traceback.

    The project's code is what lies in the folder of the function's file, outside of installed packages.
    """
    folder = Path(inspect.unwrap(function).__code__.co_filename).parent
    for step in reversed(traceback.extract_tb(error.__traceback__)):
        path = Path(step.filename)
        if path.is_relative_to(folder) and "site-packages" not in path.parts:
            return f"{_short(step.filename)}:{step.lineno}"
    return place_of(function)


def _short(file: str) -> str:
    """Relative to where we are, where it lies below."""
    path = Path(file)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else file
