"""The inference log: from the journal of the servers into tables of the store, exactly once, and read from there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
import polars as pl
from sqlalchemy import Connection, insert, select

from threefold.serving.journal import (
    Columns,
    Feedback,
    Inference,
    LogWriter,
    Refusal,
    Segment,
    read_segment,
    segments,
)
from threefold.store import Store
from threefold.store.schema import log_segments

__all__ = [
    "LogWriter",
    "find",
    "ingest",
    "log_folder",
    "read_feedback",
    "read_predictions",
    "read_received",
    "read_refusals",
]

Kind = Literal["predictions", "feedback", "refusals"]
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


def log_folder(root: Path, endpoint: str) -> Path:
    """Where the servers of an endpoint write; `root` is the store's folder."""
    return root / "log" / endpoint


def ingest(store: Store, endpoint: str) -> int:
    """Bring what the servers wrote since the last call into the store; returns the number of new rows.

    Each record arrives exactly once, whoever is killed at whatever moment and however many call this at a time: how
    far a segment was read is written in the same transaction as the rows. Segments of servers that are gone are
    removed once all of them is in the store.
    """
    return sum(_ingest_segment(store, endpoint, path) for path in segments(log_folder(store.root, endpoint)))


def read_predictions(
    store: Store, endpoint: str, start: datetime | None = None, end: datetime | None = None
) -> pl.DataFrame:
    """The ingested predictions with start <= time < end, in order of time.

    Times are prediction times, on the clock of the data and without zone. Features are columns named "x.<feature>";
    a feature that only some versions had is null in the other rows.
    """
    return _read(store, endpoint, "predictions", PREDICTIONS, start, end)


def read_received(store: Store, endpoint: str, since: datetime) -> pl.DataFrame:
    """The ingested predictions that arrived at or after a moment (UTC, with zone), whatever time they are about."""
    # What arrived after the moment was also ingested after it, so older tables need not be opened.
    tables = [store.objects.get_table(digest) for digest in _digests(store, endpoint, "predictions", ingested=since)]
    return _joined(tables, PREDICTIONS).filter(pl.col("received_at") >= since).sort("received_at")


def read_feedback(
    store: Store, endpoint: str, start: datetime | None = None, end: datetime | None = None
) -> pl.DataFrame:
    """The ingested labels that became known in start <= time < end. A label sent twice stands here twice."""
    return _read(store, endpoint, "feedback", FEEDBACK, start, end)


def read_refusals(
    store: Store, endpoint: str, start: datetime | None = None, end: datetime | None = None
) -> pl.DataFrame:
    """The ingested requests that got no prediction, with the status and error that were sent."""
    return _read(store, endpoint, "refusals", REFUSALS, start, end)


def find(store: Store, endpoint: str, prediction_id: str) -> dict[str, Any] | None:
    """One prediction with its features, also when it is not yet ingested; the last where an id was used twice.

    Returns:
        The row as in `read_predictions`, and "labels": the feedback on it, oldest first. None: there is no such id.
    """
    rows = _matching(store, endpoint, "predictions", prediction_id)
    if not rows:
        return None
    labels = _matching(store, endpoint, "feedback", prediction_id)
    return {**rows[-1], "labels": [{"value": row["value"], "time": row["time"]} for row in labels]}


# ------------------------------------------------------------------------------------------------------ ingest


def _ingest_segment(store: Store, endpoint: str, path: Path) -> int:
    with store.read() as connection:
        start = _read_up_to(connection, path.name)
    try:
        segment, final = read_segment(path, start)
    except FileNotFoundError:  # another process was faster
        return 0
    rows = _keep(store, endpoint, path.name, start, segment) if segment.frames else 0
    if final:
        _clear_away(path, segment)
    return rows


def _keep(store: Store, endpoint: str, name: str, start: int, segment: Segment) -> int:
    tables = {kind: table for kind, table in _tables(segment).items() if table.height}
    digests = {kind: store.objects.put_table(table) for kind, table in tables.items()}
    with store.write() as tx:
        if _read_up_to(tx.connection, name) != start:  # another process ingested the same part
            return 0
        for kind, table in tables.items():
            first, last = table["time"].min(), table["time"].max()
            tx.execute(
                insert(log_segments).values(
                    digest=digests[kind], endpoint=endpoint, kind=kind, rows=table.height, created_at=tx.now,
                    segment=f"{name}:{start}-{segment.end}:{kind}", first_at=_text(first), last_at=_text(last),
                )
            )  # fmt: skip
        counts: dict[str, int] = {kind: table.height for kind, table in tables.items()}
        tx.event("log.ingested", f"endpoint {endpoint}", {"segment": name, "up_to": segment.end, **counts})
    return sum(counts.values())


