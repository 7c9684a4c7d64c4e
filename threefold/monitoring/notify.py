"""Tell people of new alerts, through the channels that the canvas names, until they have been told.

Whom an alert has yet to reach is written in the transaction that opens it, and struck out when it was told. So a broken
channel, or a watch that dies before it sends, costs time and no alert; one that dies right after sending tells twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import delete, select, update

from threefold.design.canvas import Canvas
from threefold.monitoring import channels
from threefold.records import Alert, from_plain
from threefold.store import Store
from threefold.store.schema import alerts, notices

PATIENCE = 2  # failures in a row after which a channel is left alone until the next look: each may take seconds


@dataclass(frozen=True, slots=True)
class NotSent:
    """An alert that a channel did not take, and why. It is tried again at the next look."""

    alert: Alert
    entry: str  # of `watch.notify`
    error: str


def send(store: Store, canvas: Canvas, endpoint: str) -> tuple[NotSent, ...]:
    """Hand each alert that waits to the channels it waits for; returns what they did not take.

    An entry of `watch.notify` is a channel's name and, where it needs one, a target: "console", "file alerts.jsonl",
    "webhook https://…". What fails for the first time, or for another reason than before, leaves an event
    "alert.not sent".
    """
    waiting: dict[str, list[tuple[Alert, str | None]]] = {}
    for alert, entry, error in _waiting(store, endpoint):
        waiting.setdefault(entry, []).append((alert, error))
    return tuple(lost for entry, told in waiting.items() for lost in _through(store, canvas, entry, told))


def _waiting(store: Store, endpoint: str) -> list[tuple[Alert, str, str | None]]:
    query = (
        select(alerts.c.body, notices.c.entry, notices.c.error)
        .join(notices, notices.c.alert == alerts.c.id)
        .where(alerts.c.endpoint == endpoint)
        .order_by(alerts.c.opened_at, alerts.c.id)
    )
    with store.read() as connection:
        return [(from_plain(row.body, Alert), row.entry, row.error) for row in connection.execute(query)]


def _through(
    store: Store, canvas: Canvas, entry: str, waiting: Sequence[tuple[Alert, str | None]]
) -> Iterator[NotSent]:
    """Hand alerts to one channel; yields those that it did not take."""
    now, failures, error = _as_now(canvas, entry), 0, ""
    for alert, before in waiting:
        if now is None:
            _strike_out(store, alert, entry, "alert.not wanted")
            continue
        if failures < PATIENCE:
            failed = _try(canvas, alert, now)
            failures, error = (0, "") if failed is None else (failures + 1, failed)
            if failed is None:
                _strike_out(store, alert, entry, "alert.sent")
                continue
        if error != before:
            _write_down(store, alert, entry, error)
        yield NotSent(alert, entry, error)


def _try(canvas: Canvas, alert: Alert, entry: str) -> str | None:
    """Why a channel did not take an alert; None: it did."""
    name, target = _parts(entry)
    try:
        channels.family.get(name).thing(alert, target, canvas.root)
    except Exception as error:  # a broken channel must not stop the watch, whatever it raises
        return f"{type(error).__name__}: {error}"
    return None


def _as_now(canvas: Canvas, entry: str) -> str | None:
    """The entry as the canvas has it today, where its target may have been mended; None: it names no such channel."""
    same = [one for one in canvas.watch.notify if _parts(one)[0] == _parts(entry)[0]]
    return entry if entry in same else next(iter(same), None)


def _parts(entry: str) -> tuple[str, str]:
    name, _, target = entry.strip().partition(" ")
    return name, target.strip()


def _strike_out(store: Store, alert: Alert, entry: str, kind: str) -> None:
    with store.write() as tx:
        tx.execute(delete(notices).where(notices.c.alert == alert.id, notices.c.entry == entry))
        tx.event(kind, f"endpoint {alert.endpoint}", {"alert": alert.id, "channel": _parts(entry)[0]})


def _write_down(store: Store, alert: Alert, entry: str, error: str) -> None:
    told = {"alert": alert.id, "channel": _parts(entry)[0], "error": error}
    with store.write() as tx:
        tx.execute(update(notices).where(notices.c.alert == alert.id, notices.c.entry == entry).values(error=error))
        tx.event("alert.not sent", f"endpoint {alert.endpoint}", told)
