"""An ONNX graph of anybody's, with the inputs and outputs of our own: one input per feature, probabilities in our order.

Two ways of taking inputs are understood: one matrix of numbers whose columns are those of the signature, and one tensor
for each column, named as the column. Of several outputs the probabilities are taken; where a ZipMap makes dictionaries of
them, what goes into it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import onnxruntime
import polars as pl
from onnx import TensorProto, helper, numpy_helper

from threefold.errors import DataError
from threefold.packaging.answers import add_class_outputs, add_value_output
from threefold.packaging.graph import INSIDE, ML, OWN, Graph
from threefold.packaging.inputs import add_inputs
from threefold.packaging.logged.classes import order_of
from threefold.packaging.logged.columns import exact_columns
from threefold.packaging.logged.mlmodel import Logged
from threefold.records import TaskSpec

OLDEST = 13  # of the operators: before it, what is added around a graph cannot be said
_EXPORT = "export it with one input for each column, named as the column, or with one matrix of numbers"
OUTPUTS = ("probability", "label", "prediction")


@dataclass(frozen=True, slots=True)
class Wiring:
    """How a graph is fed and read.

    Attributes:
        matrix: its only input takes all columns side by side.
        source: the value that holds the scores.
        order: where the probability of each of our classes stands; empty where it is not one column for each.
    """

    model: onnx.ModelProto
    matrix: bool
    source: str
    order: tuple[int, ...]


class LoggedGraph:
    """The graph as it was logged, answering like a model: the measure of what is made of it."""

    def __init__(self, data: bytes, logged: Logged, task: TaskSpec) -> None:
        self.task = task
        self.wiring = read(data, logged, task)
        self._session = _session(self.wiring.model.SerializeToString(), logged.label)

    def score(self, frame: pl.DataFrame) -> np.ndarray:
        """As TrainedModel.score."""
        columns, rows = exact_columns(frame, self.task), frame.height
        try:
            answers = self._session.run([self.wiring.source], self._feed(columns))
        except Exception as error:  # as in _session
            raise DataError(f"the graph does not take the columns: {error}", "its inputs", _EXPORT) from None
        raw = np.asarray(answers[0], dtype=np.float64)
        if self.task.problem == "regression":
            return raw.reshape(rows)
        if self.wiring.order:
            ours = raw.reshape(rows, -1)[:, list(self.wiring.order)]
            return ours[:, 1] if self.task.problem == "binary" else ours
        return raw.reshape(rows)

    def portable(self) -> bytes:
        """The graph, rewired."""
        return rewired(self.wiring, self.task)

    def _feed(self, columns: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        inputs = _inputs(self.wiring.model)
        if self.wiring.matrix:
            parts = [columns[one.name].reshape(-1, 1) for one in self.task.features]
            return {inputs[0].name: np.concatenate(parts, axis=1).astype(_numpy_type(inputs[0]))}
        feed = {}
        for one in inputs:
            values = columns[one.name].reshape(-1, 1)
            if one.type.tensor_type.elem_type != TensorProto.STRING:
                values = values.astype(_numpy_type(one))
            feed[one.name] = values[:, 0] if _rank(one) == 1 else values
        return feed


def _session(data: bytes, where: str) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime raises several unrelated kinds for graphs it cannot run
        raise DataError(f"ONNX Runtime cannot run the graph: {error}", where, "export the model again") from None


def read(data: bytes, logged: Logged, task: TaskSpec) -> Wiring:
    """Understand a graph. Raises DataError with what it would have to be."""
    try:
        model = onnx.load_from_string(data)
    except Exception as error:  # protobuf raises several unrelated kinds for bytes it cannot read
        raise DataError(f"the ONNX graph cannot be read: {error}", logged.label, "log the model again") from None
    version = next((one.version for one in model.opset_import if one.domain in ("", "ai.onnx")), 0)
    if version < OLDEST:
        raise DataError(
            f"the graph speaks version {version} of the ONNX operators", logged.label,
            f"export it again for version {OLDEST} or newer (target_opset)",
        )  # fmt: skip
    matrix, labels = _takes_matrix(model, logged), _labels(model)
    zipped = _unzip(model)
    source, order = _scores(model, zipped, labels, logged, task)
    return Wiring(model, matrix, source, order)


def rewired(wiring: Wiring, task: TaskSpec) -> bytes:
    """The graph with one input per feature, and the outputs that our models promise."""
    clash = [one.name for one in task.features if one.name in OUTPUTS or one.name.startswith(OWN)]
    if clash:
        raise DataError(f"a feature cannot be named {clash[0]!r}", "input of the model", "name it otherwise")
    graph = Graph(wiring.model)
    columns = add_inputs(graph, task)
    for one in _inputs(wiring.model):
        names = [feature.name for feature in task.features] if wiring.matrix else [one.name]
        value = graph.beside([columns[name] for name in names])
        kind = one.type.tensor_type.elem_type
        value = value if kind in (TensorProto.STRING, TensorProto.FLOAT) else graph.cast(value, kind)
        if _rank(one) == 1:
            value = graph.add("Reshape", value, graph.constant(np.array([-1], dtype=np.int64)))
        graph.name_as(value, INSIDE + one.name)
    graph.include()
    width = len(wiring.order) or 1
    scores = graph.add("Reshape", INSIDE + wiring.source, graph.constant(np.array([-1, width], dtype=np.int64)))
    if task.problem == "regression":
        add_value_output(graph, scores)
        return graph.to_bytes()
    scores = graph.cast(scores, TensorProto.FLOAT)
    if wiring.order:
        scores = graph.add("Gather", scores, graph.constant(np.array(wiring.order, dtype=np.int64)), axis=1)
    else:
        no = graph.add("Sub", graph.constant(np.ones((1, 1), dtype=np.float32)), scores)
        scores = graph.beside([no, scores])
    add_class_outputs(graph, scores, task, None)
    return graph.to_bytes()


def _inputs(model: onnx.ModelProto) -> list[Any]:
    fixed = {one.name for one in model.graph.initializer}
    return [one for one in model.graph.input if one.name not in fixed]


def _takes_matrix(model: onnx.ModelProto, logged: Logged) -> bool:
    inputs, names = _inputs(model), [column.name for column in logged.columns]
    if {one.name for one in inputs} == set(names) and not (len(names) == 1 and _rank(inputs[0]) > 2):
        return False
    numbers = all(column.number for column in logged.columns)
    if len(inputs) == 1 and numbers and _rank(inputs[0]) == 2 and _width(inputs[0]) in (None, len(names)):
        return True
    has = ", ".join(one.name for one in inputs)
    raise DataError(
        f"the inputs of the graph ({has:.200}) are not the columns of the signature", logged.label,
        _EXPORT,
    )  # fmt: skip


def _unzip(model: onnx.ModelProto) -> str | None:
    """Take the node away that makes dictionaries of the probabilities; returns what went into it."""
    graph = model.graph
    for node in graph.node:
        if node.op_type == "ZipMap" and node.domain == ML:
            kept = [one for one in graph.output if one.name != node.output[0]]
            zipped = next((one for one in graph.output if one.name == node.output[0]), None)
            kind = zipped.type.sequence_type.elem_type.map_type.value_type.tensor_type.elem_type if zipped else 0
            source = node.input[0]
            graph.node.remove(node)
            del graph.output[:]
            graph.output.extend([*kept, helper.make_tensor_value_info(source, kind or TensorProto.FLOAT, None)])
            return str(source)
    return None


def _scores(
    model: onnx.ModelProto, zipped: str | None, labels: Sequence[str], logged: Logged, task: TaskSpec
) -> tuple[str, tuple[int, ...]]:
    floats = (TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16)
    whole = (TensorProto.INT64, TensorProto.INT32) if task.problem == "regression" else ()
    found = [one for one in model.graph.output if one.type.tensor_type.elem_type in (*floats, *whole)]
    if not found:
        raise DataError(
            "the graph has no output of numbers that could be probabilities", logged.label,
            "export it with probabilities; of a classifier the labels alone do not tell enough",
        )  # fmt: skip
    chosen = next((one for one in found if one.name == zipped), found[-1] if task.problem != "regression" else found[0])
    if task.problem == "regression":
        return chosen.name, ()
    width = _width(chosen)
    if task.problem == "binary" and (width == 1 or _rank(chosen) == 1):
        return chosen.name, ()
    return chosen.name, order_of(labels, width, task, logged.label)


def _labels(model: onnx.ModelProto) -> tuple[str, ...]:
    """The classes that some node names; empty where none does."""
    for node in reversed(model.graph.node):
        for attribute in node.attribute:
            if attribute.name.startswith(("classlabels_ints", "classlabels_int64s")) and attribute.ints:
                return tuple(str(label) for label in attribute.ints)
            if attribute.name == "classlabels_strings" and attribute.strings:
                return tuple(label.decode() for label in attribute.strings)
    return _chosen_labels(model)


def _chosen_labels(model: onnx.ModelProto) -> tuple[str, ...]:
    """The classes that an ArrayFeatureExtractor picks from, as converters of scikit-learn write it."""
    fixed = {one.name: one for one in model.graph.initializer}
    for node in reversed(model.graph.node):
        if node.op_type == "ArrayFeatureExtractor" and node.input[0] in fixed:
            values = numpy_helper.to_array(fixed[node.input[0]]).ravel().tolist()
            return tuple(one.decode() if isinstance(one, bytes) else str(one) for one in values)
    return ()


def _rank(value: Any) -> int:
    return len(value.type.tensor_type.shape.dim)


def _width(value: Any) -> int | None:
    shape = value.type.tensor_type.shape.dim
    return int(shape[1].dim_value) or None if len(shape) > 1 else None


def _numpy_type(value: Any) -> Any:
    return helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)
