"""The Open Inference Protocol, version 2, over REST: bytes to checked columns, and answers to bytes.

Everything a client can get wrong is found here, before an array is made: names, types, dimensions, sizes. A missing
number is `null` in JSON (NaN in binary), a missing text is `null` or "". Binary tensors follow Triton's extension:
JSON first, then the raw tensors, with the header `Inference-Header-Content-Length`.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec
import numpy as np

from threefold.errors import ThreefoldError
from threefold.serving.journal import EARLIEST_US, LATEST_US, YEARS, Columns

MAX_ROWS = 100_000  # of one request; more would keep everybody else waiting
MAX_ID = 200  # letters of a prediction id
FLOAT32_MAX = float(np.finfo(np.float32).max)
ID, TIME = "prediction_id", "prediction_time"  # optional inputs that every model understands
EPOCH = datetime(1970, 1, 1)
EPOCH_UTC = datetime(1970, 1, 1, tzinfo=UTC)


class BadRequest(ThreefoldError):
    """A request that cannot be answered; `status` is the HTTP status to send."""

    def __init__(self, what: str, where: str, do: str, status: int = 400) -> None:
        super().__init__(what, where, do)
        self.status = status


class InputTensor(msgspec.Struct, gc=False):
    """One input as it came; the values stay raw until name, type and shape are known to fit."""

    name: str
    shape: list[int]
    datatype: str
    data: msgspec.Raw = msgspec.Raw(b"")
    parameters: dict[str, Any] | None = None


class OutputWish(msgspec.Struct, gc=False):
    """One output the client asks for."""

    name: str
    parameters: dict[str, Any] | None = None


class InferRequest(msgspec.Struct, gc=False):
    """The JSON part of a request."""

    inputs: list[InputTensor]
    id: str | None = None
    parameters: dict[str, Any] | None = None
    outputs: list[OutputWish] | None = None


@dataclass(frozen=True, slots=True)
class Layout:
    """Which inputs an endpoint takes.

    Attributes:
        columns: every feature that some served version uses, numbers and texts apart.
        features: their names.
        required: those without which nobody can answer.
        datatypes: input -> datatype as the metadata say; the optional inputs are among them.
        ignored: those that only a loaded version knows that does not answer now: the one before, after a rollback the
            one that was left. Clients may have moved to it, or not yet from it.
    """

    columns: Columns
    features: frozenset[str]
    required: frozenset[str]
    datatypes: Mapping[str, str]
    ignored: frozenset[str] = frozenset()


@dataclass(slots=True)
class Rows:
    """The rows of one request, checked.

    Attributes:
        numbers: shape (number features, rows), float32, NaN where missing; each feature is contiguous.
        texts: per text feature the values, "" where missing.
        absent: features of the layout that were not sent; a version that does without them answers.
        ignored: inputs that were sent and that no answering version uses.
        times_us: microseconds since 1970 on the clock of the data; None: the moment of arrival.
    """

    count: int
    ids: list[str]
    times_us: list[int] | None
    numbers: np.ndarray
    texts: list[list[str]]
    absent: frozenset[str]
    ignored: frozenset[str] = frozenset()


def decode(body: bytes, json_bytes: int | None) -> tuple[InferRequest, bytes]:
    """The JSON part of a body and the raw tensors behind it.

    Args:
        json_bytes: what `Inference-Header-Content-Length` says; None where the header is absent.
    Raises:
        BadRequest: no JSON, or not the shape of an inference request.
    """
    tail = b""
    if json_bytes is not None:
        if not 0 < json_bytes <= len(body):
            raise BadRequest(
                f"the JSON part is said to have {json_bytes} bytes; the body has {len(body)}",
                "header Inference-Header-Content-Length", "send the length of the JSON part in bytes",
            )  # fmt: skip
        body, tail = body[:json_bytes], body[json_bytes:]
    try:
        return _request.decode(body), tail
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise BadRequest(f"the body is not an inference request: {error}", "request body", _HOW) from None


def read_rows(request: InferRequest, tail: bytes, layout: Layout, request_id: str) -> Rows:
    """Check every input and make columns of them.

    Raises:
        BadRequest: an input is unknown, missing or twice there; a type, dimension or number of values does not fit.
    """
    reader = _Reader(layout, tail)
    for tensor in request.inputs:
        reader.take(tensor)
    return reader.rows(request_id)


class _Reader:
    """Collects the inputs of one request."""

    def __init__(self, layout: Layout, tail: bytes) -> None:
        self.layout = layout
        self.tail = tail
        self.at = 0
        self.count = -1
        self.found: dict[str, Any] = {}

    def take(self, tensor: InputTensor) -> None:
        name = tensor.name
        datatype = self.layout.datatypes.get(name)
        if datatype is None:
            raise _wrong(name, "no input has this name", f"inputs are: {', '.join(sorted(self.layout.features))}")
        if name in self.found:
            raise _wrong(name, "the input is there twice", "send each input once")
        if tensor.datatype != datatype:
            raise _wrong(name, f"the datatype is {tensor.datatype!r:.40}", f"send {datatype}")
        count = self._count(tensor)
        parameters = tensor.parameters
        if parameters and "binary_data_size" in parameters:
            values = self._binary(tensor, parameters["binary_data_size"], count)
        else:
            values = _json_values(tensor, count)
        self.found[name] = values

    def _count(self, tensor: InputTensor) -> int:
        shape = tensor.shape
        count = shape[0] if shape else -1
        if count < 0 or len(shape) > 2 or (len(shape) == 2 and shape[1] != 1):
            raise _wrong(tensor.name, f"the shape is {_short(shape)}", "send [rows, 1] or [rows]")
        if count > MAX_ROWS:
            raise _wrong(tensor.name, f"{count} rows are too many for one request", f"send at most {MAX_ROWS}")
        if self.count < 0:
            self.count = count
        elif self.count != count:
            raise _wrong(tensor.name, f"it has {count} rows, others have {self.count}", "send as many of each input")
        return count

    def _binary(self, tensor: InputTensor, size: Any, count: int) -> Any:
        if type(size) is not int or size < 0 or self.at + size > len(self.tail):
            raise _wrong(tensor.name, f"binary_data_size is {size!r:.40}, which the body does not hold", _HOW)
        if len(tensor.data):
            raise _wrong(tensor.name, "it has data in JSON and binary_data_size", "send one of the two")
        raw, self.at = self.tail[self.at : self.at + size], self.at + size
        if tensor.datatype == "BYTES":
            return _texts_of(raw, tensor.name, count)
        dtype = DTYPES[tensor.datatype]
        if len(raw) != count * dtype.itemsize:
            raise _wrong(
                tensor.name, f"{count} values need {count * dtype.itemsize} bytes, not {size}", "mend the size"
            )
        return np.frombuffer(raw, dtype).astype(np.float64).tolist()

    def rows(self, request_id: str) -> Rows:
        if self.at != len(self.tail):
            raise BadRequest("there are bytes behind the last input", "request body", "check binary_data_size")
        layout, found, count = self.layout, self.found, max(self.count, 0)
        missing = layout.required - found.keys()
        if missing:
            names = ", ".join(sorted(missing)[:10])
            raise BadRequest(f"inputs are missing: {names}", "inputs", "send every input that the metadata name")
        ids, times = checked_ids(found.get(ID), request_id, count), checked_times(found.get(TIME))
        absent = frozenset(layout.features - found.keys())
        numbers = matrix([found.get(name) or [None] * count for name in layout.columns.numbers], count)
        texts = [found.get(name) or [""] * count for name in layout.columns.texts]
        return Rows(count, ids, times, numbers, texts, absent, layout.ignored & found.keys())


def _json_values(tensor: InputTensor, count: int) -> list[Any]:
    texts = tensor.datatype == "BYTES"
    values = _flat(tensor, _texts if texts else _numbers, _nested_texts if texts else _nested_numbers)
    if len(values) != count:
        raise _wrong(tensor.name, f"the shape asks for {count} values, {len(values)} are there", "send as many as that")
    return [value or "" for value in values] if texts and None in values else values


def _flat(
    tensor: InputTensor, flat: msgspec.json.Decoder[list[Any]], nested: msgspec.json.Decoder[list[list[Any]]]
) -> list[Any]:
    if not len(tensor.data):
        raise _wrong(tensor.name, "it has no data", "send data, or binary_data_size and raw bytes")
    try:
        return flat.decode(tensor.data)
    except msgspec.DecodeError as error:
        first = error
    try:
        rows = nested.decode(tensor.data)
    except (msgspec.DecodeError, RecursionError):
        raise _wrong(tensor.name, f"the data do not fit: {first}", f"send {tensor.datatype} values, or null") from None
    if any(len(row) != 1 for row in rows):
        raise _wrong(tensor.name, "a row holds more or fewer than one value", "send one value per row and input")
    return [row[0] for row in rows]


def matrix(columns: list[list[Any]], count: int) -> np.ndarray:
    """Numbers feature by feature as float32, None as NaN; shape (features, rows).

    Raises:
        BadRequest: a number does not fit into float32.
    """
    if not columns or not count:
        return np.empty((len(columns), count), dtype=np.float32)
    values = np.array(columns, dtype=np.float64)  # None becomes NaN
    # fmin and fmax leave NaN out: a missing number passes.
    if np.fmin.reduce(values, axis=None) < -FLOAT32_MAX or np.fmax.reduce(values, axis=None) > FLOAT32_MAX:
        raise BadRequest("a number is too large for FP32", "inputs", f"send numbers up to {FLOAT32_MAX:.4g}, or null")
    return values.astype(np.float32)


def checked_ids(values: list[str] | None, request_id: str, count: int) -> list[str]:
    """The prediction ids of a request: those sent, or made from the request's id. Raises BadRequest."""
    if values is None:
        return [request_id] if count == 1 else [f"{request_id}/{row}" for row in range(count)]
    for value in values:
        if not 0 < len(value) <= MAX_ID:
            raise _wrong(ID, f"{value[:40]!r} cannot be an id", f"send 1 to {MAX_ID} letters for each row")
    return values


