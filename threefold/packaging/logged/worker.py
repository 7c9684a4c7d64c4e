"""Answers for a logged model in another Python: `python worker.py FOLDER classes|values`.

This file is run as a script by an interpreter that has mlflow and what the model needs, and that does not have Threefold:
it imports nothing of ours. Frames come in at standard input and go out at standard output: the length of a JSON head as
four bytes, the head, and the numbers in double precision. The head of a question names the columns; that of an answer
says the shape, the labels of the columns where the model knows them, or why there is none.
"""

from __future__ import annotations

import json
import os
import struct
import sys
from typing import Any, BinaryIO

TYPES = {"boolean": "bool", "integer": "int32", "long": "int64", "float": "float32", "double": "float64"}


def send(out: BinaryIO, head: dict[str, Any], body: bytes = b"") -> None:
    """Write one frame."""
    said = json.dumps(head).encode()
    out.write(struct.pack("<I", len(said)) + said + body)
    out.flush()


def receive(source: BinaryIO) -> tuple[dict[str, Any], bytes] | None:
    """Read one frame; None at the end."""
    begin = source.read(4)
    if len(begin) < 4:
        return None
    head = json.loads(source.read(struct.unpack("<I", begin)[0]))
    return head, source.read(8 * head.get("numbers", 0))


def table(head: dict[str, Any], body: bytes) -> Any:
    """The question as a table of pandas, with the types of the signature."""
    import numpy
    import pandas

    rows, columns = head["rows"], {}
    numbers = iter(numpy.frombuffer(body, dtype="<f8").reshape(-1, rows) if body else ())
    for name, kind in head["columns"]:
        if kind == "string":
            values = pandas.Series([one or None for one in head["texts"][name]], dtype=object)
        else:
            exact = next(numbers)
            gaps = numpy.isnan(exact).any() and kind not in ("float", "double")
            values = pandas.Series(exact if gaps else exact.astype(TYPES[kind]))
        columns[name] = values
    return pandas.DataFrame(columns)


def answer(model: Any, raw: Any, frame: Any) -> tuple[dict[str, Any], bytes]:
    """Probabilities where the model gives them; otherwise whatever it predicts."""
    import numpy

    labels = None
    if raw is not None:
        values = raw.predict_proba(frame)
        labels = [str(one) for one in getattr(raw, "classes_", ())] or None
    else:
        values = model.predict(frame)
    values = numpy.asarray(values)
    if values.dtype.kind not in "biuf":
        return {"said": [str(one) for one in values.reshape(-1).tolist()]}, b""
    exact = numpy.ascontiguousarray(values.reshape(len(frame), -1), dtype="<f8")
    return {"numbers": exact.size, "shape": list(exact.shape), "labels": labels}, exact.tobytes()


def graph(raw: Any, columns: list[tuple[str, str]]) -> dict[str, Any]:
    """The model as an ONNX graph in base64; none where it is not scikit-learn's, or no converter is installed."""
    import base64

    from skl2onnx import convert_sklearn
    from skl2onnx.common.data_types import FloatTensorType, StringTensorType

    kinds = [
        (name, StringTensorType([None, 1]) if kind == "string" else FloatTensorType([None, 1]))
        for name, kind in columns
    ]
    options = {id(raw): {"zipmap": False}} if hasattr(raw, "predict_proba") else None
    made = convert_sklearn(raw, initial_types=kinds, options=options, target_opset={"": 17, "ai.onnx.ml": 3})
    return {"graph": base64.b64encode(made.SerializeToString()).decode()}


def main(folder: str, kind: str) -> None:
    """Open the model and answer until nobody asks any more."""
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not get between the frames
    try:
        from mlflow import pyfunc
    except ImportError as error:
        send(out, {"missing": str(error), "python": sys.executable})
        return
    try:
        model = pyfunc.load_model(folder)
        try:
            native = model.get_raw_model()
        except (AttributeError, NotImplementedError):
            native = None
        raw = native if kind == "classes" and hasattr(native, "predict_proba") else None
    except Exception as error:
        send(out, {"error": f"{type(error).__name__}: {error}"})
        return
    send(out, {"ready": True})
    while (asked := receive(sys.stdin.buffer)) is not None:
        try:
            if "convert" in asked[0]:
                send(out, graph(native, asked[0]["convert"]))
            else:
                send(out, *answer(model, raw, table(*asked)))
        except Exception as error:
            send(out, {"error": f"{type(error).__name__}: {error}"})


if __name__ == "__main__":
    main(*sys.argv[1:])