def _read_up_to(connection: Connection, name: str) -> int:
    """How far a segment is ingested: the largest end among its parts, named "<file>:<start>-<end>:<kind>"."""
    parts = connection.scalars(select(log_segments.c.segment).where(log_segments.c.segment.startswith(f"{name}:")))
    return max((int(part.split(":")[1].split("-")[1]) for part in parts), default=0)


def _clear_away(path: Path, segment: Segment) -> None:
    if segment.end == segment.size:
        path.unlink(missing_ok=True)
    else:  # the torn tail was never acknowledged; it is kept beside the log for whoever wants to look
        path.rename(path.with_suffix(".torn"))


def _tables(segment: Segment) -> dict[Kind, pl.DataFrame]:
    records: dict[bytes, list[Any]] = {b"p": [], b"f": [], b"r": []}
    for kind, payload in segment.frames:
        if kind in records:
            records[kind].append(_decoders[kind].decode(payload))
    return {
        "predictions": _prediction_table(records[b"p"], segment.columns),
        "feedback": _feedback_table(records[b"f"]),
        "refusals": _refusal_table(records[b"r"]),
    }


def _prediction_table(records: list[Inference], columns: list[Columns]) -> pl.DataFrame:
    parts = [
        _same_columns(list(group), columns[number])
        for number, group in groupby(sorted(records, key=_columns_of), key=_columns_of)
    ]
    return _joined(parts, PREDICTIONS)


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


# ------------------------------------------------------------------------------------------------------ reading


def _read(
    store: Store, endpoint: str, kind: Kind, schema: dict[str, Any], start: datetime | None, end: datetime | None
) -> pl.DataFrame:
    tables = (store.objects.get_table(digest) for digest in _digests(store, endpoint, kind, start, end))
    table = _joined(tables, schema)
    if start is not None:
        table = table.filter(pl.col("time") >= start)
    if end is not None:
        table = table.filter(pl.col("time") < end)
    return table.sort("time", "received_at", maintain_order=True)


def _digests(
    store: Store,
    endpoint: str,
    kind: Kind,
    start: datetime | None = None,
    end: datetime | None = None,
    ingested: datetime | None = None,
) -> list[str]:
    query = select(log_segments.c.digest).where(log_segments.c.endpoint == endpoint, log_segments.c.kind == kind)
    if start is not None:
        query = query.where(log_segments.c.last_at >= _text(start))
    if end is not None:
        query = query.where(log_segments.c.first_at < _text(end))
    if ingested is not None:
        query = query.where(log_segments.c.created_at >= ingested.isoformat())
    with store.read() as connection:
        return list(connection.scalars(query.order_by(log_segments.c.created_at)))


def _matching(store: Store, endpoint: str, kind: Kind, prediction_id: str) -> list[dict[str, Any]]:
    wanted = pl.col("prediction_id") == prediction_id
    found = [table.filter(wanted) for table in _not_ingested(store, endpoint, kind)]
    for digest in _digests(store, endpoint, kind):
        if pl.scan_parquet(store.objects.path(digest)).filter(wanted).select(pl.len()).collect().item():
            found.append(store.objects.get_table(digest).filter(wanted))
    rows = [row for table in found for row in table.to_dicts()]
    return sorted(rows, key=lambda row: row["received_at"])


def _not_ingested(store: Store, endpoint: str, kind: Kind) -> Iterator[pl.DataFrame]:
    for path in segments(log_folder(store.root, endpoint)):
        with store.read() as connection:
            start = _read_up_to(connection, path.name)
        try:
            segment, _ = read_segment(path, start)
        except FileNotFoundError:  # ingested in the meantime: it is found in the store
            continue
        yield _tables(segment)[kind]


def _joined(tables: Iterable[pl.DataFrame], schema: dict[str, Any]) -> pl.DataFrame:
    parts = list(tables)
    return pl.concat(parts, how="diagonal_relaxed") if parts else pl.DataFrame(schema=schema)


def _text(moment: Any) -> str:
    """A naive datetime as text that sorts like the moment."""
    return str(moment.isoformat(timespec="microseconds"))


_decoders: dict[bytes, msgspec.msgpack.Decoder[Any]] = {
    b"p": msgspec.msgpack.Decoder(Inference),
    b"f": msgspec.msgpack.Decoder(Feedback),
    b"r": msgspec.msgpack.Decoder(Refusal),
}
