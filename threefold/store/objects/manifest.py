"""The list of the pieces that a large table was cut into."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import msgspec

from threefold.errors import StoreError

MAGIC = b"threefold table "  # then the version of the format, a line feed, and JSON
VERSION = b"1\n"


@dataclass(frozen=True, slots=True)
class Piece:
    """Some rows of a table, an object of Parquet of its own."""

    digest: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]  # it becomes part of a path
    rows: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """A table: its pieces, in the order of its rows."""

    pieces: tuple[Piece, ...]


def render(manifest: Manifest) -> bytes:
    """A manifest as bytes; equal ones give equal bytes."""
    return MAGIC + VERSION + msgspec.json.format(msgspec.json.encode(manifest), indent=1)


def parse(data: bytes, where: str) -> Manifest:
    """A manifest, read. Raises StoreError for a newer format and for what is none."""
    if not data.startswith(MAGIC + VERSION):
        raise StoreError("the table was written by a newer Threefold", where, "update Threefold, then read it again")
    try:
        return msgspec.json.decode(data[len(MAGIC + VERSION) :], type=Manifest)
    except msgspec.DecodeError as error:
        raise StoreError(f"the list of a table's pieces cannot be read: {error}", where, "restore a backup") from error
