"""How mlflow's pyfunc opens a version of Threefold: this file is copied into the folder that clients download.

It imports nothing of Threefold. mlflow's own loader for ONNX would do, but hands texts of pandas 3 and missing ones over
in a form that ONNX Runtime refuses.
"""

from __future__ import annotations

from typing import Any

import numpy
import onnxruntime


class Model:
    """A graph, answering tables with tables."""

    def __init__(self, path: str) -> None:
        self._session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])

    def predict(self, data: Any, params: Any = None) -> Any:
        """One row for each row; the outputs of the graph are the columns."""
        import pandas

        names = [one.name for one in self._session.get_outputs()]
        answers = self._session.run(
            names, {one.name: column(data[one.name], one) for one in self._session.get_inputs()}
        )
        return pandas.DataFrame(dict(zip(names, answers, strict=True)), index=getattr(data, "index", None))


def column(values: Any, wanted: Any) -> Any:
    """A column as an array of the type and rank of an input; "" or NaN where nothing stands."""
    if wanted.type == "tensor(string)":
        texts = [
            "" if one is None or one != one else str(one) for one in numpy.asarray(values, dtype=object).reshape(-1)
        ]
        array = numpy.array(texts, dtype=object)
    else:
        array = numpy.asarray(values, dtype=numpy.float32).reshape(-1)
    return array.reshape(-1, 1) if len(wanted.shape) == 2 else array


def _load_pyfunc(path: str) -> Model:
    return Model(path)
