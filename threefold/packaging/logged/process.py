"""A logged model that answers in a process of its own, by a Python that has mlflow."""

from __future__ import annotations

import base64
import contextlib
import os
import select
import subprocess
import sys
import tempfile
import threading
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from threefold.design.settings import value_of
from threefold.errors import Refused, StepFailed, ThreefoldError
from threefold.packaging.logged import worker
from threefold.packaging.logged.classes import codes_of, order_of
from threefold.packaging.logged.mlmodel import Logged
from threefold.records import TaskSpec

START_TIMEOUT_S = 120.0  # importing the libraries of a model takes its time on a busy machine
TAIL = 2_000  # letters of what the process printed last, in an error


class LoggedProcess:
    """A Runtime, see packaging.scoring, that asks another process.

    The process is started with the first question. One that died is started again by the next one, and ends when
    nobody holds this object any more.
    """

    def __init__(self, logged: Logged, read: Callable[[str], bytes], task: TaskSpec) -> None:
        self._logged = logged
        self._read = read
        self._task = task
        self._types = {column.name: column.type for column in logged.columns}
        self._codes = codes_of(task)
        self._lock = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self._end: weakref.finalize[Any, Any] | None = None
        with self._lock:
            self._ready()  # what cannot be opened says so here

    def run(self, inputs: Mapping[str, np.ndarray], outputs: Sequence[str]) -> list[np.ndarray]:
        """See scoring.Runtime."""
        rows = len(next(iter(inputs.values())))
        scores = self.scores({name: values.reshape(rows) for name, values in inputs.items()}, rows)
        if self._task.problem == "regression":
            found = {"prediction": scores[:, None].astype(np.float32)}
        else:
            both = np.column_stack([1 - scores, scores]) if self._task.problem == "binary" else scores
            chosen = np.argmax(both, axis=1) if scores.ndim > 1 else (scores >= 0.5).astype(np.int64)
            label = np.array(self._task.classes, dtype=object)[chosen][:, None]
            found = {"probability": both.astype(np.float32), "label": label}
        return [found[name] for name in outputs]

    def scores(self, columns: Mapping[str, np.ndarray], rows: int) -> np.ndarray:
        """As TrainedModel.score; one array per feature, (n,).

        Raises:
            StepFailed: the model raised, or its process died.
            DataError: it answers with something else than the task asks for.
        """
        if not rows:
            return np.empty((0, len(self._task.classes)) if self._task.problem == "multiclass" else 0)
        head, body = self._question(columns, rows)
        with self._lock:
            said, numbers = self._ask(head, body)
        if "error" in said:
            raise StepFailed(f"the model raised {said['error']}", self._logged.label, "see the request in the log")
        return self._scores(said, numbers, rows)

    def graph(self) -> bytes | None:
        """The model as an ONNX graph, where it is scikit-learn's and its Python has the converter skl2onnx."""
        columns = [(feature.name, self._types[feature.name]) for feature in self._task.features]
        with self._lock:
            said, _ = self._ask({"convert": columns}, b"")
        return base64.b64decode(said["graph"]) if "graph" in said else None

    def _question(self, columns: Mapping[str, np.ndarray], rows: int) -> tuple[dict[str, Any], bytes]:
        names = [feature.name for feature in self._task.features]
        exact = [np.asarray(columns[name], dtype="<f8") for name in names if self._types[name] != "string"]
        texts = {name: list(columns[name]) for name in names if self._types[name] == "string"}
        head = {
            "rows": rows, "columns": [(name, self._types[name]) for name in names], "texts": texts,
            "numbers": rows * len(exact),
        }  # fmt: skip
        return head, np.stack(exact).tobytes() if exact else b""

    def _scores(self, said: Mapping[str, Any], body: bytes, rows: int) -> np.ndarray:
        task = self._task
        if "said" in said:
            codes = np.array([self._codes.get(label, np.nan) for label in said["said"]])
            if task.problem != "multiclass":
                return codes
            return np.where(np.isnan(codes)[:, None], np.nan, np.arange(len(task.classes)) == codes[:, None])
        values = np.frombuffer(body, dtype="<f8").reshape(said["shape"])
        if task.problem == "regression":
            return self._one_column(values, rows)
        if values.shape[1] == 1 and not said["labels"]:
            one = self._one_column(values, rows)
            return one if task.problem == "binary" else np.eye(len(task.classes))[one.astype(np.int64)]
        order = order_of(said["labels"] or (), values.shape[1], task, self._logged.label)
        ours = values[:, list(order)]
        return ours[:, 1] if task.problem == "binary" else ours

    def _one_column(self, values: np.ndarray, rows: int) -> np.ndarray:
        if values.shape != (rows, 1):
            raise StepFailed(
                f"the model answers in the shape {values.shape}",
                self._logged.label,
                "log one that answers one number a row",
            )
        return values[:, 0]

    def _ask(self, head: dict[str, Any], body: bytes) -> tuple[dict[str, Any], bytes]:
        child = self._ready()
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            worker.send(child.stdin, head, body)  # type: ignore[arg-type]  # a pipe, opened for bytes
            answer = worker.receive(child.stdout)  # type: ignore[arg-type]
        except (OSError, ValueError):
            answer = None
        if answer is None:
            self.close()
            raise StepFailed("the process of the model died", self._logged.label, "it is started again by the next row")
        return answer

    def _ready(self) -> subprocess.Popen[bytes]:
        if self._child is not None and self._child.poll() is None:
            return self._child
        self.close()
        folder = Path(tempfile.mkdtemp(prefix="threefold-model-"))
        try:
            self._lay_out(folder / "model")
            child = self._start(folder)
        except BaseException:
            _remove(folder)
            raise
        self._child, self._end = child, weakref.finalize(self, _end, child, folder)
        return child

    def _lay_out(self, folder: Path) -> None:
        for path, digest in self._logged.files.items():
            file = folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(self._read(digest))

    def _start(self, folder: Path) -> subprocess.Popen[bytes]:
        python = value_of("mlflow_python") or sys.executable
        kind = "values" if self._task.problem == "regression" else "classes"
        with (folder / "said").open("wb") as said:
            try:
                child = subprocess.Popen(
                    [python, worker.__file__, str(folder / "model"), kind], stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE, stderr=said, env=_environment(python), cwd=folder,
                )  # fmt: skip
            except OSError as error:
                raise _no_mlflow(self._logged.label, python, str(error.strerror)) from None
        first = _first(child)
        if first.get("ready"):
            return child
        _stop(child)
        if "missing" in first:
            raise _no_mlflow(self._logged.label, python, first["missing"])
        why = first.get("error") or (folder / "said").read_text(errors="replace")[-TAIL:].strip() or "it said nothing"
        raise ThreefoldError(
            f"the model cannot be opened: {why}", self._logged.label,
            "install what its requirements.txt names into that Python; see the setting mlflow_python",
        )  # fmt: skip

    def close(self) -> None:
        """End the process and remove its folder."""
        if self._end is not None:
            self._end()
        self._child = self._end = None


