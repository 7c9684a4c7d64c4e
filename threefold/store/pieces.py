"""Files in pieces: read so that their size does not matter, and written whole."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO

PIECE_BYTES = 1 << 20  # what a stream hands over at once


def pieces_of(file: IO[bytes]) -> Iterator[bytes]:
    """What is left of an open file, piece by piece."""
    while piece := file.read(PIECE_BYTES):
        yield piece


def pieces_at(path: Path) -> Iterator[bytes]:
    """A whole file, piece by piece; it is opened when the first one is asked for."""
    with path.open("rb") as file:
        yield from pieces_of(file)


def write_all(file: int, data: bytes) -> None:
    """Hand every byte to the operating system: a nearly full disk takes a part first and refuses the rest.

    Args:
        file: the descriptor of an open file.
    """
    written = os.write(file, data)
    while written < len(data):
        data = data[written:]
        written = os.write(file, data)
