"""The last part of every graph: from a decision to the outputs that a model promises."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto

from threefold.packaging.graph import Graph
from threefold.records import TaskSpec, Tensor


def add_probabilities(graph: Graph, decision: str, task: TaskSpec, seen: np.ndarray, *, shares: bool = False) -> str:
    """Decision -> probabilities in the order of `task.classes`, shape (n, k), float32.

    Args:
        decision: shape (n, 1) for two seen classes, otherwise (n, number of seen classes); double.
        seen: the class numbers that training held, ascending; any other class has probability 0.
        shares: the decision is probabilities already, one per seen class.
    """
    if shares:
        probabilities = decision
    elif len(seen) == 2:
        positive = graph.add("Sigmoid", decision)
        both = [graph.add("Sub", graph.constant(np.ones((1, 1))), positive), positive]
        probabilities = graph.beside(both)
    else:
        probabilities = graph.add("Softmax", decision, axis=1)
    if len(seen) < len(task.classes):
        place = np.zeros((len(seen), len(task.classes)))
        place[np.arange(len(seen)), seen] = 1.0
        probabilities = graph.add("MatMul", probabilities, graph.constant(place))
    return graph.cast(probabilities, TensorProto.FLOAT)


def add_class_outputs(graph: Graph, probabilities: str, task: TaskSpec, threshold: float | None) -> None:
    """Outputs `probability`, (n, k), and `label`, (n, 1): by the threshold for two classes, otherwise the likeliest."""
    graph.output(probabilities, "probability", width=len(task.classes))
    if task.problem == "binary":
        positive = graph.add("Gather", probabilities, graph.constant(np.array([1], dtype=np.int64)), axis=1)
        border = graph.constant(np.array([0.5 if threshold is None else threshold], dtype=np.float32))
        number = graph.cast(graph.add("GreaterOrEqual", positive, border), TensorProto.INT64)
    else:
        number = graph.add("ArgMax", probabilities, axis=1, keepdims=1)
    graph.output(graph.add("Gather", graph.strings(task.classes), number, axis=0), "label", text=True, width=1)


def add_value_output(graph: Graph, decision: str) -> None:
    """Output `prediction`, (n, 1)."""
    graph.output(graph.cast(decision, TensorProto.FLOAT), "prediction", width=1)


def input_tensors(task: TaskSpec) -> tuple[Tensor, ...]:
    """The inputs of a model in the words of the Open Inference Protocol: one per feature."""
    return tuple(
        Tensor(feature.name, "FP32" if feature.kind == "number" else "BYTES", (-1, 1)) for feature in task.features
    )


def output_tensors(task: TaskSpec) -> tuple[Tensor, ...]:
    """The outputs of a model for such a task."""
    if task.problem == "regression":
        return (Tensor("prediction", "FP32", (-1, 1)),)
    return (Tensor("probability", "FP32", (-1, len(task.classes))), Tensor("label", "BYTES", (-1, 1)))
