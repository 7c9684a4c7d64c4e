"""Where in a source file a value stands, so that a refusal can name the line."""

from __future__ import annotations

import csv
from io import StringIO
from pathlib import Path

from threefold.data import sources
from threefold.data.formats import delimited
from threefold.design.canvas import Source
from threefold.errors import ThreefoldError


def place_of_value(source: Source, root: Path, column: str, value: str) -> str | None:
    """ "data/iris.csv:152": the first line of a text file that holds a value in a column; None where nobody can tell.

    The cleaning function may have made the value, and a packed file has no lines to point at.
    """
    if sources.is_database(source):
        return None
    try:
        path = sources.locate(source, root)
        if not path.name.lower().endswith((".csv", ".tsv", ".txt")):
            return None
        where = sources.shown(path, root)
        line = _line(delimited.decode(path.read_bytes(), source, where), column, value)
    except (ThreefoldError, OSError, csv.Error, ValueError):
        return None  # the refusal that asks has more to say than this one
    return None if line is None else f"{where}:{line}"


def _line(text: str, column: str, value: str) -> int | None:
    records = csv.reader(StringIO(text), delimiter=delimited.separator_of(text))
    place = next(records, []).index(column)
    found = (records.line_num for record in records if place < len(record) and record[place].strip() == value.strip())
    return next(found, None)