def checked_times(values: list[str] | None) -> list[int] | None:
    """The prediction times of a request in microseconds since 1970; None where none are sent. Raises BadRequest."""
    return None if values is None else [microseconds(value, TIME) for value in values]


def microseconds(text: str, where: str) -> int:
    """An ISO 8601 moment as microseconds since 1970; one with a zone is put into UTC, one without stays as it is.

    Raises:
        BadRequest: it is no such text, or lies outside the years that a log can be about.
    """
    try:
        moment = datetime.fromisoformat(text)
        gap = moment - EPOCH if moment.tzinfo is None else moment - EPOCH_UTC
    except (ValueError, OverflowError):
        raise BadRequest(f"{text[:40]!r} is not a time", where, "send ISO 8601, as in 2013-07-01T14:30:00") from None
    found = (gap.days * 86_400 + gap.seconds) * 1_000_000 + gap.microseconds
    if EARLIEST_US <= found < LATEST_US:
        return found
    years = f"{YEARS[0]} to {YEARS[1]}"
    raise BadRequest(f"{text[:40]!r} lies outside the years {years}", where, "send the moment that is meant, or none")


def _texts_of(raw: bytes, name: str, count: int) -> list[str]:
    """BYTES elements: each four bytes of length, little-endian, then as many bytes of UTF-8."""
    values, at = [], 0
    try:
        while at < len(raw):
            (length,) = struct.unpack_from("<I", raw, at)
            piece = raw[at + 4 : at + 4 + length]
            if len(piece) != length:
                raise _wrong(name, "an element is cut off", "check binary_data_size")
            values.append(piece.decode())
            at += 4 + length
    except (struct.error, UnicodeDecodeError):
        raise _wrong(
            name, "the bytes are no BYTES tensor in UTF-8", "send 4 bytes of length before each text"
        ) from None
    if len(values) != count:
        raise _wrong(name, f"the shape asks for {count} values, {len(values)} are there", "send as many as that")
    return values


