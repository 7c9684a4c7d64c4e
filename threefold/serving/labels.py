"""Labels that come back: what a prediction was about turned out to be this."""

from __future__ import annotations

import msgspec

from threefold.serving.protocol import MAX_ID, BadRequest, microseconds


class Label(msgspec.Struct):
    """One label: the id of the prediction, the value, and when it became known."""

    id: str
    value: str | bool | int | float
    time: str | None = None


class Labels(msgspec.Struct):
    """The body of such a request."""

    labels: list[Label]


def read_labels(body: bytes) -> list[tuple[str, str, int | None]]:
    """The labels of a request as (prediction id, value as text, microseconds since 1970 on the clock of the data).

    Raises:
        BadRequest: the body is not what it should be; nothing of it is taken.
    """
    try:
        labels = _labels.decode(body).labels
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        do = 'send {"labels": [{"id": "…", "value": …, "time": "2013-07-01T14:30:00"}]}'
        raise BadRequest(f"the body is not labels: {error}", "request body", do) from None
    return [_checked(label, place) for place, label in enumerate(labels)]


def _checked(label: Label, place: int) -> tuple[str, str, int | None]:
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
