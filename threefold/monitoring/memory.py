"""Windows and alerts in the catalogue."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, func, insert, select, update

from threefold.monitoring.alerts import Decision
from threefold.records import Alert, WindowReport, from_plain, plain
from threefold.store import Store, Writer
from threefold.store.schema import alerts, log_segments, notices, windows

OPEN = ("open", "acknowledged")
RECENT = 20  # alerts looked at for the budget of pages


@dataclass(frozen=True, slots=True)
class Mark:
    """A window that was judged, without what was found.

    Attributes:
        start, end: data time, as in its report.
        seen: up to which entry of the log, by the moment of its ingestion.
    """

    start: str
    end: str
    seen: str
    rows: int
    labelled: int


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of the log: the times it covers (data time) and when it was ingested."""

    kind: str
    first: datetime
    last: datetime
    ingested: str


@dataclass(frozen=True, slots=True)
class State:
    """What is known before a look.

    Attributes:
        open: alerts that are open.
        recent: the last alerts, open or not.
        end: of the newest window, data time; None before the first.
        seen: up to where any window saw the log; "" before the first.
        log: up to where the log goes.
    """

    open: tuple[Alert, ...]
    recent: tuple[Alert, ...]
    end: datetime | None
    seen: str
    log: str


def read_state(store: Store, endpoint: str) -> State:
    """How far the windows and the log go, and the alerts, as one consistent picture."""
    mine = windows.c.endpoint == endpoint
    newest = select(alerts).where(alerts.c.endpoint == endpoint).order_by(alerts.c.opened_at.desc(), alerts.c.id)
    with store.read() as connection:
        end, seen = connection.execute(select(func.max(windows.c.end), func.max(windows.c.at)).where(mine)).one()
        log = connection.scalar(select(func.max(log_segments.c.created_at)).where(log_segments.c.endpoint == endpoint))
        recent = tuple(_alert(row) for row in connection.execute(newest.limit(RECENT)))
        standing = tuple(_alert(row) for row in connection.execute(newest.where(alerts.c.status.in_(OPEN))))
    return State(standing[::-1], recent, datetime.fromisoformat(end) if end else None, seen or "", log or "")


def read_marks(store: Store, endpoint: str, newest: int | None = None) -> tuple[Mark, ...]:
    """The newest windows, or all of them, in order of time."""
    c = windows.c
    query = (
        select(c.start, c.end, c.at, c.body["rows"].as_integer(), c.body["labelled"].as_integer())
        .where(c.endpoint == endpoint)
        .order_by(c.start.desc())
        .limit(newest)
    )
    with store.read() as connection:
        return tuple(Mark(*row) for row in reversed(connection.execute(query).all()))


def read_reports(store: Store, endpoint: str, starts: Iterable[str]) -> dict[str, WindowReport]:
    """The reports of some windows, by their start."""
    query = select(windows.c.start, windows.c.body).where(
        windows.c.endpoint == endpoint, windows.c.start.in_(list(starts))
    )
    with store.read() as connection:
        return {row.start: from_plain(row.body, WindowReport) for row in connection.execute(query)}


def read_segments(store: Store, endpoint: str, *, after: str, until: datetime | None = None) -> list[Segment]:
    """The parts of the log that were ingested after a moment, or that hold predictions after a data time."""
    c = log_segments.c
    query = select(c.kind, c.first_at, c.last_at, c.created_at).where(c.endpoint == endpoint)
    later = c.created_at > after
    condition = later if until is None else later | ((c.kind == "predictions") & (c.last_at >= until.isoformat()))
    with store.read() as connection:
        return [
            Segment(row.kind, datetime.fromisoformat(row.first_at), datetime.fromisoformat(row.last_at), row.created_at)
            for row in connection.execute(query.where(condition))
        ]


def newest_prediction(store: Store, endpoint: str) -> datetime | None:
    """The latest time that a logged prediction is about."""
    c = log_segments.c
    query = select(func.max(c.last_at)).where(c.endpoint == endpoint, c.kind == "predictions")
    with store.read() as connection:
        found = connection.scalar(query)
    return datetime.fromisoformat(found) if found else None


