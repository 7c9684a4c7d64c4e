"""Labels that come back: what a prediction was about turned out to be this."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import isfinite
from typing import Any

import msgspec

from threefold.records import TaskSpec
from threefold.serving.protocol import MAX_ID, BadRequest, microseconds
from threefold.training.spelling import label_codes

NAMED = 10  # refused labels that an answer names
Read = tuple[str, str, int | None]  # prediction id, value as text, microseconds since 1970 on the clock of the data


class Label(msgspec.Struct):
    """One label: the id of the prediction, the value, and when it became known."""

    id: str
    value: str | bool | int | float
    time: str | None = None


class Labels(msgspec.Struct):
    """The body of such a request."""

    labels: list[Label]


class Outcomes:
    """What can be the outcome of a prediction: the classes of the loaded versions, in every spelling, or a number."""

    def __init__(self, tasks: Iterable[TaskSpec]) -> None:
        tasks = list(tasks)
        self._numbers = any(task.problem == "regression" for task in tasks)
        self._texts = frozenset(text for task in tasks for text in label_codes(task.classes))
        self._classes = list(dict.fromkeys(name for task in tasks for name in task.classes))

    def sorted(self, labels: Sequence[Read]) -> tuple[list[Read], list[dict[str, str]]]:
        """The labels that can be an outcome; and those that cannot, each with its id and a sentence."""
        understood, refused = [], []
        for label in labels:
            if label[1] in self._texts or (self._numbers and _is_number(label[1])):
                understood.append(label)
            else:
                refused.append({"id": label[0], "error": self._why(label[1])})
        return understood, refused

    def _why(self, value: str) -> str:
        if self._numbers:
            return f"{value[:40]!r} is no number"
        return f"{value[:40]!r} is no class of the model; classes are: {', '.join(self._classes)[:400]}"


def told(accepted: int, refused: Sequence[dict[str, str]]) -> dict[str, Any]:
    """The answer to a request with labels: how many were taken; of those that were not, how many and the first few."""
    if not refused:
        return {"accepted": accepted}
    answer: dict[str, Any] = {"accepted": accepted, "refused_count": len(refused), "refused": refused[:NAMED]}
    if not accepted:
        none = "the label was not" if len(refused) == 1 else f"none of {len(refused)} labels was"
        do = "send outcomes as training had them"
        answer["error"] = f"{none} understood: {refused[0]['error']} (request body); {do}"
    return answer


def _is_number(text: str) -> bool:
    try:
        return isfinite(float(text))
    except ValueError:
        return False


def read_labels(body: bytes) -> list[Read]:
    """The labels of a request.

    Raises:
        BadRequest: the body is not what it should be; nothing of it is taken.
    """
    try:
        labels = _labels.decode(body).labels
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        do = 'send {"labels": [{"id": "…", "value": …, "time": "2013-07-01T14:30:00"}]}'
        raise BadRequest(f"the body is not labels: {error}", "request body", do) from None
    return [_checked(label, place) for place, label in enumerate(labels)]


def _checked(label: Label, place: int) -> Read:
    where = f"label {place}"
    if not 0 < len(label.id) <= MAX_ID:
        raise BadRequest(f"{label.id[:40]!r} cannot be an id", where, f"send 1 to {MAX_ID} letters")
    return label.id, value_text(label.value), None if label.time is None else microseconds(label.time, where)


def value_text(value: str | bool | int | float) -> str:
    """A label as text: true and false in small letters, whole numbers without a point."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    return str(value)


_labels = msgspec.json.Decoder(Labels)
