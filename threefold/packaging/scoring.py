"""Answer from a bundle. The server imports this file: numpy, msgspec and ONNX Runtime, nothing that trains."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import onnxruntime

from threefold.errors import DataError, Refused, StoreError
from threefold.records import Bundle, TaskSpec

if TYPE_CHECKING:
    import polars as pl

WARM_UP = 3


class Runtime(Protocol):
    """Something that answers arrays with arrays."""

    def run(self, inputs: Mapping[str, np.ndarray], outputs: Sequence[str]) -> list[np.ndarray]:
        """The wanted outputs, in that order, for inputs of shape (n, 1)."""


class Scorer:
    """A packaged model, opened.

    Attributes:
        task: what it predicts.
        outputs: the names it can answer: `probability` and `label`, or `prediction`.
        threshold: binary; a probability at or above it is answered with the positive label.
    """

    def __init__(self, runtime: Runtime, task: TaskSpec, threshold: float | None) -> None:
        self.task = task
        self.threshold = threshold
        self.outputs = ("prediction",) if task.problem == "regression" else ("probability", "label")
        self._runtime = runtime
        self._texts = {feature.name: feature.kind != "number" for feature in task.features}

    @classmethod
    def open(cls, read: Callable[[str], bytes], bundle: Bundle, *, key: bytes | None = None) -> Scorer:
        """Open a bundle.

        Args:
            read: digest -> bytes, as `store.objects.get`.
            key: the store's key, needed for the python format alone.
        Raises:
            Refused: a python bundle that this store did not sign, or no key.
            StoreError: the format is newer than this Threefold, or the model file is damaged.
        """
        if bundle.format == "onnx":
            scorer = cls.of_onnx(read(bundle.files["model.onnx"]), bundle.task, bundle.threshold)
        elif bundle.format == "python":
            scorer = cls._of_python(read, bundle, key)
        elif bundle.format == "mlflow":
            scorer = cls._of_mlflow(read, bundle, key)
        else:
            raise StoreError(
                f"the bundle's format {bundle.format!r} is not known here", f"bundle {bundle.digest[:12]}",
                "open it with the Threefold that made it, or a newer one",
            )  # fmt: skip
        return scorer

    @classmethod
    def of_onnx(cls, data: bytes, task: TaskSpec, threshold: float | None = None) -> Scorer:
        """Open an ONNX graph with the inputs and outputs of `packaging.export.to_onnx`."""
        return cls(OnnxRuntime(data), task, threshold)

    @classmethod
    def _of_python(cls, read: Callable[[str], bytes], bundle: Bundle, key: bytes | None) -> Scorer:
        if key is None:
            raise Refused(
                "the model is a pickle, and opening one can run any code",
                f"bundle {bundle.digest[:12]}",
                "open it with the key of the store that signed it",
            )
        from threefold.packaging.python_format import PythonRuntime  # brings scikit-learn: only who needs it pays

        return cls(PythonRuntime(read(bundle.files["model.pickle"]), key, bundle), bundle.task, bundle.threshold)

    @classmethod
    def _of_mlflow(cls, read: Callable[[str], bytes], bundle: Bundle, key: bytes | None) -> Scorer:
        from threefold.packaging.logged import mlmodel, seal  # only who opens such a model pays for it
        from threefold.packaging.logged.process import LoggedProcess

        files, where = seal.logged_files(bundle.files), f"bundle {bundle.digest[:12]}"
        seal.require_seal(files, read(bundle.files[seal.FILE]), key, where)
        logged = mlmodel.read_folder(files, read, where)
        return cls(LoggedProcess(logged, read, bundle.task), bundle.task, bundle.threshold)

    def run(self, columns: Mapping[str, np.ndarray], outputs: Sequence[str] | None = None) -> dict[str, np.ndarray]:
        """Outputs by name.

        Args:
            columns: one array per feature, (n,) or (n, 1). Numbers in any number type, NaN for missing; text as
                objects or strings, None or "" for missing. More columns than features are ignored.
            outputs: the names wanted; None means all.
        Raises:
            DataError: a feature is missing, or its values cannot be read as its type.
        """
        wanted = list(self.outputs if outputs is None else outputs)
        inputs = {name: self._column(name, text, columns) for name, text in self._texts.items()}
        return dict(zip(wanted, self._runtime.run(inputs, wanted), strict=True))

    def score(self, columns: Mapping[str, np.ndarray]) -> np.ndarray:
        """Scores as TrainedModel.score: float64, (n,), or (n, k) for several classes."""
        return self.scores_of(self.run(columns, self.outputs[:1]))

    def scores_of(self, outputs: Mapping[str, np.ndarray]) -> np.ndarray:
        """The scores inside what `run` answered."""
        if self.task.problem == "regression":
            return outputs["prediction"][:, 0].astype(np.float64)
        probabilities = outputs["probability"].astype(np.float64)
        return probabilities[:, 1] if self.task.problem == "binary" else probabilities

    def labels(self, scores: np.ndarray) -> list[str]:
        """The label of each score; none for a regression."""
        if self.task.problem == "regression":
            return []
        if self.task.problem == "binary":
            border = np.float32(0.5 if self.threshold is None else self.threshold)
            return [self.task.classes[int(score)] for score in scores.astype(np.float32) >= border]
        return [self.task.classes[int(place)] for place in np.argmax(scores, axis=1)]

    def time_rows(self, columns: Mapping[str, np.ndarray]) -> np.ndarray:
        """Milliseconds that each row takes when it is asked alone, after a few rows of warming up."""
        rows = len(next(iter(columns.values()))) if columns else 0
        singles = [{name: values[row : row + 1] for name, values in columns.items()} for row in range(rows)]
        for single in singles[:WARM_UP]:
            self.run(single)
        times = np.empty(rows)
        for row, single in enumerate(singles):
            started = time.perf_counter()
            self.run(single)
            times[row] = (time.perf_counter() - started) * 1000
        return times

    def _column(self, name: str, text: bool, columns: Mapping[str, np.ndarray]) -> np.ndarray:
        try:
            values = columns[name]
        except KeyError:
            raise DataError(
                f"the input lacks {name!r}", "input of the model", f"it needs: {', '.join(self._texts)}"
            ) from None
        if text:
            return text_column(values)
        try:
            return np.asarray(values, dtype=np.float32).reshape(-1, 1)
        except (TypeError, ValueError):
            raise DataError(f"the input {name!r} holds no numbers", "input of the model", "send numbers") from None


class OnnxRuntime:
    """ONNX Runtime on one thread: a server answers many small requests beside one another, not one large one."""

    def __init__(self, data: bytes) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        except Exception as error:
            # ONNX Runtime raises several unrelated kinds for bytes it cannot read.
            raise StoreError(
                f"the ONNX model cannot be opened: {error}", "model.onnx", "package the model again"
            ) from error

    def run(self, inputs: Mapping[str, np.ndarray], outputs: Sequence[str]) -> list[np.ndarray]:
        """See Runtime."""
        answers: list[np.ndarray] = self._session.run(outputs, dict(inputs))
        return answers


def text_column(values: Any) -> np.ndarray:
    """Strings as an object array of shape (n, 1), "" where nothing stands, bytes read as UTF-8."""
    array = np.asarray(values, dtype=object).reshape(-1)
    return np.array([_text(value) for value in array.tolist()], dtype=object).reshape(-1, 1)


def _text(value: Any) -> str:
    if type(value) is str:
        return value
    if value is None or value != value:  # NaN differs from itself
        return ""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def columns_of(frame: pl.DataFrame, task: TaskSpec) -> dict[str, np.ndarray]:
    """The features of a frame as arrays by name, as `Scorer.run` takes them."""
    from threefold.training import columns  # Polars: a server never comes here

    columns.require(frame, task.features)
    return {
        feature.name: columns.numbers(frame, feature.name)
        if feature.kind == "number"
        else np.array(columns.texts(frame, feature.name).to_list(), dtype=object)
        for feature in task.features
    }