def save(
    store: Store,
    endpoint: str,
    marks: Sequence[Mark],
    reports: Sequence[WindowReport],
    decision: Decision,
    log: str,
    *,
    notify: Sequence[str] = (),
) -> bool:
    """Keep what a look brought, in one transaction with its events.

    Args:
        marks: the windows as the look found them.
        log: up to where the look saw the log.
        notify: the entries of the canvas that have to be told of new alerts.
    Returns:
        False when another process judged these windows in the meantime; then nothing was kept.
    """
    known = {(one.start, one.end): one.seen for one in marks}
    with store.write() as tx:
        if _moved_on(tx, endpoint, known, reports):
            return False
        for report in reports:
            _save_window(tx, endpoint, report, log, new=(report.start, report.end) not in known)
        for alert in decision.opened:
            _open(tx, alert, notify)
        for closing in decision.closed:
            _close(tx, closing.alert, closing.window_end, closing.reason)
        tx.event("windows.judged", f"endpoint {endpoint}", _told(reports, known))
    return True


def read_alerts(store: Store, endpoint: str, *, only_open: bool = False) -> tuple[Alert, ...]:
    """The alerts of an endpoint, oldest first."""
    query = select(alerts).where(alerts.c.endpoint == endpoint).order_by(alerts.c.opened_at, alerts.c.id)
    if only_open:
        query = query.where(alerts.c.status.in_(OPEN))
    with store.read() as connection:
        return tuple(_alert(row) for row in connection.execute(query))


def read_windows(store: Store, endpoint: str) -> tuple[WindowReport, ...]:
    """Every judged window of an endpoint, in order of time."""
    query = select(windows.c.body).where(windows.c.endpoint == endpoint).order_by(windows.c.start)
    with store.read() as connection:
        return tuple(from_plain(body, WindowReport) for body in connection.scalars(query))


# ---------------------------------------------------------------------------------------------------------- writing


def _moved_on(tx: Writer, endpoint: str, known: Mapping[tuple[str, str], str], reports: Iterable[WindowReport]) -> bool:
    query = select(windows.c.start, windows.c.end, windows.c.at).where(
        windows.c.endpoint == endpoint, windows.c.start.in_([one.start for one in reports])
    )
    now = {(row.start, row.end): row.at for row in tx.execute(query)}
    return any(now.get(key) != known.get(key) for key in [(one.start, one.end) for one in reports])


def _save_window(tx: Writer, endpoint: str, report: WindowReport, log: str, *, new: bool) -> None:
    values: dict[str, Any] = {"body": plain(report), "at": log}
    if new:
        tx.execute(insert(windows).values(endpoint=endpoint, start=report.start, end=report.end, **values))
    else:
        key = (windows.c.endpoint == endpoint, windows.c.start == report.start, windows.c.end == report.end)
        tx.execute(update(windows).where(*key).values(**values))


def _open(tx: Writer, alert: Alert, notify: Sequence[str]) -> None:
    row = {
        "id": alert.id, "endpoint": alert.endpoint, "cause": alert.cause, "status": "open", "body": plain(alert),
        "opened_at": alert.opened_at.isoformat(), "closed_at": None,
    }  # fmt: skip
    tx.execute(insert(alerts).values(**row))
    for entry in dict.fromkeys(notify):
        tx.execute(insert(notices).values(alert=alert.id, entry=entry))
    told = {
        "alert": alert.id, "cause": alert.cause, "severity": alert.severity, "sentence": alert.sentence,
        "window_end": alert.window_end,
    }  # fmt: skip
    tx.event("alert.opened", f"endpoint {alert.endpoint}", told)


def _close(tx: Writer, alert: Alert, window_end: str, reason: str) -> None:
    tx.execute(update(alerts).where(alerts.c.id == alert.id).values(status="closed", closed_at=tx.now))
    told = {"alert": alert.id, "cause": alert.cause, "window_end": window_end, "reason": reason}
    tx.event("alert.closed", f"endpoint {alert.endpoint}", told)


def _told(reports: Sequence[WindowReport], known: Mapping[tuple[str, str], str]) -> dict[str, Any]:
    new = [one for one in reports if (one.start, one.end) not in known]
    told: dict[str, Any] = {"new": len(new), "restated": len(reports) - len(new)}
    return told | {"from": reports[0].start, "to": reports[-1].end, "rows": sum(one.rows for one in reports)}


def _alert(row: Row[Any]) -> Alert:
    return from_plain(row.body, Alert)


def shelf_life(window: timedelta) -> int:
    """How many of the newest windows may still change because labels come late: at least 60, at least five weeks."""
    return max(60, int(timedelta(days=35) / window))
