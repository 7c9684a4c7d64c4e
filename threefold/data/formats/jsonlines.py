"""JSON lines: one object per line."""

from __future__ import annotations

import json
from io import BytesIO

import polars as pl

from threefold.data.formats.registry import add
from threefold.design.canvas import Source
from threefold.errors import DataError


@add(".jsonl", ".ndjson")
def read_json_lines(data: bytes, source: Source, where: str) -> pl.DataFrame:
    """A table from JSON lines; a key that a line does not have is null there.

    Raises:
        DataError: a line is not a JSON object.
    """
    try:
        return pl.read_ndjson(BytesIO(data), infer_schema_length=None)
    except pl.exceptions.PolarsError as error:
        number = _first_bad_line(data)
        raise DataError(
            f"line {number} of table '{source.name}' is not a JSON object"
            if number
            else f"table '{source.name}' is not readable JSON lines: {str(error).splitlines()[0]}",
            f"{where}:{number}" if number else where,
            "write one JSON object per line, with the same type under the same key",
        ) from error


def _first_bad_line(data: bytes) -> int | None:
    for number, line in enumerate(data.splitlines(), start=1):
        try:
            if line.strip() and not isinstance(json.loads(line), dict):
                return number
        except ValueError:
            return number
    return None
