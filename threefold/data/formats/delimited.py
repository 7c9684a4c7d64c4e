"""Comma, semicolon or tab separated text."""

from __future__ import annotations

import csv
import shlex
from collections import Counter
from io import StringIO
from itertools import islice

import polars as pl

from threefold.data.formats.registry import add
from threefold.design.canvas import Source
from threefold.errors import DataError

SEPARATORS = ",;\t|"
COMMA_NUMBER = r"^[+-]?(\d+|\d{1,3}(\.\d{3})+)(,\d+)?$"
LOOKED_AT = 5_000  # records checked for missing fields; Polars itself finds fields too many, anywhere


@add(".csv", ".tsv", ".txt")
def read_csv(data: bytes, source: Source, where: str) -> pl.DataFrame:
    """A table from delimited text with a header line.

    Each column takes the narrowest type that fits every value: whole number, number, true/false, ISO date or time,
    text. Digits with a leading zero (post codes) stay text. Times with a zone are turned to UTC. Between semicolons or
    tabs numbers may have a decimal comma, as in 39,1 or 1.234,5.

    Raises:
        DataError: the bytes are no UTF-8 text, a line has too many or too few fields, a column name stands twice.
    """
    text = decode(data, source, where)
    separator = separator_of(text)
    check_header(text, separator, source, where)
    try:
        frame = pl.read_csv(
            data, separator=separator, null_values=list(source.nulls), infer_schema=False, raise_if_empty=True
        )
    except pl.exceptions.PolarsError as error:
        raise _unreadable(error, text, separator, source, where) from error
    _check_short_lines(text, separator, source, where)
    return frame.with_columns(narrow(column, commas=separator in ";\t") for column in frame)


def decode(data: bytes, source: Source, where: str) -> str:
    """The text of the bytes, or a refusal that says what they look like instead."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise DataError(
            f"table '{source.name}' is UTF-16 text",
            where,
            f"save it as UTF-8: iconv -f UTF-16 -t UTF-8 {shlex.quote(where)} > new.csv",
        )
    if b"\x00" in data[:65_536]:
        raise DataError(
            f"table '{source.name}' is not text: it holds zero bytes",
            where,
            "check that the file is what its name says",
        )
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"table '{source.name}' is not UTF-8 text: byte 0x{data[error.start]:02x} in line {line}",
            f"{where}:{line}",
            f"save it as UTF-8; Latin-1 or Windows-1252: iconv -f WINDOWS-1252 -t UTF-8 {shlex.quote(where)} > new.csv",
        ) from error


def separator_of(text: str) -> str:
    """The separator that stands most often in the header line; a comma where there is none."""
    counts = Counter(letter for letter in text.split("\n", 1)[0] if letter in SEPARATORS)
    return counts.most_common(1)[0][0] if counts else ","


def check_header(text: str, separator: str, source: Source, where: str) -> None:
    """Refuse an empty file, and a header in which a name stands twice."""
    header = next(csv.reader(StringIO(text), delimiter=separator), [])
    if not header:
        raise DataError(f"table '{source.name}' is empty: there is no header line", where, "write the file again")
    twice = sorted(name for name, count in Counter(header).items() if count > 1)
    if twice:
        raise DataError(
            f"table '{source.name}' has the column '{twice[0]}' {header.count(twice[0])} times",
            f"{where}:1",
            "give each column its own name",
        )


def narrow(column: pl.Series, *, commas: bool = False) -> pl.Series:
    """A text column as the narrowest type that keeps every value; the column itself where only text does.

    Args:
        commas: numbers may have a decimal comma.
    """
    values = column.drop_nulls()
    if values.is_empty():
        return column
    for attempt in (_numbers, _booleans, _times):
        if attempt(values.head(100)) is not None:  # most text columns show it at once
            narrowed = attempt(column)
            if narrowed is not None:
                return narrowed
    with_commas = _comma_numbers(column) if commas else None
    return column if with_commas is None else with_commas


def _kept(column: pl.Series, narrowed: pl.Series) -> bool:
    return narrowed.null_count() == column.null_count()


def _numbers(column: pl.Series) -> pl.Series | None:
    whole = column.cast(pl.Int64, strict=False)
    if _kept(column, whole):
        return None if column.str.contains(r"^0\d").any() else whole
    number = column.cast(pl.Float64, strict=False)
    return number if _kept(column, number) else None


def _comma_numbers(column: pl.Series) -> pl.Series | None:
    texts = column.str.strip_chars()
    values = texts.drop_nulls()
    if not values.head(100).str.contains(COMMA_NUMBER).all() or not values.str.contains(COMMA_NUMBER).all():
        return None
    if not values.str.contains(",", literal=True).any():
        return None  # 192.168.100.100 and 007 are no numbers
    plain = texts.str.replace_all(".", "", literal=True).str.replace(",", ".", literal=True)
    number: pl.Series = plain.cast(pl.Float64)
    return number


def _booleans(column: pl.Series) -> pl.Series | None:
    lower = column.str.to_lowercase()
    return lower == "true" if lower.drop_nulls().is_in(["true", "false"]).all() else None


def _times(column: pl.Series) -> pl.Series | None:
    if not column.drop_nulls().str.contains(r"^\d{4}-\d\d-\d\d").all():
        return None  # 01/02/2013 means two days; who knows which says so in the cleaning function
    try:
        day = column.str.to_date("%Y-%m-%d", strict=False)
        if _kept(column, day):
            return day
        moment = column.str.to_datetime(time_unit="us", strict=False)
    except pl.exceptions.PolarsError:
        return None
    return moment if _kept(column, moment) else None


def _check_short_lines(text: str, separator: str, source: Source, where: str) -> None:
    records = csv.reader(StringIO(text), delimiter=separator)
    width = len(next(records, []))
    for record in islice(records, LOOKED_AT):
        if record and len(record) < width:
            raise _ragged(records.line_num, len(record), width, source, where)


def _unreadable(error: pl.exceptions.PolarsError, text: str, separator: str, source: Source, where: str) -> DataError:
    """The line with too many fields, where that is the cause; otherwise the reader's own words."""
    records = csv.reader(StringIO(text), delimiter=separator)
    width = len(next(records, []))
    try:
        for record in records:
            if record and len(record) != width:
                return _ragged(records.line_num, len(record), width, source, where)
    except csv.Error:
        pass  # the file is worse than ragged
    reason = str(error).splitlines()[0]
    return DataError(f"table '{source.name}' cannot be read: {reason}", where, "look for an open quote in the file")


def _ragged(line: int, found: int, width: int, source: Source, where: str) -> DataError:
    return DataError(
        f"line {line} of table '{source.name}' has {found} field{'s' if found != 1 else ''}, the header has {width}",
        f"{where}:{line}",
        "put the field in quotes if it holds the separator, or mend the line",
    )
