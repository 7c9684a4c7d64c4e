"""Rows with names, for people and small programs: {"rows": [{"temp": 3.5, "carrier": "UA"}]}."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import msgspec

from threefold.serving.protocol import (
    ID,
    MAX_ROWS,
    TIME,
    BadRequest,
    InferResponse,
    Layout,
    Rows,
    checked_ids,
    matrix,
    microseconds,
)
from threefold.serving.served import Predicted

SHOWN = 10  # names that an error lists before it counts the rest

Value = float | str | bool | None


class NamedRows(msgspec.Struct, forbid_unknown_fields=True):
    """The body of such a request."""

    rows: list[dict[str, Value]]


def read_named(body: bytes, layout: Layout, request_id: str) -> Rows:
    """Check rows with names and make columns of them; null is a missing value, a missing name is an error.

    Raises:
        BadRequest: no JSON; a name is unknown or missing; a value has the wrong type.
    """
    try:
        rows = _named.decode(body).rows
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise BadRequest(f"the body is not rows with names: {error}", "request body", 'send {"rows": [{…}]}') from None
    if len(rows) > MAX_ROWS:
        raise BadRequest(f"{len(rows)} rows are too many for one request", "rows", f"send at most {MAX_ROWS}")
    for number, row in enumerate(rows):
        _check_names(row, layout, number)
    numbers = [
        [_number(row.get(name), name, place) for place, row in enumerate(rows)] for name in layout.columns.numbers
    ]
    texts = [[_text(row.get(name), name, place) for place, row in enumerate(rows)] for name in layout.columns.texts]
    return Rows(
        len(rows), _ids(rows, request_id), _times(rows), matrix(numbers, len(rows)), texts,
        frozenset(name for name in layout.features if any(name not in row for row in rows)),
        frozenset(name for name in layout.ignored if any(name in row for row in rows)),
    )  # fmt: skip


def named_answer(response: InferResponse, rows: Rows, predicted: Predicted) -> dict[str, Any]:
    """The answer to rows with names: one object for each, with the outputs under their names."""
    answers: list[dict[str, Any]] = [
        {"prediction_id": id_, "version": version, "source": source}
        for id_, version, source in zip(rows.ids, predicted.versions, predicted.sources, strict=True)
    ]
    classes = predicted.arm.bundle.task.classes
    for tensor in response.outputs:
        values, width = tensor.data or [], tensor.shape[1]
        for place, answer in enumerate(answers):
            part = values[place * width : (place + 1) * width]
            answer[tensor.name] = dict(zip(classes, part, strict=True)) if width == len(classes) else part[0]
    return {"model_name": response.model_name, "model_version": response.model_version, "rows": answers}


def _check_names(row: dict[str, Value], layout: Layout, number: int) -> None:
    unknown = row.keys() - layout.datatypes.keys()
    missing = layout.required - row.keys()
    if unknown or missing:
        what = f"the name {min(unknown)[:80]!r} is unknown" if unknown else _missing(sorted(missing))
        parts = _parts(missing)
        raise BadRequest(what, f"row {number}", f"names are: {', '.join(sorted(layout.features))}{parts}")


def _missing(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"{', '.join(names[:SHOWN])}{more} {'is' if len(names) == 1 else 'are'} missing"


def _parts(missing: Collection[str]) -> str:
    """How the parts of a time are counted, where one of them is missing."""
    if not any(name.endswith(("_month", "_weekday", "_hour")) for name in missing):
        return ""
    return "; of a time: month 1 to 12, weekday 1 (Monday) to 7 (Sunday), hour 0 to 23"


def _number(value: Value, name: str, row: int) -> float | None:
    if value is None or type(value) is float:
        return value
    raise BadRequest(f"{name!r} is {value!r:.60}, not a number", f"row {row}", "send a number, or null")


def _text(value: Value, name: str, row: int) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    raise BadRequest(f"{name!r} is {value!r:.60}, not a text", f"row {row}", "send a text, or null")


def _ids(rows: list[dict[str, Value]], request_id: str) -> list[str]:
    given = [row.get(ID) for row in rows]
    if not any(value is not None for value in given):
        return checked_ids(None, request_id, len(rows))
    return checked_ids([_text(value, ID, place) for place, value in enumerate(given)], request_id, len(rows))


def _times(rows: list[dict[str, Value]]) -> list[int] | None:
    given = [row.get(TIME) for row in rows]
    if not any(value is not None for value in given):
        return None
    return [microseconds(_text(value, TIME, place), f"row {place}") for place, value in enumerate(given)]


_named = msgspec.json.Decoder(NamedRows)
