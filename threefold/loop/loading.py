"""A model as a dependency of an application: load a version of the registry, and let it answer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from threefold.design.settings import hand_down
from threefold.errors import CanvasError, DataError, NotFound, Refused
from threefold.loop.operating import open_memory
from threefold.loop.project import surroundings
from threefold.packaging.bundles import load_bundle
from threefold.packaging.scoring import Scorer
from threefold.records import ModelVersion, TaskSpec
from threefold.registry import names, versions
from threefold.store import Store


class Model:
    """A version that answers in this process.

    Attributes:
        version: what the registry knows of it.
        task: what it predicts, and from which features.
    """

    def __init__(self, version: ModelVersion, scorer: Scorer) -> None:
        self.version = version
        self.task: TaskSpec = scorer.task
        self._scorer = scorer

    def predict(self, rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """One answer for each row: `label` and the `probability` of each class, or `prediction`.

        Args:
            rows: feature -> value; None, or a feature that is left out, is a missing value.
        Raises:
            DataError: what was given is no list of rows, or a text stands where a number belongs.
        """
        given = list(rows)
        if isinstance(rows, Mapping) or not all(isinstance(row, Mapping) for row in given):
            raise DataError("the rows are no list of mappings", "predict", 'write one row as in [{"months": 3}]')
        if not given:
            return []
        answers = self._scorer.run({one.name: _column(given, one.name, one.kind) for one in self.task.features})
        if self.task.problem == "regression":
            return [{"prediction": float(value)} for value in answers["prediction"][:, 0]]
        return [
            {"label": label, "probability": dict(zip(self.task.classes, map(float, chances), strict=True))}
            for label, chances in zip(answers["label"][:, 0], answers["probability"], strict=True)
        ]


def load(reference: str, start: str | Path = ".") -> Model:
    """A version of the registry, ours or one that an MLflow client logged, ready to answer.

    Args:
        reference: "churn@champion", "churn/3", "churn/2.1.0"; a name alone means its champion.
        start: the project's folder, or one inside it.
    Raises:
        NotFound: there is no such version, or no store.
        Refused: a client logged the version and it was not tested; or it is a pickle that the store did not seal.
    """
    folder = Path(start)
    store = open_memory(folder)
    try:
        _hand_down(folder)
        version = _find(store, reference)
        if not version.bundle:
            raise Refused(
                "a client logged the version, and it was not tested", versions.subject(version.name, version.number),
                f"pack and judge it: threefold models test {version.number} --model {version.name}",
            )  # fmt: skip
        bundle = load_bundle(store, version.bundle)
        key = None if bundle.format == "onnx" else store.key()
        return Model(version, Scorer.open(store.objects.get, bundle, key=key))
    finally:
        store.close()


def _find(store: Store, reference: str) -> ModelVersion:
    name, at, alias = reference.partition("@")
    if not at:
        name, _, alias = reference.partition("/")
    if not name:
        raise NotFound(
            f"{reference!r} names no model", "threefold.load", 'write it as in "churn@champion" or "churn/3"'
        )
    return names.find(store, name, alias or "champion")


def _hand_down(folder: Path) -> None:
    try:
        _, canvas = surroundings(folder)
    except CanvasError:
        return  # the store says what is released, whatever state the canvas is in
    if canvas is not None:
        hand_down("mlflow_python", canvas)


def _column(rows: list[Mapping[str, Any]], name: str, kind: str) -> np.ndarray:
    values = [row.get(name) for row in rows]
    if kind == "number":
        try:
            return np.array([np.nan if value is None else value for value in values], dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise DataError(
                f"the feature {name!r} is not a number: {error}", "predict", "give numbers, or None"
            ) from error
    return np.array(values, dtype=object)
