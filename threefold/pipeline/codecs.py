"""How a value becomes bytes, and comes back the same.

table   a polars.DataFrame, as Parquet.
json    None, numbers, text, lists, mappings, times, paths and Threefold's records, as JSON in which everything
        that JSON lacks is an object with a "$" key; it is read back exactly as it was.
bytes   bytes, as they are.
pickle  anything else, signed with the store's key: unpickling runs code, so nobody else's pickle is opened.
"""

from __future__ import annotations

import hashlib
import hmac
import importlib
import io
import math
import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import msgspec

from threefold.errors import Refused, ThreefoldError
from threefold.store.objects import Objects

MAGIC = b"threefold-pickle-1\n"
SIGNATURE_BYTES = 32


@dataclass(frozen=True, slots=True)
class Encoded:
    """A value as bytes."""

    data: bytes  # empty for a table, which the store encodes itself
    codec: str  # table, json, bytes, pickle
    type: str  # "module:qualname" of the value
    classes: tuple[str, ...] = ()  # pickle: "module:qualname" of the classes and functions inside


def encode(value: Any, key: bytes) -> Encoded:
    """A value as bytes, by the first codec that can bring it back exactly. Tables are for `keep`.

    Args:
        value: anything a step returns.
        key: the store's key, which signs pickles.
    Raises:
        ThreefoldError: the value cannot be kept at all: an open file, a lock, a generator.
    """
    kind = type(value)
    name = f"{kind.__module__}:{kind.__qualname__}"
    if kind is bytes:
        return Encoded(value, "bytes", name)
    try:
        return Encoded(to_text(value), "json", name)
    except TypeError:
        data, classes = sign_pickle(value, key)
        return Encoded(data, "pickle", name, classes)


def decode(data: bytes, codec: str, key: bytes) -> Any:
    """The value that `encode` made the bytes of.

    Raises:
        Refused: a pickle that this store did not sign.
        ThreefoldError: the codec is not known here.
    """
    decoders: dict[str, Callable[[bytes], Any]] = {
        "bytes": bytes,
        "json": from_text,
        "pickle": lambda signed: open_pickle(signed, key),
    }
    if codec not in decoders:
        raise ThreefoldError(f"no codec is named {codec!r}", "an output of a step", "read it with a newer Threefold")
    return decoders[codec](data)


def keep(value: Any, objects: Objects, key: bytes) -> tuple[Encoded, str]:
    """A value brought into the store; returns how, and its digest. Tables share what they have in common.

    Raises:
        ThreefoldError: the value cannot be kept, or there is no room.
    """
    kind = type(value)
    if kind.__module__.startswith("polars") and hasattr(value, "write_parquet"):
        try:
            digest = objects.put_table(value)
        except ThreefoldError:
            raise
        except Exception:
            pass  # Parquet has no place for columns of Python objects; Polars says so with several kinds of error
        else:
            return Encoded(b"", "table", f"{kind.__module__}:{kind.__qualname__}"), digest
    encoded = encode(value, key)
    return encoded, objects.put(encoded.data)


# -------------------------------------------------------------------------------------------------------- json


def to_text(value: Any) -> bytes:
    """A value as JSON. Raises TypeError for what has no place in it.

    >>> to_text({"limit": (1, 2.5)})
    b'{"limit":{"$tuple":[1,2.5]}}'
    """
    return msgspec.json.encode(tagged(value))


def from_text(data: bytes) -> Any:
    """What `to_text` made the bytes of."""
    return untagged(msgspec.json.decode(data))


def tagged(value: Any) -> Any:
    """A value in plain JSON types, everything else under a "$" key. Raises TypeError for what has no place in it."""
    kind = type(value)
    if value is None or kind is str or kind is bool:
        return value
    if kind is int:
        return value if -(2**53) <= value <= 2**53 else {"$int": str(value)}
    if kind is float:
        return value if math.isfinite(value) else {"$float": repr(value)}
    if kind is list:
        return [tagged(item) for item in value]
    if kind is dict:
        return _tagged_mapping(value)
    tag = _TAGS.get(kind)
    if tag is not None:
        return {tag[0]: tag[1](value)}
    if isinstance(value, Path):
        return {"$path": str(value)}
    if is_record(kind):
        body = {one.name: tagged(getattr(value, one.name)) for one in fields(value) if one.init}
        return {"$record": f"{kind.__module__}:{kind.__qualname__}", **body}
    raise TypeError(f"{kind.__module__}.{kind.__qualname__} has no place in JSON")


def _tagged_mapping(value: Mapping[Any, Any]) -> Any:
    if all(type(key) is str and not key.startswith("$") for key in value):
        return {key: tagged(item) for key, item in value.items()}
    return {"$map": [[tagged(key), tagged(item)] for key, item in value.items()]}


