"""A small writer of ONNX graphs: nodes in order, names by number, so that equal models give equal bytes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, compose, helper, numpy_helper

OPSET, OPSET_ML = 20, 3  # StringSplit came with 20; 3 is what every runtime of the last years reads
IR_VERSION = 9
ML = "ai.onnx.ml"
INSIDE = "inside:"  # how the names of a graph begin that was put into another one
OWN = ("constant:", "value:", INSIDE)  # how the names inside a graph begin


class Graph:
    """A graph under construction. Values are referred to by name.

    Args:
        around: a model whose graph becomes part of this one; its versions of the operators then hold for all nodes. The
            names of its values begin with INSIDE here.
    """

    def __init__(self, around: onnx.ModelProto | None = None) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []
        self._inputs: list[onnx.ValueInfoProto] = []
        self._outputs: list[onnx.ValueInfoProto] = []
        self._inside = None if around is None else compose.add_prefix(around, INSIDE)

    def include(self) -> None:
        """Put the nodes of the model that this graph was made around here; its inputs stand before, as INSIDE and name."""
        assert self._inside is not None
        self._nodes += self._inside.graph.node
        self._constants += self._inside.graph.initializer

    def input(self, name: str, *, text: bool, flat: bool = False) -> str:
        """One feature: shape (n, 1), or (n,) where `flat`, float32 or string. Returns the name of its value."""
        kind = TensorProto.STRING if text else TensorProto.FLOAT
        self._inputs.append(helper.make_tensor_value_info(name, kind, [None] if flat else [None, 1]))
        return name

    def output(self, value: str, name: str, *, text: bool = False, width: int | None = None) -> None:
        """Hand a value out under a public name, with shape (n, width), or (n,) without one."""
        kind = TensorProto.STRING if text else TensorProto.FLOAT
        self._nodes.append(helper.make_node("Identity", [value], [name]))
        self._outputs.append(helper.make_tensor_value_info(name, kind, [None] if width is None else [None, width]))

    def constant(self, array: np.ndarray) -> str:
        """A fixed tensor."""
        name = f"constant:{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def strings(self, values: Sequence[str]) -> str:
        """A fixed list of strings."""
        name = f"constant:{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.array(values, dtype=object), name))
        return name

    def add(self, operator: str, *values: str, domain: str = "", **attributes: Any) -> str:
        """One node with one output. Returns the name of the output."""
        name = f"value:{len(self._nodes)}"
        self._nodes.append(helper.make_node(operator, list(values), [name], domain=domain, **attributes))
        return name

    def name_as(self, value: str, name: str) -> None:
        """Call a value by another name."""
        self._nodes.append(helper.make_node("Identity", [value], [name]))

    def first_of(self, operator: str, outputs: int, *values: str, **attributes: Any) -> str:
        """One node with several outputs, of which the first is wanted."""
        names = [f"value:{len(self._nodes)}.{number}" for number in range(outputs)]
        self._nodes.append(helper.make_node(operator, list(values), names, **attributes))
        return names[0]

    def cast(self, value: str, kind: int) -> str:
        """Another number type; see onnx.TensorProto."""
        return self.add("Cast", value, to=kind)

    def beside(self, values: Sequence[str]) -> str:
        """Columns side by side."""
        return values[0] if len(values) == 1 else self.add("Concat", *values, axis=1)

    def sum(self, values: Sequence[str]) -> str:
        """Element by element, from the first to the last."""
        total = values[0]
        for value in values[1:]:
            total = self.add("Add", total, value)
        return total

    def to_bytes(self) -> bytes:
        """The whole model; checked, and the same for the same graph."""
        graph = helper.make_graph(self._nodes, "threefold", self._inputs, self._outputs, self._constants)
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(ML, OPSET_ML)]
        version, functions = IR_VERSION, []
        if self._inside is not None:
            opsets, functions = list(self._inside.opset_import), list(self._inside.functions)
            version = self._inside.ir_version
            graph.sparse_initializer.extend(self._inside.graph.sparse_initializer)
        model = helper.make_model(
            graph, opset_imports=opsets, ir_version=version, producer_name="threefold", functions=functions
        )
        onnx.checker.check_model(model)
        return bytes(model.SerializeToString(deterministic=True))
