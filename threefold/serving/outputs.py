"""Scores as the outputs of the protocol: probabilities, labels, values; and on request who answered each row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from threefold.records import Bundle
from threefold.serving.protocol import InferRequest, InferResponse, OutputTensor, PlainRequest, wanted_outputs
from threefold.serving.served import Predicted

ON_REQUEST = ("model_version", "source")  # outputs with one value per row, sent only where a request names them


def respond(
    request: InferRequest | PlainRequest, predicted: Predicted, endpoint: str, request_id: str
) -> InferResponse:
    """The answer to a request.

    Raises:
        BadRequest: the request names an output that does not exist.
    """
    bundle = predicted.arm.bundle
    names = wanted_outputs(request, tuple(tensor.name for tensor in bundle.outputs), ON_REQUEST)
    outputs = [_OUTPUTS[name](bundle, name, predicted) for name in names]
    source, versions = set(predicted.sources), set(predicted.versions)
    parameters: dict[str, Any] = {
        "version": str(predicted.arm.number) if len(versions) < 2 else ",".join(map(str, sorted(versions))),
        "source": predicted.sources[0] if len(source) == 1 else "mixed",
    }
    if predicted.checks:
        parameters["failed_checks"] = ", ".join(sorted({check for row in predicted.checks for check in row})[:20])
    return InferResponse(endpoint, str(predicted.arm.number), request_id, parameters, outputs)


def _probability(bundle: Bundle, name: str, predicted: Predicted) -> OutputTensor:
    """One column per class, in the order of the task's classes; a binary score is that of the second class."""
    scores = predicted.scores
    width = next(tensor.shape[-1] for tensor in bundle.outputs if tensor.name == name)
    if scores.shape[1] == 1 and width == 2:
        scores = np.concatenate((1.0 - scores, scores), axis=1)
    return OutputTensor(name, "FP32", list(scores.shape), data=scores.ravel().tolist())


def _label(bundle: Bundle, name: str, predicted: Predicted) -> OutputTensor:
    classes, scores = bundle.task.classes, predicted.scores
    if scores.shape[1] == 1:
        # In float32, as the packaged model itself compares: otherwise a score on the border gets two labels.
        border = np.float32(0.5 if bundle.threshold is None else bundle.threshold)
        labels = [classes[int(score)] for score in scores[:, 0].astype(np.float32) >= border]
    else:
        labels = [classes[place] for place in scores.argmax(axis=1).tolist()]
    return OutputTensor(name, "BYTES", [len(labels), 1], data=labels)


def _prediction(bundle: Bundle, name: str, predicted: Predicted) -> OutputTensor:
    return OutputTensor(name, "FP32", list(predicted.scores.shape), data=predicted.scores.ravel().tolist())


def _version(bundle: Bundle, name: str, predicted: Predicted) -> OutputTensor:
    return OutputTensor(name, "INT64", [len(predicted.versions)], data=list(predicted.versions))


def _source(bundle: Bundle, name: str, predicted: Predicted) -> OutputTensor:
    return OutputTensor(name, "BYTES", [len(predicted.sources)], data=list(predicted.sources))


_OUTPUTS: dict[str, Callable[[Bundle, str, Predicted], OutputTensor]] = {
    "probability": _probability,
    "label": _label,
    "prediction": _prediction,
    "model_version": _version,
    "source": _source,
}
