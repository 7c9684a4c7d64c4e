"""One version, loaded and warm: its scorer, its checks and its fallback."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from time import perf_counter
from typing import Any, Protocol, TypeVar

import msgspec
import numpy as np

from threefold.packaging.bundles import load_bundle
from threefold.packaging.scoring import Scorer
from threefold.records import Bundle, Contract, from_json
from threefold.serving.checks import InputChecks, OutputChecks, by_row
from threefold.serving.journal import Columns
from threefold.serving.packed import NamedScorer, named, pack_if_equal
from threefold.store import Store
from threefold.training.baselines import Lookup

SLOW_MS = 0.5  # a model that takes longer for one row is run beside the event loop, not in it

logger = logging.getLogger(__name__)

T = TypeVar("T")


class Scoring(Protocol):
    """What an arm needs of a model."""

    def score(self, numbers: np.ndarray, texts: Sequence[list[str]]) -> np.ndarray:
        """Scores of all rows, as TrainedModel.score; arguments as LoadedArm.answer."""
        ...


class Answer(msgspec.Struct, frozen=True, gc=False):
    """What one arm says about some rows.

    Attributes:
        scores: shape (rows, k), float64; NaN where nobody could answer.
        sources: for each row who answered: model, fallback, none.
        checks: for each row the checks that failed; None: all rows passed all checks.
        ms: how long it took.
    """

    scores: np.ndarray
    sources: list[str]
    checks: list[list[str]] | None
    ms: float


class LoadedArm:
    """One version that can answer.

    Attributes:
        number: of the model version.
        slow: whether one row takes longer than SLOW_MS.
        outputs: the names it answers with; `widths`: how many columns each has.
        border: a score at or above it is answered with the positive label.
    """

    def __init__(
        self, number: int, bundle: Bundle, scorer: Scoring, contract: Contract | None, fallback: Lookup | None
    ) -> None:
        self.number = number
        self.bundle = bundle
        self.columns = columns_of(bundle)
        self.slow = False
        self.outputs = tuple(tensor.name for tensor in bundle.outputs)
        self.widths = {tensor.name: tensor.shape[-1] for tensor in bundle.outputs}
        # In float32, as the packaged model itself compares: otherwise a score on the border gets two labels.
        self.border = float(np.float32(0.5 if bundle.threshold is None else bundle.threshold))
        self._scorer = scorer
        self._inputs = InputChecks(contract or Contract(bundle.name, ()), self.columns)
        self._outputs = OutputChecks(bundle.task)
        self._fallback = fallback

    def warm(self, row: Mapping[str, Any] | None = None) -> None:
        """Score a row a few times: a model that cannot is not served, and its speed decides where it runs.

        Args:
            row: an example, feature -> value; None: zeros and empty texts.
        Raises:
            Exception: whatever the model raised.
        """
        row = row or {}
        numbers = np.array([[_number(row.get(name, 0.0))] for name in self.columns.numbers], dtype=np.float32)
        numbers = numbers.reshape(len(self.columns.numbers), 1)
        texts = [[str(row.get(name) or "")] for name in self.columns.texts]
        best = float("inf")
        for _ in range(5):
            started = perf_counter()
            self._outputs.shaped(self._scorer.score(numbers, texts), 1)
            best = min(best, perf_counter() - started)
        self.slow = best * 1000 > SLOW_MS

    def answer(self, numbers: np.ndarray, texts: Sequence[list[str]], *, stopped: bool = False) -> Answer:
        """Check the rows, score them, check the scores; the fallback answers where the model does not.

        Args:
            numbers: shape (number features, rows), float32, in the order of `columns`; NaN is a missing value.
            texts: per text feature the values; "" is a missing value.
            stopped: leave the model out.
        """
        started = perf_counter()
        rows = numbers.shape[1]
        if not rows:
            return Answer(self._nothing(0), [], None, 0.0)
        checks = self._inputs.flags(numbers, texts)
        scores, failed = self._modelled(numbers, texts, rows, stopped)
        sources = ["model"] * rows
        if failed:
            self._fall_back(failed, numbers, texts, scores, sources)
            checks = _added(checks, failed, rows)
        return Answer(scores, sources, checks, (perf_counter() - started) * 1000)

    def _modelled(
        self, numbers: np.ndarray, texts: Sequence[list[str]], rows: int, stopped: bool
    ) -> tuple[np.ndarray, dict[int, str]]:
        """What the model says, and for which rows that cannot be used, and why."""
        if stopped:
            return self._nothing(rows), dict.fromkeys(range(rows), "model:stopped")
        try:
            scores = self._outputs.shaped(self._scorer.score(numbers, texts), rows)
            return scores, self._outputs.flags(scores)
        except Exception:  # whatever a model raises, the fallback answers
            logger.exception("version %d of %s raised", self.number, self.bundle.name)
            return self._nothing(rows), dict.fromkeys(range(rows), "model:raised")

    def _nothing(self, rows: int) -> np.ndarray:
        classes = len(self.bundle.task.classes) if self.bundle.task.problem == "multiclass" else 1
        return np.full((rows, classes), np.nan)

    def _fall_back(
        self,
        failed: Mapping[int, str],
        numbers: np.ndarray,
        texts: Sequence[list[str]],
        scores: np.ndarray,
        sources: list[str],
    ) -> None:
        values = self._fallback_scores(named(self.columns, numbers, texts), len(sources))
        for row in failed:
            scores[row] = np.nan if values is None else values[row]
            sources[row] = "none" if values is None else "fallback"

    def _fallback_scores(self, columns: Mapping[str, np.ndarray], rows: int) -> np.ndarray | None:
        if self._fallback is None:
            return None
        try:
            values = self._outputs.shaped(self._fallback.score_columns(columns, rows), rows)
        except Exception:  # a broken fallback must not take the rows with it that the model did answer
            logger.exception("the fallback of version %d of %s raised", self.number, self.bundle.name)
            return None
        return values if not self._outputs.flags(values) else None


def load_arm(store: Store, number: int, digest: str) -> LoadedArm:
    """Read a bundle from the store and warm it up.

    Raises:
        NotFound, StoreError: an object is missing or damaged.
        Refused: the model is a pickle that this store did not sign.
        Exception: whatever the model raised when it was tried.
    """
    bundle = load_bundle(store, digest)
    scorer = Scorer.open(store.objects.get, bundle, key=None if bundle.format == "onnx" else store.key())
    columns = columns_of(bundle)
    packed = bundle.format == "onnx"
    scoring: Scoring = (
        pack_if_equal(store.objects.get(bundle.files["model.onnx"]), scorer, columns)
        if packed
        else NamedScorer(scorer, columns)
    )
    contract = _file(store, bundle, "contract.json", Contract)
    arm = LoadedArm(number, bundle, scoring, contract, _file(store, bundle, "fallback.json", Lookup))
    arm.warm(_example(store, bundle))
    return arm


def columns_of(bundle: Bundle) -> Columns:
    """The features of a bundle, numbers and texts apart, each in the order of the task."""
    features = bundle.task.features
    return Columns(
        tuple(feature.name for feature in features if feature.kind == "number"),
        tuple(feature.name for feature in features if feature.kind != "number"),
    )


def _file(store: Store, bundle: Bundle, name: str, kind: type[T]) -> T | None:
    return from_json(store.objects.get(bundle.files[name]), kind) if name in bundle.files else None


def _example(store: Store, bundle: Bundle) -> dict[str, Any] | None:
    """The row that the bundle brings as an example."""
    if "example.json" not in bundle.files:
        return None
    rows: list[dict[str, Any]] = msgspec.json.decode(store.objects.get(bundle.files["example.json"]))["rows"]
    return rows[0]


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else float("nan")


def _added(checks: list[list[str]] | None, failed: Mapping[int, str], rows: int) -> list[list[str]]:
    result = checks or by_row((), rows)
    for row, check in failed.items():
        result[row].append(check)
    return result