def inflate(body: bytes, encoding: str, limit: int) -> bytes:
    """A gzip or deflate body unpacked, up to a limit in bytes. Raises BadRequest."""
    if encoding not in ("gzip", "deflate"):
        raise BadRequest(
            f"the encoding {encoding[:40]!r} is not known", "Content-Encoding", "send gzip or deflate", 415
        )
    unpacker = zlib.decompressobj(31 if encoding == "gzip" else 15)
    try:
        data = unpacker.decompress(body, limit + 1)
    except zlib.error:
        raise BadRequest(f"the body is not {encoding}", "request body", "check Content-Encoding") from None
    if len(data) > limit:
        raise too_large(limit)
    if not unpacker.eof:
        raise BadRequest("the compressed body is cut off", "request body", "send all of it")
    return data


def too_large(limit: int) -> BadRequest:
    """The refusal of a body over the limit in bytes."""
    return BadRequest(f"the body has more than {limit} bytes", "request body", "send fewer rows at a time", 413)


# ----------------------------------------------------------------------------------------------------- answers


class OutputTensor(msgspec.Struct, gc=False, omit_defaults=True):
    """One output of an answer; `data` is None where the values follow as raw bytes."""

    name: str
    datatype: str
    shape: list[int]
    parameters: dict[str, Any] | None = None
    data: list[Any] | None = None


