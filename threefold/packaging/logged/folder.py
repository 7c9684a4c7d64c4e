"""A bundle of our own as the folder that clients of MLflow know: the flavors onnx and python_function.

mlflow hands a column over as an array of one dimension, and makes a table of what comes back; so the graph gets inputs and
outputs of one dimension here, and is the same between them. pyfunc opens it by loader.py, which comes along.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import yaml

from threefold.errors import Refused
from threefold.packaging.graph import INSIDE, Graph
from threefold.records import Bundle, TaskSpec

MODEL, LOADER = "model.onnx", "threefold_loader"
PACKAGES = ("onnx", "onnxruntime", "numpy")


def as_folder(bundle: Bundle, read: Callable[[str], bytes], run_id: str) -> dict[str, bytes]:
    """The files of such a folder; equal bundles give equal bytes.

    Args:
        read: digest -> bytes, as `store.objects.get`.
        run_id: the run that made the model.
    Raises:
        Refused: the bundle is not portable.
    """
    if bundle.format != "onnx":
        raise Refused(
            f"the version is packed in the format {bundle.format}, which only Threefold opens", f"model {bundle.name}",
            "ask `threefold serve` for predictions, or release one whose candidate can be written as ONNX",
        )  # fmt: skip
    versions = _versions(json.loads(read(bundle.files["environment.json"])))
    example = _example(bundle, read)
    files = {
        MODEL: flattened(read(bundle.files["model.onnx"]), bundle.task),
        f"code/{LOADER}.py": Path(__file__).with_name("loader.py").read_bytes(),
        "requirements.txt": "".join(f"{line}\n" for line in versions["pip"]).encode(),
        "python_env.yaml": _yaml(
            {"python": versions["python"], "build_dependencies": ["pip"], "dependencies": ["-r requirements.txt"]}
        ),
        "conda.yaml": _yaml(
            {
                "name": "mlflow-env",
                "channels": ["conda-forge"],
                "dependencies": [f"python={versions['python']}", "pip", {"pip": versions["pip"]}],
            }
        ),
    }
    if example:
        files["input_example.json"] = json.dumps(example).encode()
    files["MLmodel"] = _yaml(_mlmodel(bundle, run_id, versions, bool(example)))
    return files


def flattened(data: bytes, task: TaskSpec) -> bytes:
    """The graph with one column for each input and output. A single feature stays a matrix, as the loader has it."""
    graph, alone = Graph(onnx.load_from_string(data)), len(task.features) == 1
    column = graph.constant(np.array([-1, 1], dtype=np.int64))
    for feature in task.features:
        value = graph.input(feature.name, text=feature.kind != "number", flat=not alone)
        graph.name_as(value if alone else graph.add("Reshape", value, column), INSIDE + feature.name)
    graph.include()
    flat = graph.constant(np.array([-1], dtype=np.int64))
    if task.problem == "regression":
        graph.output(graph.add("Reshape", f"{INSIDE}prediction", flat), "prediction")
        return graph.to_bytes()
    graph.output(graph.add("Reshape", f"{INSIDE}label", flat), "label", text=True)
    for place, name in probabilities(task):
        wanted = graph.constant(np.array([place], dtype=np.int64))
        one = graph.add("Gather", f"{INSIDE}probability", wanted, axis=1)
        graph.output(graph.add("Reshape", one, flat), name)
    return graph.to_bytes()


def probabilities(task: TaskSpec) -> list[tuple[int, str]]:
    """Which probabilities are handed out: that of the positive label, or one for each class. Place and name."""
    if task.problem == "binary":
        return [(1, "probability")]
    return [(place, f"probability_{label}") for place, label in enumerate(task.classes)]


def _mlmodel(bundle: Bundle, run_id: str, versions: Mapping[str, Any], example: bool) -> dict[str, Any]:
    task = bundle.task
    inputs = [
        {"type": "double" if one.kind == "number" else "string", "name": one.name, "required": True}
        for one in task.features
    ]
    outputs = (
        [{"type": "float", "name": "prediction", "required": True}]
        if task.problem == "regression"
        else [
            {"type": "string", "name": "label", "required": True},
            *({"type": "float", "name": name, "required": True} for _, name in probabilities(task)),
        ]
    )
    said: dict[str, Any] = {
        "artifact_path": "model",
        "flavors": {
            "onnx": {
                "code": None,
                "data": MODEL,
                "onnx_session_options": None,
                "onnx_version": versions["onnx"],
                "providers": ["CPUExecutionProvider"],
            },
            "python_function": {
                "code": "code",
                "data": MODEL,
                "env": {"conda": "conda.yaml", "virtualenv": "python_env.yaml"},
                "loader_module": LOADER,
                "python_version": versions["python"],
            },
        },
        "metadata": {"threefold": {"bundle": bundle.digest, "target": task.target}},
        "model_uuid": bundle.digest[:32],
        "run_id": run_id,
        "signature": {"inputs": json.dumps(inputs), "outputs": json.dumps(outputs), "params": None},
        "utc_time_created": bundle.created_at.strftime("%Y-%m-%d %H:%M:%S.%f"),
    }
    if example:
        said["saved_input_example_info"] = {
            "artifact_path": "input_example.json",
            "pandas_orient": "split",
            "type": "dataframe",
        }
    return said


def _versions(environment: Mapping[str, Any]) -> dict[str, Any]:
    found = environment["distributions"]
    pip = ["mlflow", "pandas", *(f"{name}=={found[name]}" for name in PACKAGES if name in found)]
    return {"python": environment["python"], "pip": pip, "onnx": found.get("onnx", onnx.__version__)}


def _example(bundle: Bundle, read: Callable[[str], bytes]) -> dict[str, Any]:
    """The example of the bundle, as a table in the form that MLflow calls split."""
    if "example.json" not in bundle.files:
        return {}
    row = json.loads(read(bundle.files["example.json"]))["rows"][0]
    names = [feature.name for feature in bundle.task.features]
    return {"columns": names, "data": [[row.get(name) for name in names]]}


def _yaml(said: Mapping[str, Any]) -> bytes:
    return yaml.safe_dump(dict(said), sort_keys=True).encode()
