"""Around a step's function: its outputs under their names, and its errors with the line they came from."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from threefold.design.words import kind_of
from threefold.errors import StepFailed, ThreefoldError
from threefold.pipeline.environment import is_library
from threefold.pipeline.step import Step


def named_outputs(step: Step, result: Any) -> dict[str, Any]:
    """What a function returned, by output name; "" is the only output.

    Raises:
        StepFailed: several outputs were promised and others came.
    """
    if not step.outputs:
        return {"": result}
    if not isinstance(result, Mapping) or set(result) != set(step.outputs):
        came = (
            f"a mapping of {', '.join(map(str, result)) or 'nothing'}"
            if isinstance(result, Mapping)
            else kind_of(result)
        )
        raise StepFailed(
            f"step {step.name!r} returned {came} instead of a mapping of {', '.join(step.outputs)}",
            f"step {step.name!r}",
            "return a mapping with exactly these names",
        )
    return {name: result[name] for name in step.outputs}


def failure(step: Step, error: BaseException, root: Path) -> ThreefoldError:
    """The error of a step as one of ours: itself where it already is, else with the line of the user's code."""
    if isinstance(error, ThreefoldError):
        return error
    what = f"step {step.name!r} raised {type(error).__name__}: {error}"
    return StepFailed(what, place(error, root), "mend the code at that line; steps that are done stay done")


def place(error: BaseException, root: Path) -> str:
    """ "file:line" of the innermost frame in the project's code; else in code of nobody's package; else anywhere."""
    frames = [(Path(frame.filename), line) for frame, line in _frames(error)]
    inside = [one for one in frames if one[0].is_relative_to(root) and not is_library(one[0])]
    plain = [one for one in frames if one[0].is_file() and not is_library(one[0].resolve())]
    path, line = (inside or plain or frames or [(Path("unknown"), 0)])[-1]
    return f"{path.relative_to(root) if path.is_relative_to(root) else path}:{line}"


def _frames(error: BaseException) -> list[tuple[traceback.FrameSummary, int]]:
    return [(frame, frame.lineno or 0) for frame in traceback.extract_tb(error.__traceback__)]
