"""Dates that people write in other ways than ISO: found out where only one reading fits every value."""

from __future__ import annotations

import json
from dataclasses import dataclass

import polars as pl

# Day first and month first both stand here: where both fit every value, nobody can know.
DAYS = (
    "%Y/%m/%d", "%Y.%m.%d", "%d.%m.%Y", "%d.%m.%y", "%d/%m/%Y", "%m/%d/%Y", "%d/%m/%y", "%m/%d/%y", "%d-%m-%Y",
    "%m-%d-%Y", "%b %d %Y", "%b %d, %Y", "%B %d %Y", "%B %d, %Y", "%d %b %Y", "%d %B %Y", "%d-%b-%Y", "%d-%b-%y",
)  # fmt: skip
CLOCKS = (" %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p")
DAYS_WITH_CLOCK = tuple(day + clock for day in DAYS for clock in CLOCKS)
LOOKS_LIKE = (
    r"^(\d{1,4}[/.-]\d{1,2}[/.-]\d{1,4}|[A-Za-z]{3,9}\.? \d{1,2},? \d{4}|\d{1,2}[ -][A-Za-z]{3,9}[ -]\d{2,4})\b"
)


@dataclass(frozen=True, slots=True)
class Reading:
    """How the texts of a column are read as times.

    Attributes:
        form: the format, as strptime takes it.
        example: the first value.
    """

    column: str
    form: str
    example: str

    @property
    def with_clock(self) -> bool:
        """Whether it has a time of day."""
        return "%H" in self.form or "%I" in self.form

    def expression(self) -> pl.Expr:
        """The column as dates or times."""
        text = pl.col(self.column).str
        return text.to_datetime(self.form, time_unit="us") if self.with_clock else text.to_date(self.form)

    def code(self) -> str:
        """The same as Python text.

        >>> Reading("day", "%d.%m.%Y", "31.1.2024").code()
        'pl.col("day").str.to_date("%d.%m.%Y")'
        """
        column, form = json.dumps(self.column, ensure_ascii=False), json.dumps(self.form)
        if self.with_clock:
            return f'pl.col({column}).str.to_datetime({form}, time_unit="us")'
        return f"pl.col({column}).str.to_date({form})"


def looks_like_dates(column: pl.Series) -> bool:
    """Whether every text begins like a date."""
    values = column.drop_nulls()
    return column.dtype == pl.String and len(values) > 0 and bool(values.str.contains(LOOKS_LIKE).all())


def reading_of(column: pl.Series) -> Reading | None:
    """The one way to read a column of texts as times; None where there is none, or several that differ."""
    if not looks_like_dates(column):
        return None
    values = column.drop_nulls().unique(maintain_order=True)
    forms = DAYS_WITH_CLOCK if ":" in values[0] else DAYS
    found: list[tuple[str, pl.Series]] = []
    for form in forms:
        read = _read(values, form)
        if read is not None and not any(read.equals(other) for _, other in found):
            found.append((form, read))
    return Reading(column.name, found[0][0], values[0]) if len(found) == 1 else None


def _read(values: pl.Series, form: str) -> pl.Series | None:
    """The values as times; None where one does not fit, or the century is off ("%Y" reads "13" as the year 13)."""
    kind = pl.Datetime("us") if ":" in form or "%H" in form else pl.Date()
    read = values.str.strptime(kind, form, strict=False)
    if read.null_count() or not bool(read.dt.year().is_between(1800, 2200).all()):
        return None
    return read.cast(pl.Datetime("us"))


def calendar(column: str, dtype: pl.DataType) -> tuple[str, ...]:
    """The names of the features that a time gives where no view says otherwise.

    >>> calendar("sent", pl.Date())
    ('sent_month', 'sent_weekday')
    """
    if dtype != pl.Date and not isinstance(dtype, pl.Datetime):
        return ()
    parts = ("month", "weekday") if dtype == pl.Date else ("month", "weekday", "hour")
    return tuple(f"{column}_{part}" for part in parts)
