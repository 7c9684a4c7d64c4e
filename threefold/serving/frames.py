"""The frames of a segment as tables; a record that cannot be one is set aside with its reason, and the others go on.

A client's mistake is refused at the door. What got past it all the same, with an older server or a fault of ours, must
not keep the rest of the log from being read: it becomes a row of the refusals.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import groupby
from typing import Any, Literal, TypeVar

import msgspec
import numpy as np
import polars as pl

from threefold.records import utc_now
from threefold.serving.journal import (
    EARLIEST_US,
    LATEST_US,
    YEARS,
    Columns,
    Feedback,
    Inference,
    Refusal,
    Segment,
)

Kind = Literal["predictions", "feedback", "refusals"]
T = TypeVar("T")

ARRIVAL = pl.Datetime("us", "UTC")
PREDICTIONS: dict[str, Any] = {
    "prediction_id": pl.String,
    "request_id": pl.String,
    "time": pl.Datetime("us"),  # what the prediction is about, on the clock of the data
    "received_at": ARRIVAL,
    "version": pl.Int64,
    "source": pl.String,  # model, fallback; none where nobody could answer
    "status": pl.String,  # ok, fallback, error
    "checks": pl.List(pl.String),  # input:<rule>:<feature>, output:<rule>, model:<why it did not answer>
    "latency_ms": pl.Float64,
    "score": pl.Float64,  # binary: probability of "yes"; multi-class: of the likeliest; regression: the value
    "scores": pl.List(pl.Float64),
}
FEEDBACK: dict[str, Any] = {
    "prediction_id": pl.String,
    "value": pl.String,
    "time": pl.Datetime("us"),
    "received_at": ARRIVAL,
}
REFUSALS: dict[str, Any] = {
    "request_id": pl.String,
    "time": pl.Datetime("us"),
    "received_at": ARRIVAL,
    "status": pl.Int64,
    "error": pl.String,
}
STATUS = {"model": "ok", "fallback": "fallback", "none": "error"}
BAD_TIME, UNREADABLE = 400, 500  # status of what is set aside: the client's mistake, and ours


def tables(segment: Segment) -> dict[Kind, pl.DataFrame]:
    """What a segment holds, and under "refusals" also what had to be set aside."""
    aside: list[Refusal] = []
    predictions = [r for r in _decoded(segment, b"p", Inference, aside) if _has_columns(r, segment.columns, aside)]
    told = _sound(_decoded(segment, b"f", Feedback, aside), _feedback_table, aside)
    refused = _sound(_decoded(segment, b"r", Refusal, aside), _refusal_table, aside)
    rows = _sound(predictions, lambda records: _prediction_table(records, segment.columns), aside)
    rows, late = within_years(rows, "prediction")
    told, late_told = within_years(told, "label for")
    refusals = [part for part in (refused, _refusal_table(aside), late, late_told) if part.height]
    return {
        "predictions": rows if rows.width else pl.DataFrame(schema=PREDICTIONS),
        "feedback": told if told.width else pl.DataFrame(schema=FEEDBACK),
        "refusals": pl.concat(refusals) if refusals else pl.DataFrame(schema=REFUSALS),
    }


def within_years(rows: pl.DataFrame, noun: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The rows whose time a calendar can hold, and the others as refusals."""
    if rows.is_empty():
        return rows, pl.DataFrame(schema=REFUSALS)
    us = pl.col("time").dt.epoch("us")
    sound = (us >= EARLIEST_US) & (us < LATEST_US)
    id_ = pl.col("request_id") if "request_id" in rows.columns else pl.col("prediction_id")
    why = f" lies outside the years {YEARS[0]} to {YEARS[1]}; the row is left out"
    others = rows.filter(~sound).select(
        id_.alias("request_id"),
        pl.col("received_at").dt.replace_time_zone(None).alias("time"),
        "received_at",
        pl.lit(BAD_TIME, pl.Int64).alias("status"),
        pl.format(f"the time of the {noun} '{{}}'{why}", "prediction_id").alias("error"),
    )
    return rows.filter(sound), others


def _decoded(segment: Segment, kind: bytes, record: type[T], aside: list[Refusal]) -> list[T]:
    decoder, found = msgspec.msgpack.Decoder(record), []
    for one, payload in segment.frames:
        if one == kind:
            try:
                found.append(decoder.decode(payload))
            except msgspec.DecodeError as error:
                aside.append(_set_aside("", f"a record of the log cannot be read: {error}"))
    return found