def is_record(kind: type) -> bool:
    """Whether it is a data class of Threefold itself, made anew from its fields alone."""
    return is_dataclass(kind) and (kind.__module__ == "threefold" or kind.__module__.startswith("threefold."))


def untagged(value: Any) -> Any:
    """The value that `tagged` was given."""
    if isinstance(value, list):
        return [untagged(item) for item in value]
    if not isinstance(value, dict):
        return value
    tag = next((key for key in value if key.startswith("$")), None)
    if tag is None:
        return {key: untagged(item) for key, item in value.items()}
    if tag == "$record":
        body = {key: untagged(item) for key, item in value.items() if key != "$record"}
        return _record_class(value["$record"])(**body)
    return _UNTAG[tag](value[tag])


def _record_class(name: str) -> Callable[..., Any]:
    module, _, qualname = name.partition(":")
    found: Any = None
    if module.partition(".")[0] == "threefold":
        found = importlib.import_module(module)
        for part in qualname.split("."):
            found = getattr(found, part, None)
    if not (isinstance(found, type) and is_record(found)):
        raise Refused(
            f"{name} is not a record of Threefold", "a JSON artifact", "read only artifacts of your own store"
        )
    return found


def _moment(value: datetime) -> str:
    if value.tzinfo is not None and type(value.tzinfo) is not timezone:
        raise TypeError("a named time zone has no place in JSON: only its offset would come back")
    return value.isoformat()


_TAGS: dict[type, tuple[str, Callable[[Any], Any]]] = {
    tuple: ("$tuple", lambda value: [tagged(item) for item in value]),
    set: ("$set", lambda value: sorted((tagged(item) for item in value), key=msgspec.json.encode)),
    frozenset: ("$frozenset", lambda value: sorted((tagged(item) for item in value), key=msgspec.json.encode)),
    bytes: ("$bytes", lambda value: value.hex()),
    datetime: ("$datetime", _moment),
    date: ("$date", date.isoformat),
    timedelta: ("$timedelta", lambda value: [value.days, value.seconds, value.microseconds]),
}

_UNTAG: dict[str, Callable[[Any], Any]] = {
    "$int": int,
    "$float": float,
    "$map": lambda pairs: {untagged(key): untagged(item) for key, item in pairs},
    "$path": Path,
    "$tuple": lambda items: tuple(untagged(item) for item in items),
    "$set": lambda items: {untagged(item) for item in items},
    "$frozenset": lambda items: frozenset(untagged(item) for item in items),
    "$bytes": bytes.fromhex,
    "$datetime": datetime.fromisoformat,
    "$date": date.fromisoformat,
    "$timedelta": lambda parts: timedelta(*parts),
}


# ------------------------------------------------------------------------------------------------------ pickle


class _Witness(pickle.Pickler):
    """A pickler that notes which classes and functions go into the bytes."""

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file, protocol=5)
        self.seen: set[str] = set()

    def reducer_override(self, obj: Any) -> Any:
        """Called for every object that is no plain value; we only look."""
        named = obj if isinstance(obj, type) or hasattr(obj, "__qualname__") else type(obj)
        module = getattr(named, "__module__", None)
        if module:
            self.seen.add(f"{module}:{getattr(named, '__qualname__', '')}")
        return NotImplemented


def sign_pickle(value: Any, key: bytes) -> tuple[bytes, tuple[str, ...]]:
    """A value pickled and signed.

    Returns:
        The bytes: a magic line, HMAC-SHA256 of the pickle under `key`, the pickle. And the "module:qualname" of
        every class and function inside, sorted.
    Raises:
        ThreefoldError: the value cannot be pickled.
    """
    buffer = io.BytesIO()
    witness = _Witness(buffer)
    try:
        witness.dump(value)
    except Exception as error:
        # Any __reduce__ of any library may raise here, whatever it likes.
        raise ThreefoldError(
            f"a value of type {type(value).__qualname__} cannot be kept: {error}",
            "an output of a step",
            "return a table, a record, plain values, or an object that pickle can write",
        ) from error
    body = buffer.getvalue()
    return MAGIC + _signature(body, key) + body, tuple(sorted(witness.seen))


def open_pickle(data: bytes, key: bytes) -> Any:
    """The value of a signed pickle.

    Raises:
        Refused: the bytes are not signed, or not with this key; nothing of them was run.
    """
    start = len(MAGIC) + SIGNATURE_BYTES
    body = data[start:]
    signed = data.startswith(MAGIC) and hmac.compare_digest(data[len(MAGIC) : start], _signature(body, key))
    if not signed:
        raise Refused(
            "a pickle is not signed by this store, and opening one can run any code",
            "an artifact in pickle format",
            "make it again in this project, or hand it over in a portable format: Parquet, ONNX, JSON",
        )
    return pickle.loads(body)


def _signature(body: bytes, key: bytes) -> bytes:
    return hmac.new(key, body, hashlib.sha256).digest()
