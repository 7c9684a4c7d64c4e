"""The project's own checks: plain functions in checks.py that look at data and model and say yes or no."""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np

from threefold.design.words import advise
from threefold.errors import NotFound, StepFailed
from threefold.records import GateResult


def run_checks(functions: Mapping[str, Callable[..., Any]], available: Mapping[str, Any]) -> tuple[GateResult, ...]:
    """Call every check with the things its parameters name.

    What a check returns is its verdict: True or None passes, False does not; a text is a complaint and an empty one
    passes; a number passes and can be given a limit by a gate of the same name.

    Args:
        functions: name -> function, as they stand in checks.py.
        available: parameter name -> thing: training, test, scores, y, task, model.
    Raises:
        NotFound: a parameter names nothing that is available; all such parameters are checked before a check runs.
        StepFailed: a check raised, or returned something that is no verdict; carries file and line.
    """
    called = {name: _arguments(name, function, available) for name, function in functions.items()}
    return tuple(_run(name, functions[name], arguments) for name, arguments in called.items())


def _arguments(name: str, function: Callable[..., Any], available: Mapping[str, Any]) -> dict[str, Any]:
    wanted = {}
    for parameter in inspect.signature(function).parameters.values():
        if parameter.name in available:
            wanted[parameter.name] = available[parameter.name]
        elif parameter.default is inspect.Parameter.empty and parameter.kind not in _COLLECTING:
            raise NotFound(
                f"check {name!r} asks for {parameter.name!r}, which a check cannot have",
                _place(function),
                advise(parameter.name, sorted(available), "it can ask for"),
            )
    return wanted


_COLLECTING = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def _run(name: str, function: Callable[..., Any], arguments: Mapping[str, Any]) -> GateResult:
    try:
        answer = function(**arguments)
    except Exception as error:  # whatever the project's own function raises
        where = _raised_at(error, function)
        raise StepFailed(
            f"check {name!r} raised {type(error).__name__}: {error}", where, "mend the check and run again"
        ) from error
    return _result(name, function, answer)


def _result(name: str, function: Callable[..., Any], answer: Any) -> GateResult:
    if isinstance(answer, GateResult):
        return answer
    if answer is None or isinstance(answer, bool | np.bool_):
        passed = answer is None or bool(answer)
        return GateResult(name, passed, None, "", f"{_title(name)}: {'holds' if passed else 'does not hold'}")
    if isinstance(answer, str):
        return GateResult(name, not answer, None, "", f"{_title(name)}: {answer or 'holds'}")
    if isinstance(answer, int | float | np.integer | np.floating):
        value = float(answer)
        return GateResult(
            name, isfinite(value), value if isfinite(value) else None, "", f"{_title(name)} is {value:.4g}"
        )
    if isinstance(answer, Sequence) and all(isinstance(one, str) for one in answer):
        return GateResult(name, not answer, float(len(answer)), "", f"{_title(name)}: {'; '.join(answer) or 'holds'}")
    raise StepFailed(
        f"check {name!r} returned a {type(answer).__name__}",
        _place(function),
        "return True or False, a text that says what is wrong (empty: nothing), or a number",
    )


def _title(name: str) -> str:
    return name.replace("_", " ")


def _place(function: Callable[..., Any]) -> str:
    code = inspect.unwrap(function)
    try:
        return f"{Path(inspect.getsourcefile(code) or 'checks.py').name}:{inspect.getsourcelines(code)[1]}"
    except (OSError, TypeError):
        return "checks.py"


def _raised_at(error: Exception, function: Callable[..., Any]) -> str:
    """The deepest line of the project's own file on the way to the error."""
    file = inspect.getsourcefile(inspect.unwrap(function))
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    return f"{Path(file).name}:{lines[-1]}" if file and lines else _place(function)
