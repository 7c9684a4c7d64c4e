"""Candidates and baselines of the project: its functions are called here, and their faults are named."""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import threefold
from threefold.errors import NotFound, StepFailed, ThreefoldError
from threefold.records import TaskSpec
from threefold.training import candidates
from threefold.training.adapted import adapted
from threefold.training.candidates import Candidate, Estimator

OURS = Path(threefold.__file__).parent


class ProjectCandidate:
    """A function or class of model.py as a candidate.

    It is called with the parameters it names: `task` and `seed` where it takes them, and those of the search. What it
    returns has fit(X, y) and predict(X), better also predict_proba(X). X is a Polars frame of the features, y the
    encoded target: 0.0 and 1.0, class numbers, or values.
    """

    def __init__(self, name: str, function: Callable[..., Any]) -> None:
        self.name = name
        self.function = function

    def build(self, task: TaskSpec, params: Mapping[str, Any], seed: int) -> Estimator:
        """Call the project's function."""
        known = {"task": task, "seed": seed, **params}
        takes = inspect.signature(self.function).parameters
        anything = any(parameter.kind is parameter.VAR_KEYWORD for parameter in takes.values())
        with faults(f"candidate {self.name!r}"):
            made = self.function(**{key: value for key, value in known.items() if anything or key in takes})
        for method in ("fit", "predict"):
            if not callable(getattr(made, method, None)):
                raise StepFailed(
                    f"candidate {self.name!r} made {type(made).__name__}, which has no {method}",
                    place(self.function),
                    "return an object with fit(X, y) and predict(X)",
                )
        return adapted(made, task)

    def space(self, task: TaskSpec) -> list[dict[str, Any]]:
        """The function's own `space` (a list, or a function of the task); otherwise its defaults alone."""
        said = getattr(self.function, "space", None)
        points = said(task) if callable(said) else said
        return [dict(point) for point in points] if points else [{}]

    def cost_s(self, rows: int, width: int, task: TaskSpec) -> float:
        """Nobody knows; reckoned like boosting."""
        return 0.2 + rows * width * 1.0e-6

    def lighter(self, point: Mapping[str, Any], share: float) -> dict[str, Any]:
        """What a project writes down is taken as it stands."""
        return dict(point)


def find(name: str, project: Mapping[str, Callable[..., Any]]) -> Candidate:
    """A candidate by name: the project's own go before the built-in ones. Raises NotFound with the nearest name."""
    if name in project:
        return ProjectCandidate(name, project[name])
    if name in candidates.family:
        return candidates.make(name)
    known = [*project, *candidates.names()]
    near = get_close_matches(name, known, n=1)
    raise NotFound(
        f"no candidate is named {name!r}",
        "candidates under `train` in the canvas",
        f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(known)}",
    )


@contextmanager
def faults(what: str) -> Iterator[None]:
    """Turn an exception of project code into StepFailed with its file and line; our own errors pass."""
    try:
        yield
    except ThreefoldError:
        raise
    except (Exception, SystemExit) as error:
        raise StepFailed(
            f"{what} raised {type(error).__name__}: {error}", raised_at(error), "mend the function and run again"
        ) from error


def raised_at(error: BaseException) -> str:
    """File and line of the project's code nearest to where an exception came from."""
    frames = traceback.extract_tb(error.__traceback__)
    theirs = [frame for frame in frames if _is_project(frame.filename)]
    last = theirs[-1] if theirs else frames[-1]
    return f"{last.filename}:{last.lineno}"


def place(function: Callable[..., Any]) -> str:
    """File and line where a function or class begins."""
    try:
        return f"{inspect.getsourcefile(function)}:{inspect.getsourcelines(function)[1]}"
    except (OSError, TypeError):
        return getattr(function, "__qualname__", repr(function))


def _is_project(file: str) -> bool:
    path = Path(file)
    return (
        "site-packages" not in path.parts
        and "dist-packages" not in path.parts
        and OURS not in path.parents
        and (not file.startswith("<"))
    )
