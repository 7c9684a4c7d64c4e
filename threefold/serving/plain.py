"""The quick way in: requests that are just as the metadata describe them, in flat JSON.

Nearly all requests are. They are decoded into a type made for the endpoint, so that names and types are compared while
the JSON is read; whatever differs in anything goes the careful way (protocol.py), which says what is wrong. Both ways
give the same rows.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec
import numpy as np

from threefold.serving.protocol import (
    FLOAT32_MAX,
    ID,
    MAX_ROWS,
    TIME,
    InferRequest,
    Layout,
    OutputWish,
    Rows,
    checked_ids,
    checked_times,
    matrix,
)


class PlainReader:
    """Reads the plain requests of one layout."""

    def __init__(self, layout: Layout) -> None:
        self._columns = layout.columns
        self._names = frozenset(layout.datatypes)
        base = {name: datatype for name, datatype in layout.datatypes.items() if name in layout.features}
        more: dict[tuple[bool, bool], dict[str, str]] = {
            (with_id, with_time): ({ID: "BYTES"} if with_id else {}) | ({TIME: "BYTES"} if with_time else {})
            for with_id in (False, True)
            for with_time in (False, True)
        }
        self._datatypes = {sent: base | extra for sent, extra in more.items()}
        self._decoder = _decoder(layout)

    def read(self, body: bytes, request_id: str) -> tuple[InferRequest, str, Rows] | None:
        """The request without its inputs, its id and its rows; None where anything is out of the ordinary.

        Raises:
            BadRequest: a prediction id or time cannot be one.
        """
        try:
            request = self._decoder.decode(body)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            return None
        inputs = request.inputs
        count = inputs[0].shape[0] if inputs else 0
        found = {tensor.name: tensor.data for tensor in inputs}
        ids, times = found.get(ID), found.get(TIME)
        if (
            not 0 < count <= MAX_ROWS
            or len(found) != len(inputs)
            or {tensor.name: tensor.datatype for tensor in inputs}
            != self._datatypes[ids is not None, times is not None]
            or {tensor.shape for tensor in inputs} != {(count, 1)}
            or set(map(len, found.values())) != {count}
        ):
            return None
        request_id = request.id or request_id
        rows = self._rows(found, count, ids, times, request_id)
        return (
            None
            if rows is None
            else (InferRequest([], request.id, request.parameters, request.outputs), request_id, rows)
        )

    def _rows(
        self, found: dict[str, list[Any]], count: int, ids: list[Any] | None, times: list[Any] | None, request_id: str
    ) -> Rows | None:
        numbers = _matrix([found[name] for name in self._columns.numbers], count)
        texts: list[list[str]] = []
        for name in self._columns.texts:
            values = _texts(found[name])
            if values is None:
                return None
            texts.append(values)
        if (
            numbers is None
            or (ids is not None and not _all_texts(ids))
            or (times is not None and not _all_texts(times))
        ):
            return None
        return Rows(count, checked_ids(ids, request_id, count), checked_times(times), numbers, texts, _NOTHING)


def _decoder(layout: Layout) -> msgspec.json.Decoder[Any]:
    names, datatypes = tuple(layout.datatypes), tuple(sorted({"BYTES", *layout.datatypes.values()}))
    fields: list[tuple[str, Any]] = [
        ("name", Literal[names]), ("shape", tuple[int, int]), ("datatype", Literal[datatypes]),
        ("data", list[float | str | None]),
    ]  # fmt: skip
    tensor = msgspec.defstruct("PlainTensor", fields, forbid_unknown_fields=True, gc=False)
    request = msgspec.defstruct(
        "PlainRequest",
        [
            ("inputs", list[tensor]),  # type: ignore[valid-type]  # made for this layout
            ("id", str | None, None),
            ("parameters", dict[str, Any] | None, None),
            ("outputs", list[OutputWish] | None, None),
        ],
        gc=False,
    )
    return msgspec.json.Decoder(request)


def _matrix(columns: list[list[Any]], count: int) -> np.ndarray | None:
    """As `matrix`; None where a value is a text or too large for float32."""
    if not columns:
        return np.empty((0, count), dtype=np.float32)
    values = np.array([column[0] for column in columns]) if count == 1 else np.array(columns)
    if values.dtype != np.float64:
        numeric = all(type(value) in _NUMBER for column in columns for value in column)
        return matrix(columns, count) if numeric else None
    if not -FLOAT32_MAX <= values.min() <= values.max() <= FLOAT32_MAX:
        return None
    return values.astype(np.float32).reshape(len(columns), count)


def _texts(values: list[Any]) -> list[str] | None:
    """Texts, a missing one as ""; None where one is a number."""
    if _all_texts(values):
        return values
    return [value or "" for value in values] if set(map(type, values)) <= {str, type(None)} else None


def _all_texts(values: list[Any]) -> bool:
    return set(map(type, values)) <= _TEXT


_NOTHING: frozenset[str] = frozenset()
_NUMBER = {float, type(None)}
_TEXT = {str}
