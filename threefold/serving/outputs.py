"""Scores as the outputs of the protocol: probabilities, labels, values; and on request who answered each row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from threefold.serving.arms import LoadedArm
from threefold.serving.protocol import InferRequest, InferResponse, OutputTensor, wanted_outputs
from threefold.serving.served import Predicted

ON_REQUEST = ("model_version", "source")  # outputs with one value per row, sent only where a request names them


def respond(request: InferRequest, predicted: Predicted, endpoint: str, request_id: str) -> InferResponse:
    """The answer to a request.

    Raises:
        BadRequest: the request names an output that does not exist.
    """
    arm = predicted.arm
    names = wanted_outputs(request, arm.outputs, ON_REQUEST)
    outputs = [_OUTPUTS[name](arm, name, predicted) for name in names]
    version, sources = str(arm.number), predicted.sources
    parameters: dict[str, Any] = {"version": version, "source": sources[0] if sources else "model"}
    if len(sources) > 1:
        versions = sorted(set(predicted.versions))
        parameters["version"] = ",".join(map(str, versions))
        parameters["source"] = sources[0] if len(set(sources)) == 1 else "mixed"
    if predicted.checks:
        parameters["failed_checks"] = ", ".join(sorted({check for row in predicted.checks for check in row})[:20])
    return InferResponse(endpoint, version, request_id, parameters, outputs)


def _probability(arm: LoadedArm, name: str, predicted: Predicted) -> OutputTensor:
    """One column per class, in the order of the task's classes; a binary score is that of the second class."""
    rows, width = predicted.scores.shape
    values = predicted.scores.ravel().tolist()
    if width == 1 and arm.widths[name] == 2:
        width, values = 2, [value for score in values for value in (1.0 - score, score)]
    return OutputTensor(name, "FP32", [rows, width], data=values)


def _label(arm: LoadedArm, name: str, predicted: Predicted) -> OutputTensor:
    classes, scores = arm.bundle.task.classes, predicted.scores
    if scores.shape[1] == 1:
        labels = [classes[score >= arm.border] for score in scores.ravel().tolist()]
    else:
        labels = [classes[place] for place in scores.argmax(axis=1).tolist()]
    return OutputTensor(name, "BYTES", [len(labels), 1], data=labels)


def _prediction(_arm: LoadedArm, name: str, predicted: Predicted) -> OutputTensor:
    return OutputTensor(name, "FP32", list(predicted.scores.shape), data=predicted.scores.ravel().tolist())


def _version(_arm: LoadedArm, name: str, predicted: Predicted) -> OutputTensor:
    return OutputTensor(name, "INT64", [len(predicted.versions)], data=list(predicted.versions))


def _source(_arm: LoadedArm, name: str, predicted: Predicted) -> OutputTensor:
    return OutputTensor(name, "BYTES", [len(predicted.sources)], data=list(predicted.sources))


_OUTPUTS: dict[str, Callable[[LoadedArm, str, Predicted], OutputTensor]] = {
    "probability": _probability,
    "label": _label,
    "prediction": _prediction,
    "model_version": _version,
    "source": _source,
}
