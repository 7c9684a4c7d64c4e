"""What a folder of MLflow says of itself: its file MLmodel, and the columns of its signature."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from threefold.errors import DataError, NotFound

FILE = "MLmodel"
NUMBERS = {"boolean": "BOOL", "integer": "INT32", "long": "INT64", "float": "FP32", "double": "FP64"}
_HOW = "log it with a DataFrame as input_example, or with signature=infer_signature(frame, answers)"


@dataclass(frozen=True, slots=True)
class Column:
    """One input column of the signature."""

    name: str
    type: str  # boolean, integer, long, float, double, string
    required: bool = True

    @property
    def number(self) -> bool:
        """Whether it holds numbers; otherwise it holds texts."""
        return self.type in NUMBERS


@dataclass(frozen=True, slots=True)
class Logged:
    """A model folder as a client saved it.

    Attributes:
        files: path in the folder -> digest.
        flavors: name -> what it says; `python_function` is how Python opens the model.
        columns: the inputs of its signature, in order.
        example: a row that the model takes; empty where none was logged.
    """

    label: str  # how errors and events name the version
    files: Mapping[str, str]
    flavors: Mapping[str, Mapping[str, Any]]
    columns: tuple[Column, ...]
    example: Mapping[str, Any]

    def file(self, path: str) -> str:
        """The digest of a file. Raises NotFound."""
        if path not in self.files:
            raise NotFound(f"{FILE} names {path!r}, which is not there", self.label, "log the model again")
        return self.files[path]


def read_folder(files: Mapping[str, str], read: Callable[[str], bytes], label: str) -> Logged:
    """What the files of a version say.

    Args:
        files: path in the folder -> digest.
        read: digest -> bytes, as `store.objects.get`.
    Raises:
        NotFound: there is no MLmodel.
        DataError: it cannot be read, or its signature does not name columns of numbers and texts.
    """
    if FILE not in files:
        raise NotFound(f"the version has no file {FILE} in this store", label, "register a model that a client logged")
    try:
        said = yaml.safe_load(read(files[FILE]))
        flavors, signature = dict(said["flavors"]), said.get("signature") or {}
        inputs = json.loads(signature["inputs"]) if signature.get("inputs") else []
    except (yaml.YAMLError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise DataError(
            f"{FILE} cannot be read: {error}", label, "log the model again with a client of MLflow"
        ) from None
    columns = tuple(_column(one, label) for one in inputs)
    if not columns:
        raise DataError("the model has no signature, so nobody knows its inputs", label, _HOW)
    return Logged(label, files, flavors, columns, _example(files, read, said, columns))


def _column(said: Any, label: str) -> Column:
    if not isinstance(said, dict) or said.get("type") == "tensor" or not said.get("name"):
        raise DataError("the signature of the model does not name its columns", label, _HOW)
    name, kind = str(said["name"]), said.get("type")
    if kind not in (*NUMBERS, "string"):
        kinds = ", ".join((*NUMBERS, "string"))
        raise DataError(f"column {name!r} of the signature is of type {kind}", label, f"these can be served: {kinds}")
    return Column(name, str(kind), bool(said.get("required", True)))


def _example(
    files: Mapping[str, str], read: Callable[[str], bytes], said: Mapping[str, Any], columns: tuple[Column, ...]
) -> Mapping[str, Any]:
    """The first row of the input example, where it is a table in MLflow's split form."""
    info = said.get("saved_input_example_info") or {}
    digest = files.get(str(info.get("artifact_path")))
    if digest is None or info.get("pandas_orient") != "split":
        return {}
    try:
        table = json.loads(read(digest))
        row = dict(zip(table["columns"], table["data"][0], strict=True))
        return {column.name: row[column.name] for column in columns}
    except (ValueError, KeyError, IndexError, TypeError):
        return {}  # a help, not a promise