def _first(child: subprocess.Popen[bytes]) -> dict[str, Any]:
    """The first thing that a process says; empty where it dies or says nothing in time."""
    assert child.stdout is not None
    until = time.monotonic() + START_TIMEOUT_S
    while (left := until - time.monotonic()) > 0:
        if select.select([child.stdout], [], [], left)[0]:
            answer = worker.receive(child.stdout)  # type: ignore[arg-type]  # a pipe, opened for bytes
            return {} if answer is None else answer[0]
    return {"error": f"its process was not ready within {START_TIMEOUT_S:.0f} s"}


def _environment(python: str) -> dict[str, str]:
    """The surroundings of the process: one thread, as a server answers many; nothing of ours in another Python's way."""
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    return {**kept, "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "true", "OMP_NUM_THREADS": "1"}


def _no_mlflow(label: str, python: str, why: str) -> Refused:
    return Refused(
        f"the model is opened by mlflow, which {python} does not have: {why}", label,
        "pip install 'threefold[mlflow]', or name a Python with mlflow and the model's requirements: setting mlflow_python",
    )  # fmt: skip


def _end(child: subprocess.Popen[bytes], folder: Path) -> None:
    _stop(child)
    _remove(folder)


def _remove(folder: Path) -> None:
    # Not shutil.rmtree: it opens folders by their last name alone, and the engine would take that for a file of the project.
    for base, folders, files in os.walk(folder, topdown=False):
        with contextlib.suppress(OSError):
            for name in files:
                os.unlink(os.path.join(base, name))
            for name in folders:
                os.rmdir(os.path.join(base, name))
    with contextlib.suppress(OSError):
        folder.rmdir()


def _stop(child: subprocess.Popen[bytes]) -> None:
    for pipe in (child.stdin, child.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):  # it died with something unread
                pipe.close()
    child.kill()
    child.wait()
