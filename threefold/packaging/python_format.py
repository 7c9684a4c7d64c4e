"""The python format: for estimators that ONNX cannot express.

The file is a pickle signed with the store's key. Inside are the sources of the project's modules that the estimator
needs, and the estimator, pickled: the bundle answers without the project's folder, and keeps answering the same when
the project's code has moved on.
"""

from __future__ import annotations

import importlib.util
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.abc import Loader
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import polars as pl

from threefold.design import frozen
from threefold.errors import StepFailed, ThreefoldError
from threefold.pipeline.codecs import open_pickle, sign_pickle
from threefold.records import Bundle, TaskSpec
from threefold.training.model import TrainedModel, scores_of

LOADING = threading.Lock()  # sys.modules is one for the whole process


def to_python(model: TrainedModel, key: bytes) -> bytes:
    """The estimator with the project's sources it needs, signed.

    Raises:
        ThreefoldError: the estimator cannot be pickled.
    """
    signed, classes = sign_pickle(model.estimator, key)
    return sign_pickle((sources_of(classes), signed), key)[0]


def sources_of(classes: Sequence[str]) -> dict[str, str]:
    """Module name -> source, for the modules of these "module:qualname" that no installed package brings.

    Modules beside them in the same folder come along, where they are loaded: the estimator may call them.
    """
    roots = {file.parent for name in classes if (file := _own_file(name.partition(":")[0])) is not None}
    found = {name: _own_file(name) for name in sorted(sys.modules)}
    return {
        name: frozen.content(file).decode() for name, file in found.items() if file is not None and file.parent in roots
    }


def _own_file(module: str) -> Path | None:
    file = getattr(sys.modules.get(module), "__file__", None)
    if file is None or module.partition(".")[0] in ("threefold", "__main__") or not file.endswith(".py"):
        return None
    path = Path(file)
    installed = "site-packages" in path.parts or "dist-packages" in path.parts
    standard = module.partition(".")[0] in sys.stdlib_module_names
    return None if installed or standard else path


class PythonRuntime:
    """The estimator of a python bundle, answering arrays with arrays."""

    def __init__(self, data: bytes, key: bytes, bundle: Bundle) -> None:
        sources, signed = open_pickle(data, key)
        self._task = bundle.task
        self._name = bundle.name
        self._threshold = bundle.threshold
        with LOADING, _modules(sources):
            try:
                self._estimator = open_pickle(signed, key)
            except ThreefoldError:
                raise
            except Exception as error:
                # Unpickling runs the constructors of any library.
                raise ThreefoldError(
                    f"the model cannot be opened: {type(error).__name__}: {error}",
                    f"bundle {bundle.digest[:12]}",
                    "install the distributions that environment.json of the bundle names",
                ) from error

    def run(self, inputs: Mapping[str, np.ndarray], outputs: Sequence[str]) -> list[np.ndarray]:
        """See scoring.Runtime."""
        try:
            scores = scores_of(self._estimator, _frame(inputs, self._task), self._task, self._name)
        except ThreefoldError:
            raise
        except Exception as error:
            raise StepFailed(
                f"the model raised {type(error).__name__}: {error}", f"model {self._name}", "see the request in the log"
            ) from error
        answers = _answers(scores, self._task, self._threshold)
        return [answers[name] for name in outputs]


def _frame(inputs: Mapping[str, np.ndarray], task: TaskSpec) -> pl.DataFrame:
    kinds = {feature.name: pl.Float32 if feature.kind == "number" else pl.String for feature in task.features}
    return pl.DataFrame({name: pl.Series(name, inputs[name][:, 0], dtype=kind) for name, kind in kinds.items()})


def _answers(scores: np.ndarray, task: TaskSpec, threshold: float | None) -> dict[str, np.ndarray]:
    if task.problem == "regression":
        return {"prediction": scores[:, None].astype(np.float32)}
    if task.problem == "binary":
        probabilities = np.column_stack([1 - scores, scores]).astype(np.float32)
        chosen = (probabilities[:, 1] >= np.float32(0.5 if threshold is None else threshold)).astype(np.int64)
    else:
        probabilities = scores.astype(np.float32)
        chosen = np.argmax(probabilities, axis=1)
    return {"probability": probabilities, "label": np.array(task.classes, dtype=object)[chosen][:, None]}


@contextmanager
def _modules(sources: Mapping[str, str]) -> Iterator[None]:
    """Let the bundle's own modules stand in sys.modules while its pickle is read; then put back what stood there."""
    before = {name: sys.modules.pop(name) for name in sources if name in sys.modules}
    finder = _Finder(sources)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        sys.modules.update(before)


class _Finder(Loader):
    """Finds modules in the sources of a bundle."""

    def __init__(self, sources: Mapping[str, str]) -> None:
        self._sources = sources

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        """Called by Python's import system."""
        return importlib.util.spec_from_loader(name, self) if name in self._sources else None

    def create_module(self, spec: Any) -> ModuleType | None:
        """Called by Python's import system; None asks for an ordinary module."""
        return None

    def exec_module(self, module: ModuleType) -> None:
        """Called by Python's import system."""
        exec(compile(self._sources[module.__name__], f"{module.__name__}.py", "exec"), module.__dict__)
