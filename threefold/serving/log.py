"""The inference log: from the journal of the servers into tables of the store, exactly once, and read from there."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
from sqlalchemy import Connection, delete, insert, select

from threefold.serving.frames import FEEDBACK, PREDICTIONS, REFUSALS, Kind, joined, tables, within_years
from threefold.serving.journal import YEARS, Segment, read_segment, segments
from threefold.serving.log_writer import LogWriter
from threefold.store import Store, Writer
from threefold.store.schema import log_segments

__all__ = [
    "FEEDBACK",
    "PREDICTIONS",
    "REFUSALS",
    "LogWriter",
    "find",
    "ingest",
    "log_folder",
    "read_feedback",
    "read_predictions",
    "read_received",
    "read_refusals",
]


def log_folder(root: Path, endpoint: str) -> Path:
    """Where the servers of an endpoint write; `root` is the store's folder."""
    return root / "log" / endpoint


def ingest(store: Store, endpoint: str) -> int:
    """Bring what the servers wrote since the last call into the store; returns the number of new rows.

    Each record arrives exactly once, whoever is killed at whatever moment and however many call this at a time: how
    far a segment was read is written in the same transaction as the rows. Segments of servers that are gone are
    removed once all of them is in the store. A record that cannot be read, or is about an impossible time, becomes a
    refusal with its reason.
    """
    _mend(store, endpoint)
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
    parts = [store.objects.get_table(digest) for digest in _digests(store, endpoint, "predictions", ingested=since)]
    return joined(parts, PREDICTIONS).filter(pl.col("received_at") >= since).sort("received_at")


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
    parts = {kind: table for kind, table in tables(segment).items() if table.height}
    digests = {kind: store.objects.put_table(table) for kind, table in parts.items()}
    with store.write() as tx:
        if _read_up_to(tx.connection, name) != start:  # another process ingested the same part
            return 0
        for kind, table in parts.items():
            part = f"{name}:{start}-{segment.end}:{kind}"
            tx.execute(insert(log_segments).values(_row(tx, endpoint, kind, part, digests[kind], table)))
        counts: dict[str, int] = {kind: table.height for kind, table in parts.items()}
        tx.event("log.ingested", f"endpoint {endpoint}", {"segment": name, "up_to": segment.end, **counts})
    return sum(counts.values())


def _row(tx: Writer, endpoint: str, kind: str, part: str, digest: str, table: pl.DataFrame) -> dict[str, Any]:
    return {
        "digest": digest, "endpoint": endpoint, "kind": kind, "segment": part, "rows": table.height,
        "first_at": _text(table["time"].min()), "last_at": _text(table["time"].max()), "created_at": tx.now,
    }  # fmt: skip


def _mend(store: Store, endpoint: str) -> None:
    """Set aside what an older Threefold let in: rows of a time that breaks every calendar behind them."""
    c = log_segments.c
    outside = (c.first_at < str(YEARS[0])) | (c.last_at >= str(YEARS[1] + 1))
    with store.read() as connection:
        found = connection.execute(select(log_segments).where(c.endpoint == endpoint, outside)).all()
    for old in found:
        sound, refused = within_years(store.objects.get_table(old.digest), "row")
        kept = {old.kind: sound, "refusals": refused}
        digests = {kind: store.objects.put_table(table) for kind, table in kept.items()}
        with store.write() as tx:
            if tx.execute(delete(log_segments).where(c.digest == old.digest)).rowcount:  # nobody was faster
                for kind, table in kept.items():
                    if table.height:
                        part = old.segment if kind == old.kind else f"{old.segment}:aside"
                        tx.execute(insert(log_segments).values(_row(tx, endpoint, kind, part, digests[kind], table)))
                body = {"segment": old.segment, "set_aside": refused.height}
                tx.event("log.mended", f"endpoint {endpoint}", body)


def _read_up_to(connection: Connection, name: str) -> int:
    """How far a segment is ingested: the largest end among its parts, named "<file>:<start>-<end>:<kind>"."""
    mine = log_segments.c.segment.startswith(f"{name}:", autoescape=True)
    parts = connection.scalars(select(log_segments.c.segment).where(mine))
    return max((int(part.split(":")[1].split("-")[1]) for part in parts), default=0)


def _clear_away(path: Path, segment: Segment) -> None:
    if segment.end == segment.size:
        path.unlink(missing_ok=True)
    else:  # the torn tail was never acknowledged; it is kept beside the log for whoever wants to look
        path.rename(path.with_suffix(".torn"))


# ------------------------------------------------------------------------------------------------------ reading


def _read(
    store: Store, endpoint: str, kind: Kind, schema: dict[str, Any], start: datetime | None, end: datetime | None
) -> pl.DataFrame:
    parts = [store.objects.get_table(digest) for digest in _digests(store, endpoint, kind, start, end)]
    table = joined(parts, schema)
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
        if store.objects.scan_table(digest).filter(wanted).select(pl.len()).collect().item():
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
        yield tables(segment)[kind]


def _text(moment: Any) -> str:
    """A naive datetime as text that sorts like the moment."""
    return str(moment.isoformat(timespec="microseconds"))
