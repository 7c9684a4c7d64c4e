"""Versions as a client of MLflow logs them, made by hand: files below an address, and a row of the registry."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import numpy as np
import onnx
import yaml
from onnx import TensorProto, helper, numpy_helper

from threefold.records import ModelVersion
from threefold.registry import catalogue, models, versions
from threefold.store import Store
from threefold.store.tracking import files as paths


def logistic(weights: Sequence[float], bias: float, classes: Sequence[int] = (0, 1)) -> bytes:
    """A graph as a converter of scikit-learn makes it: one matrix of floats, a label, and probabilities in a ZipMap."""
    size = len(weights)
    nodes = [
        helper.make_node(
            "LinearClassifier", ["X"], ["label", "raw"], domain="ai.onnx.ml", classlabels_ints=list(classes),
            coefficients=[*(-value for value in weights), *weights], intercepts=[-bias, bias], multi_class=0,
            post_transform="LOGISTIC",
        ),
        helper.make_node("ZipMap", ["raw"], ["zipped"], domain="ai.onnx.ml", classlabels_int64s=list(classes)),
    ]  # fmt: skip
    zipped = helper.make_map_type_proto(TensorProto.INT64, helper.make_tensor_type_proto(TensorProto.FLOAT, []))
    graph = helper.make_graph(
        nodes, "logged", [helper.make_tensor_value_info("X", TensorProto.FLOAT, [None, size])],
        [helper.make_tensor_value_info("label", TensorProto.INT64, [None]),
         helper.make_value_info("zipped", helper.make_sequence_type_proto(zipped))],
    )  # fmt: skip
    return _model(graph)


def by_column(numbers: Mapping[str, float], texts: Mapping[str, Mapping[str, float]]) -> bytes:
    """A graph with one input for each column, [n] for numbers in double and [n, 1] for texts; answers one probability."""
    nodes, inputs, terms, constants = [], [], [], []
    for name, weight in numbers.items():
        inputs.append(helper.make_tensor_value_info(name, TensorProto.DOUBLE, [None]))
        constants.append(numpy_helper.from_array(np.array(weight), f"w_{name}"))
        nodes.append(helper.make_node("Mul", [name, f"w_{name}"], [f"t_{name}"]))
        terms.append(f"t_{name}")
    for name, table in texts.items():
        inputs.append(helper.make_tensor_value_info(name, TensorProto.STRING, [None, 1]))
        constants.append(numpy_helper.from_array(np.array([-1], dtype=np.int64), f"flat_{name}"))
        nodes += [
            helper.make_node(
                "LabelEncoder", [name], [f"f_{name}"], domain="ai.onnx.ml", keys_strings=list(table),
                values_floats=list(table.values()), default_float=0.0,
            ),
            helper.make_node("Reshape", [f"f_{name}", f"flat_{name}"], [f"g_{name}"]),
            helper.make_node("Cast", [f"g_{name}"], [f"t_{name}"], to=TensorProto.DOUBLE),
        ]  # fmt: skip
        terms.append(f"t_{name}")
    nodes += [helper.make_node("Sum", terms, ["total"]), helper.make_node("Sigmoid", ["total"], ["chance"])]
    out = helper.make_tensor_value_info("chance", TensorProto.DOUBLE, [None])
    return _model(helper.make_graph(nodes, "logged", inputs, [out], constants))


def _model(graph: onnx.GraphProto) -> bytes:
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    onnx.checker.check_model(model)
    return model.SerializeToString()


def log_version(
    store: Store, name: str, graph: bytes, columns: Mapping[str, str], example: Mapping[str, object] | None = None,
    **said: object,
) -> ModelVersion:  # fmt: skip
    """Keep a model folder of the onnx flavor and register it, as an MLflow client does over the protocol."""
    inputs = [{"type": kind, "name": column, "required": True} for column, kind in columns.items()]
    outputs = [{"type": "tensor", "tensor-spec": {"dtype": "float32", "shape": [-1]}}]
    document = {
        "flavors": {"onnx": {"data": "model.onnx"}, "python_function": {"loader_module": "mlflow.onnx"}},
        "signature": {"inputs": json.dumps(inputs), "outputs": json.dumps(outputs)},
        **said,
    }
    content = {"model.onnx": graph}
    if example is not None:
        document["saved_input_example_info"] = {"artifact_path": "input_example.json", "pandas_orient": "split"}
        content["input_example.json"] = json.dumps(
            {"columns": list(example), "data": [list(example.values())]}
        ).encode()
    return log_folder(store, name, {**content, "MLmodel": yaml.safe_dump(document).encode()})


def log_folder(store: Store, name: str, content: Mapping[str, bytes]) -> ModelVersion:
    """Keep some files as a model and register them."""
    with store.write() as tx:
        root = f"0/models/m-{tx.now.replace(':', '-')}/artifacts"
        for path, data in content.items():
            paths.put(tx.connection, f"{root}/{path}", store.objects.put(data), len(data))
        if not models.exists(tx.connection, name):
            models.create(tx, name, None, {})
        number = catalogue.register(tx, name, f"mlflow-artifacts:/{root}", tags={})
    return versions.get(store, name, number)
