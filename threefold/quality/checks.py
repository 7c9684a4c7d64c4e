"""The project's own checks: every public function of checks.py is a gate."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from math import isfinite
from typing import Any

import numpy as np
import polars as pl

from threefold.data.calling import line_of, place_of
from threefold.data.words import did_you_mean
from threefold.design.words import kind_of
from threefold.errors import NotFound, StepFailed, ThreefoldError
from threefold.quality.wording import figure
from threefold.records import GateResult

ANSWERS = "return True or False, a complaint as text (empty: none), a number for a limit in the canvas, or nothing"


def run_checks(functions: Mapping[str, Callable[..., Any]], available: Mapping[str, Any]) -> tuple[GateResult, ...]:
    """Run the checks of a project in their order.

    A check says yes with True, None or an empty text, no with False or a complaint. A number is held against the limit
    that the canvas gives it under `accept`; without one it passes, and is only shown.

    Args:
        functions: by name; classes among them are passed over, as they are parts of checks.
        available: what a check may ask for by the name of a parameter: training and test (features with the target),
            scores and y of the test rows, task, model. Arrays are handed over read-only.
    Raises:
        NotFound: a check asks for something else.
        StepFailed: a check raised, or returned something else; the place is file and line of the user's code.
    """
    safe = {name: _protected(value) for name, value in available.items()}
    rows = len(available["y"]) if "y" in available else None
    plain = {name: one for name, one in functions.items() if not inspect.isclass(one)}
    chosen = {name: _arguments(name, function, safe) for name, function in plain.items()}
    return tuple(_run(name, function, chosen[name], rows) for name, function in plain.items())


def _run(name: str, function: Callable[..., Any], arguments: Mapping[str, Any], rows: int | None) -> GateResult:
    gate = f"check {name.removeprefix('check_').replace('_', ' ')}"
    try:
        answer = function(**arguments)
    except ThreefoldError:
        raise
    except (Exception, SystemExit) as error:  # a user's code may raise anything; the original stays chained
        reason = (str(error).strip().splitlines() or [""])[0]
        raise StepFailed(
            f"{gate} raised {type(error).__name__}: {reason}",
            line_of(function, error),
            "mend that line; to say no, return False or a complaint as text",
        ) from error
    passed, value, sentence = _read(answer, gate, function)
    details = {"n": rows, "function": name, "place": place_of(function)}
    return GateResult(gate, passed, value, "a number" if value is not None else "yes", sentence, details)


def _read(answer: Any, gate: str, function: Callable[..., Any]) -> tuple[bool, float | None, str]:
    """What an answer means: yes or no, the number where there is one, and the sentence."""
    promise = _promise(function)
    if answer is None or isinstance(answer, bool | np.bool_):
        yes = answer is None or bool(answer)
        return (
            yes,
            None,
            (promise or f"{gate} says yes") if yes else (f"not so: {promise}" if promise else f"{gate} says no"),
        )
    if isinstance(answer, str):
        return not answer.strip(), None, answer.strip() or promise or f"{gate} has no complaint"
    if isinstance(answer, int | float | np.integer | np.floating):
        value = float(answer)
        if not isfinite(value):
            return False, None, f"{gate} returned {value}, which is not a finite number"
        return True, value, f"{promise or gate}: {figure(value)}; the canvas sets no limit for it"
    raise StepFailed(f"{gate} returned {kind_of(answer)}", place_of(function), ANSWERS)


def _arguments(name: str, function: Callable[..., Any], available: Mapping[str, Any]) -> dict[str, Any]:
    """What a check asked for, by the names of its parameters."""
    chosen = {}
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        if parameter.name in available:
            chosen[parameter.name] = available[parameter.name]
        elif parameter.default is parameter.empty:
            raise NotFound(
                f"check '{name}' asks for '{parameter.name}', which there is not",
                place_of(function),
                did_you_mean(parameter.name, available, "parameters"),
            )
    return chosen


def _promise(function: Callable[..., Any]) -> str:
    """The first line of the docstring, without its full stop."""
    return ((inspect.getdoc(function) or "").strip().splitlines() or [""])[0].strip().removesuffix(".")


def _protected(value: Any) -> Any:
    """The same thing, so handed over that a check cannot change what the other gates judge."""
    if isinstance(value, np.ndarray):
        view = value.view()
        view.flags.writeable = False
        return view
    return value.clone() if isinstance(value, pl.DataFrame) else value