def _has_columns(record: Inference, columns: list[Columns], aside: list[Refusal]) -> bool:
    known = 0 <= record.columns < len(columns)
    if not known:
        aside.append(_set_aside(record.request_id, "a record of the log names columns that the segment does not hold"))
    return known


def _sound(records: list[Any], table: Callable[[list[Any]], pl.DataFrame], aside: list[Refusal]) -> pl.DataFrame:
    """The table of some records. Where they make none together, each is tried alone, and the odd one set aside."""
    try:
        return table(records)
    except Exception as error:  # numpy and polars raise many kinds over lengths, shapes and ranges
        if len(records) == 1:
            request_id = getattr(records[0], "request_id", "")
            aside.append(_set_aside(request_id, f"a record of the log makes no table: {error}"))
            return table([])
    half = len(records) // 2
    return joined([_sound(part, table, aside) for part in (records[:half], records[half:])], {})


def _set_aside(request_id: str, reason: str) -> Refusal:
    return Refusal(request_id, int(utc_now().timestamp() * 1_000_000), UNREADABLE, reason[:500])


def joined(parts: list[pl.DataFrame], schema: dict[str, Any]) -> pl.DataFrame:
    """Tables below one another; a column that some do not have is null in their rows."""
    return pl.concat(parts, how="diagonal_relaxed") if parts else pl.DataFrame(schema=schema)


def _prediction_table(records: list[Inference], columns: list[Columns]) -> pl.DataFrame:
    parts = [
        _same_columns(list(group), columns[number])
        for number, group in groupby(sorted(records, key=_columns_of), key=_columns_of)
    ]
    return joined(parts, PREDICTIONS)


def _columns_of(record: Inference) -> int:
    return record.columns


def _same_columns(records: list[Inference], columns: Columns) -> pl.DataFrame:
    counts = [len(record.ids) for record in records]
    sources = list(_each(records, counts, "sources"))
    scores = [row for record in records for row in _score_rows(record)]
    checks = [row for record, n in zip(records, counts, strict=True) for row in record.checks or [[]] * n]
    table: dict[str, list[Any]] = {
        "prediction_id": [id_ for record in records for id_ in record.ids],
        "request_id": [record.request_id for record, n in zip(records, counts, strict=True) for _ in range(n)],
        "time": [time for record in records for time in record.times_us or [record.received_us] * len(record.ids)],
        "received_at": [record.received_us for record, n in zip(records, counts, strict=True) for _ in range(n)],
        "version": list(_each(records, counts, "versions")),
        "source": sources,
        "status": [STATUS[source] for source in sources],
        "checks": checks,
        "latency_ms": list(_each(records, counts, "latency_ms")),
        "score": [None if row is None else row[0] if len(row) == 1 else max(row) for row in scores],
        "scores": scores,
    }
    frame = pl.DataFrame({name: pl.Series(table[name], dtype=dtype) for name, dtype in PREDICTIONS.items()})
    return frame.with_columns(_feature_columns(records, columns))


def _feature_columns(records: list[Inference], columns: Columns) -> list[pl.Series]:
    width = len(columns.numbers)
    blocks = [np.frombuffer(record.numbers, np.float32).reshape(width, len(record.ids)) for record in records]
    numbers = np.concatenate(blocks, axis=1)
    series = [pl.Series(f"x.{name}", row).fill_nan(None) for name, row in zip(columns.numbers, numbers, strict=True)]
    for index, name in enumerate(columns.texts):
        values = [value or None for record in records for value in record.texts[index]]
        series.append(pl.Series(f"x.{name}", values, dtype=pl.String))
    return series


def _score_rows(record: Inference) -> list[list[float] | None]:
    rows = np.frombuffer(record.scores, np.float64).reshape(len(record.ids), record.width).tolist()
    return [None if any(value != value for value in row) else row for row in rows]


def _each(records: list[Inference], counts: list[int], field: str) -> Iterator[Any]:
    """One value per row: a list with one element holds for every row of its request."""
    for record, count in zip(records, counts, strict=True):
        values = getattr(record, field)
        yield from values * count if len(values) == 1 else values


def _feedback_table(records: list[Feedback]) -> pl.DataFrame:
    rows = [
        (id_, value, record.received_us if time is None else time, record.received_us)
        for record in records
        for id_, value, time in zip(record.ids, record.values, record.times_us, strict=True)
    ]
    return pl.DataFrame(rows, schema=FEEDBACK, orient="row")


def _refusal_table(records: list[Refusal]) -> pl.DataFrame:
    rows = [(r.request_id, r.received_us, r.received_us, r.status, r.error) for r in records]
    return pl.DataFrame(rows, schema=REFUSALS, orient="row")
