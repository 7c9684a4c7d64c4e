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
        self._features = layout.features
        self._one, self._many = _decoder(layout, one=True), _decoder(layout, one=False)

    def read(self, body: bytes, request_id: str) -> tuple[InferRequest, str, Rows] | None:
        """The request without its inputs, its id and its rows; None where anything is out of the ordinary.

        Raises:
            BadRequest: a prediction id or time cannot be one, or a number does not fit into float32.
        """
        try:
            request, count = self._one.decode(body), 1
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            found = self._several(body)
            if found is None:
                return None
            request, count = found
        inputs = {tensor.name: tensor.data for tensor in request.inputs}
        twice = len(inputs) != len(request.inputs)
        ids, times = inputs.pop(ID, None), inputs.pop(TIME, None)
        if twice or inputs.keys() != self._features or _holes(ids) or _holes(times):
            return None
        request_id = request.id or request_id
        numbers = _matrix([inputs[name] for name in self._columns.numbers], count)
        if numbers is None:
            return None
        texts = [_texts(inputs[name]) for name in self._columns.texts]
        sent = None if ids is None else list(ids)
        rows = Rows(count, checked_ids(sent, request_id, count), checked_times(times), numbers, texts, _NOTHING)
        return InferRequest([], request.id, request.parameters, request.outputs), request_id, rows

    def _several(self, body: bytes) -> tuple[Any, int] | None:
        """A request with several rows, and how many; None where it is not plain or its inputs differ in length."""
        try:
            request = self._many.decode(body)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            return None
        inputs = request.inputs
        count = inputs[0].shape[0] if inputs else 0
        same = {tensor.shape for tensor in inputs} == {(count, 1)} and {len(tensor.data) for tensor in inputs} == {
            count
        }
        return (request, count) if same and 0 < count <= MAX_ROWS else None


def _decoder(layout: Layout, *, one: bool) -> msgspec.json.Decoder[Any]:
    """A decoder that takes the names, types and values of this layout and nothing else; with `one`, a single row.

    The datatype is the tag of a union, so that numbers can only stand under names of numbers, and texts under theirs.
    """
    numbers, texts = tuple(layout.columns.numbers), (*layout.columns.texts, ID, TIME)
    kinds: dict[str, tuple[tuple[str, ...], Any]] = {"BYTES": (texts, str | None)}
    for datatype in sorted({layout.datatypes[name] for name in numbers}):
        kinds[datatype] = (tuple(name for name in numbers if layout.datatypes[name] == datatype), float | None)
    union: Any = None
    for datatype, (names, value) in kinds.items():
        fields: list[tuple[str, Any]] = [
            ("name", Literal[names]),
            ("shape", tuple[Literal[1], Literal[1]] if one else tuple[int, int]),
            ("data", tuple[value] if one else list[value]),  # type: ignore[valid-type]  # made for this layout
        ]
        kind = msgspec.defstruct(
            f"Plain{datatype}", fields, tag_field="datatype", tag=datatype, forbid_unknown_fields=True, gc=False
        )
        union = kind if union is None else union | kind
    request = msgspec.defstruct(
        "PlainRequest",
        [
            ("inputs", list[union]),
            ("id", str | None, None),
            ("parameters", dict[str, Any] | None, None),
            ("outputs", list[OutputWish] | None, None),
        ],
        gc=False,
    )
    return msgspec.json.Decoder(request)


def _matrix(columns: list[Any], count: int) -> np.ndarray | None:
    """As `matrix`; or None where the number of a single row is too large for float32."""
    if not columns:
        return np.empty((0, count), dtype=np.float32)
    if count > 1:
        return matrix(columns, count)
    row = [column[0] for column in columns]
    if None in row:
        return matrix(columns, count)
    if not -FLOAT32_MAX <= min(row) <= max(row) <= FLOAT32_MAX:
        return None
    return np.array(row, dtype=np.float32).reshape(-1, 1)


def _texts(values: Any) -> list[str]:
    return [value or "" for value in values]


def _holes(values: Any) -> bool:
    return values is not None and None in values


_NOTHING: frozenset[str] = frozenset()