class InferResponse(msgspec.Struct, gc=False):
    """The JSON part of an answer."""

    model_name: str
    model_version: str
    id: str
    parameters: dict[str, Any]
    outputs: list[OutputTensor]


def encode_answer(response: InferResponse, request: InferRequest) -> tuple[bytes, int | None]:
    """An answer as bytes, and the length of its JSON part where raw tensors follow."""
    binary = _binary_wishes(request)
    if binary is None:
        return encode_json(response), None
    tail = []
    for tensor in response.outputs:
        if tensor.name in binary or "*" in binary:
            raw = _raw(tensor)
            tensor.data, tensor.parameters = None, {"binary_data_size": len(raw)}
            tail.append(raw)
    head = encode_json(response)
    return (head + b"".join(tail), len(head)) if tail else (head, None)


def _binary_wishes(request: InferRequest) -> set[str] | None:
    """Names of the outputs wanted as raw bytes, "*" for all; None where there are none."""
    everything = bool(request.parameters and request.parameters.get("binary_data_output") is True)
    if not request.outputs:
        return {"*"} if everything else None
    wished = {w.name for w in request.outputs if (w.parameters or {}).get("binary_data", everything) is True}
    return wished or None


def _raw(tensor: OutputTensor) -> bytes:
    values = tensor.data or []
    if tensor.datatype == "BYTES":
        texts = [str(value).encode() for value in values]
        return b"".join(struct.pack("<I", len(text)) + text for text in texts)
    return np.array(values, dtype=DTYPES[tensor.datatype]).tobytes()


def wanted_outputs(request: InferRequest, names: Sequence[str], extra: Sequence[str]) -> Sequence[str]:
    """The outputs to answer with, in the order asked for; without a wish all of `names`.

    Raises:
        BadRequest: an output does not exist.
    """
    if not request.outputs:
        return names
    for wish in request.outputs:
        if wish.name not in names and wish.name not in extra:
            listing = ", ".join((*names, *extra))
            raise BadRequest(f"there is no output {wish.name[:80]!r}", "outputs", f"outputs are: {listing}")
    return tuple(dict.fromkeys(wish.name for wish in request.outputs))


def _wrong(name: str, what: str, do: str) -> BadRequest:
    return BadRequest(what, f"input {name[:80]!r}", do)


def _short(shape: list[int]) -> str:
    text = str(shape)
    return text if len(text) <= 60 else f"{text[:60]}…"


_HOW = "see the Open Inference Protocol, version 2: inputs with name, shape, datatype and data"
DTYPES = {
    "BOOL": np.dtype("?"), "INT8": np.dtype("<i1"), "INT16": np.dtype("<i2"), "INT32": np.dtype("<i4"),
    "INT64": np.dtype("<i8"), "UINT8": np.dtype("<u1"), "UINT16": np.dtype("<u2"), "UINT32": np.dtype("<u4"),
    "UINT64": np.dtype("<u8"), "FP16": np.dtype("<f2"), "FP32": np.dtype("<f4"), "FP64": np.dtype("<f8"),
}  # fmt: skip
_request = msgspec.json.Decoder(InferRequest)
_numbers = msgspec.json.Decoder(list[float | None])
_texts = msgspec.json.Decoder(list[str | None])
_nested_numbers = msgspec.json.Decoder(list[list[float | None]])
_nested_texts = msgspec.json.Decoder(list[list[str | None]])
encode_json = msgspec.json.Encoder().encode
