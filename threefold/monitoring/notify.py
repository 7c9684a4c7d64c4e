"""Tell people of new alerts, through the channels that the canvas names."""

from __future__ import annotations

from collections.abc import Sequence

from threefold.design.canvas import Canvas
from threefold.monitoring import channels
from threefold.records import Alert
from threefold.store import Store


def send(store: Store, canvas: Canvas, alerts: Sequence[Alert]) -> None:
    """Hand each alert to each channel of `watch.notify`.

    An entry is a channel's name and, where it needs one, a target: "console", "file alerts.jsonl",
    "webhook https://…". A channel that fails leaves an event "alert.not sent"; the watch goes on.
    """
    for entry in canvas.watch.notify if alerts else ():
        name, _, target = entry.strip().partition(" ")
        for alert in alerts:
            _send(store, canvas, alert, name, target.strip())


def _send(store: Store, canvas: Canvas, alert: Alert, name: str, target: str) -> None:
    try:
        channels.family.get(name).thing(alert, target, canvas.root)
    except Exception as error:  # a broken channel must not stop the watch, whatever it raises
        told = {"alert": alert.id, "channel": name, "error": f"{type(error).__name__}: {error}"}
        with store.write() as tx:
            tx.event("alert.not sent", f"endpoint {alert.endpoint}", told)
