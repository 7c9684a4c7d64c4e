"""Tell somebody of new alerts, by the channels that the canvas names."""

from __future__ import annotations

from collections.abc import Sequence

from threefold.monitoring import channels
from threefold.records import Alert
from threefold.store import Store


def tell(store: Store, alert: Alert, wanted: Sequence[str]) -> tuple[str, ...]:
    """Send one alert over each channel; returns the names of those that took it.

    A channel that fails, or that nobody knows, is written into the event log ("notify.failed"): the alert itself
    stands in the store already, and the watch goes on.
    """
    taken = []
    for name in wanted:
        try:
            channels.family.get(name).thing(alert, store.root)
            taken.append(name)
        except Exception as error:  # the door to code that is not ours
            with store.write() as tx:
                body = {"channel": name, "alert": alert.id, "error": f"{type(error).__name__}: {error}"}
                tx.event("notify.failed", f"endpoint {alert.endpoint}", body)
    return tuple(taken)
