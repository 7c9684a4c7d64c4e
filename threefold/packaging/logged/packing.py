"""Pack a logged model: which way depends on what the client saved beside its pickle."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Protocol

import numpy as np
import polars as pl

from threefold.errors import Refused, ThreefoldError
from threefold.packaging.bundles import columns_of, write
from threefold.packaging.environment import environment
from threefold.packaging.logged import seal
from threefold.packaging.logged.columns import exact_columns
from threefold.packaging.logged.graphs import LoggedGraph
from threefold.packaging.logged.mlmodel import Logged
from threefold.packaging.logged.process import LoggedProcess
from threefold.packaging.logged.trees import LoggedTrees, open_trees
from threefold.packaging.parity import difference
from threefold.packaging.scoring import Scorer
from threefold.records import Bundle, TaskSpec
from threefold.store import Store

LIMIT = 1e-5  # as export.LIMIT: largest difference between a graph and what it was made of, on the sample rows


class Original(Protocol):
    """A logged model, opened as it is."""

    task: TaskSpec

    def score(self, frame: pl.DataFrame) -> np.ndarray:
        """As TrainedModel.score, from values as exact as the table holds them."""

    def portable(self) -> bytes | None:
        """The same as an ONNX graph with our inputs and outputs; None where there is no way to it."""


def open_logged(store: Store, logged: Logged, task: TaskSpec, trusted: bool) -> Original:
    """Open a logged model by the most portable way that the client left.

    Args:
        trusted: whether a trusted key vouches for the files; without it nothing is opened that could run code.
    Raises:
        Refused: there is nothing portable, and nobody vouches for the pickle.
        DataError: the model is not one for this task.
    """
    if "onnx" in logged.flavors:
        data = store.objects.get(logged.file(str(logged.flavors["onnx"]["data"])))
        return LoggedGraph(data, logged, task)
    trees = _trees(store, logged, task)
    if trees is not None:
        return trees
    if not trusted:
        name, _, number = logged.label.removeprefix("model ").rpartition("/")
        raise Refused(
            "the model is a pickle, opening one can run any code, and no trusted key vouches for it", logged.label,
            f"if you know who made it, sign it: threefold models sign {number} --model {name}; or log it as ONNX",
        )  # fmt: skip
    return LoggedPython(LoggedProcess(logged, store.objects.get, task), logged, task)


def _trees(store: Store, logged: Logged, task: TaskSpec) -> LoggedTrees | None:
    said = logged.flavors.get("lightgbm", {})
    if said.get("model_class") != "lightgbm.basic.Booster" or not str(said.get("data", "")).endswith(".lgb"):
        return None
    return open_trees(store.objects.get(logged.file(str(said["data"]))), logged, task)


class LoggedPython:
    """A model that Python opens, in a process of its own."""

    def __init__(self, process: LoggedProcess, logged: Logged, task: TaskSpec) -> None:
        self.task = task
        self._logged = logged
        self._process = process

    def score(self, frame: pl.DataFrame) -> np.ndarray:
        """As TrainedModel.score."""
        return self._process.scores(exact_columns(frame, self.task), frame.height)

    def portable(self) -> bytes | None:
        """What the converter of scikit-learn makes of it, where there is one; it has to be proved like any other."""
        if "sklearn" not in self._logged.flavors:
            return None
        try:
            data = self._process.graph()
            return None if data is None else LoggedGraph(data, self._logged, self.task).portable()
        except ThreefoldError:
            return None  # a graph that cannot be used: the model itself can


def pack_logged(
    store: Store, name: str, logged: Logged, original: Original, sample: pl.DataFrame, files: Mapping[str, bytes]
) -> Bundle:
    """A bundle of a logged model.

    Args:
        sample: rows on which the package must answer like the model.
        files: what surrounds it, as `bundles.pack` adds it.
    """
    said = {"name": f"mlflow {' '.join(sorted(logged.flavors))}", "logged": dict(sorted(logged.files.items()))}
    around = {**files, "environment.json": environment(), "candidate.json": json.dumps(said, sort_keys=True).encode()}
    graph = original.portable()
    if graph is not None and _answers_alike(original, graph, sample):
        kept = {file: store.objects.put(data) for file, data in {**around, "model.onnx": graph}.items()}
        return write(store, name, "onnx", original.task, kept)
    if not isinstance(original, LoggedPython):
        raise Refused("its graph does not answer like the model", logged.label, "log the model in another format")
    around[seal.FILE] = seal.seal(logged.files, store.key())
    kept = {file: store.objects.put(data) for file, data in around.items()}
    kept |= {f"{seal.FOLDER}{path}": digest for path, digest in logged.files.items()}
    return write(store, name, "mlflow", original.task, kept)


def _answers_alike(original: Original, graph: bytes, sample: pl.DataFrame) -> bool:
    try:
        scores = Scorer.of_onnx(graph, original.task).score(columns_of(sample, original.task))
    except Exception:  # ONNX Runtime raises several unrelated kinds for graphs it cannot run
        return False
    return difference(original.score(sample), scores, original.task) <= LIMIT
