"""A POST of the alert as JSON, to whatever listens there."""

from __future__ import annotations

from pathlib import Path

from threefold.errors import ThreefoldError
from threefold.monitoring import channels
from threefold.records import Alert, plain

TIMEOUT_S = 5.0


@channels.add("webhook")
def to_webhook(alert: Alert, target: str, root: Path) -> None:
    """Send the alert; `target` is the address. Digests are left out: a webhook mostly wakes somebody."""
    if alert.severity != "page":
        return
    if not target:
        raise ThreefoldError("the webhook has no address", "watch.notify", 'write "webhook https://…"')
    import httpx  # 100 ms: only who uses a webhook pays for it

    body = {"text": f"{alert.cause}: {alert.sentence}", "alert": plain(alert)}
    httpx.post(target, json=body, timeout=TIMEOUT_S).raise_for_status()
