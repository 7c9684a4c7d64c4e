"""The family of file formats, found by the ending of a file's name."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable

import polars as pl

import threefold.data.formats as family
from threefold.design.canvas import Source

Reader = Callable[[bytes, Source, str], pl.DataFrame]

_readers: dict[str, Reader] = {}


def add(*endings: str) -> Callable[[Reader], Reader]:
    """Register a reader for file names with these endings, as in `@add(".csv", ".tsv")`.

    A reader takes the bytes, the source as the canvas has it, and the place to name in an error.
    """

    def register(reader: Reader) -> Reader:
        _readers.update(dict.fromkeys(endings, reader))
        return reader

    return register


def find(name: str) -> Reader | None:
    """The reader for a file name; None where no format claims its ending."""
    _load()
    return next((reader for ending, reader in _readers.items() if name.lower().endswith(ending)), None)


def endings() -> list[str]:
    """Every ending that can be read, sorted."""
    _load()
    return sorted(_readers)


def _load() -> None:
    for module in pkgutil.iter_modules(family.__path__, f"{family.__name__}."):
        importlib.import_module(module.name)
