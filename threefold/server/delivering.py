"""Deliveries of webhooks: signed, tried again with growing pauses, remembered in the catalogue between the tries."""

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
import random
import threading
import time
import uuid
from typing import Any

from sqlalchemy import or_, select, update

from threefold.records import now_ms
from threefold.store import Store, webhooks
from threefold.store.queue import WriteQueue
from threefold.store.schema import deliveries

TRIES = 8
LONGEST_PAUSE_S = 300.0
TIMEOUT_S = 30.0
LOOK_EVERY_S = 0.25  # a delivery leaves at most this long after its change
AT_ONCE = 50  # deliveries looked at together
KEPT = 2_000  # letters of an answer
_AGAIN = (429, 500, 502, 503, 504)

logger = logging.getLogger(__name__)


class Courier:
    """Sends what waits, in a thread of its own, until it is closed."""

    def __init__(self, store: Store, queue: WriteQueue) -> None:
        self._store = store
        self._queue = queue
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work, name="courier", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Finish the delivery that is under way, then end; what waits is sent after the next start."""
        self._over.set()
        self._thread.join(TIMEOUT_S)

    def _work(self) -> None:
        while not self._over.wait(LOOK_EVERY_S):
            try:
                deliver_due(self._store, self._queue)
            except Exception:  # a thread's door: the catalogue may be away for a while
                logger.exception("deliveries are late")


def deliver_due(store: Store, queue: WriteQueue) -> int:
    """Send every delivery whose time has come, once; returns how many were tried."""
    now = now_ms()
    # One that is due later than any pause lasts was put off before the clock was set back.
    in_time = or_(deliveries.c.due_ms <= now, deliveries.c.due_ms > now + round(2_000 * LONGEST_PAUSE_S))
    due = (deliveries.c.status == "waiting", in_time)
    with store.read() as connection:
        rows = connection.execute(select(deliveries).where(*due).order_by(deliveries.c.due_ms).limit(AT_ONCE)).all()
        known = {row.webhook_id: webhooks.get(connection, row.webhook_id) for row in rows}
    for row in rows:
        hook = known[row.webhook_id]
        status, text = attempt(hook.url, row.payload, webhooks.secret_of(store, hook), row.id)
        _note(queue, row, status, text)
    return len(rows)


def attempt(url: str, payload: str, secret: str | None, delivery: str | None = None) -> tuple[int | None, str]:
    """Send one body to one address; status and text of the answer, or None and what went wrong."""
    import httpx  # 100 ms: only a server that delivers something pays for it

    delivery_id, moment = delivery or str(uuid.uuid4()), str(int(time.time()))
    headers = {
        "Content-Type": "application/json", "X-MLflow-Delivery-Id": delivery_id, "X-MLflow-Timestamp": moment,
    }  # fmt: skip
    if secret:
        headers["X-MLflow-Signature"] = signature(secret, delivery_id, moment, payload)
    try:
        answer = httpx.post(url, content=payload.encode(), headers=headers, timeout=TIMEOUT_S)
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        return None, f"{type(error).__name__}: {error}"
    return answer.status_code, answer.text[:KEPT]


def signature(secret: str, delivery_id: str, moment: str, payload: str) -> str:
    """How a receiver knows that a delivery comes from here: HMAC-SHA256 over id, moment and body.

    >>> signature("s", "1", "2", "{}")[:3]
    'v1,'
    """
    signed = hmac.new(secret.encode(), f"{delivery_id}.{moment}.{payload}".encode(), hashlib.sha256).digest()
    return f"v1,{base64.b64encode(signed).decode()}"


def pause_s(tries: int) -> float:
    """How long to wait after so many tries: 1, 2, 4 … seconds, and up to one more, so that not all come back at once."""
    return min(LONGEST_PAUSE_S, 2.0 ** (tries - 1)) + random.random()


def example_of(event: str) -> dict[str, Any]:
    """What a delivery of an event may carry, for trying an address out."""
    entity, _, action = event.partition(".")
    name = "example_prompt" if entity.startswith("prompt") else "example_model"
    data: dict[str, Any] = {"name": name}
    if "version" in entity or (entity == "prompt_alias" and action == "created"):
        data["version"] = "1"
    if entity.endswith("_tag"):
        return {**data, "key": "example_key", **({"value": "example_value"} if action == "set" else {})}
    if entity.endswith("_alias"):
        if action == "deleted":
            data.pop("version", None)
        return {**data, "alias": "example_alias"}
    if entity == "model_version":
        data |= {"source": "models:/123", "run_id": "abcd1234abcd5678"}
    if entity == "prompt_version":
        data["template"] = "Hello {{name}}!"
    return {**data, "tags": {"example_key": "example_value"}, "description": f"An {name.replace('_', ' ')}"}


def _note(queue: WriteQueue, row: Any, status: int | None, text: str) -> None:
    tries = row.attempts + 1
    values: dict[str, Any] = {"attempts": tries, "status": "delivered", "error": None}
    if status is None or status >= 400:
        values["error"] = text if status is None else f"HTTP {status}: {text}"
        again = (status is None or status in _AGAIN) and tries < TRIES
        values["status"] = "waiting" if again else "failed"
        values["due_ms"] = now_ms() + round(pause_s(tries) * 1_000)
    mine = update(deliveries).where(deliveries.c.id == row.id)
    queue.submit(lambda tx: tx.execute(mine.values(**values))).result()
