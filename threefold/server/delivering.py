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
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, or_, select, update

from threefold.records import now_ms
from threefold.store import Store, webhooks
from threefold.store.queue import WriteQueue
from threefold.store.schema import deliveries
from threefold.store.webhooks import Webhook

TRIES = 8
LONGEST_PAUSE_S = 300.0
TIMEOUT_S = 30.0
LOOK_EVERY_S = 0.25  # a delivery leaves at most this long after its change
AT_ONCE = 50  # deliveries to one address, looked at together
SIDE_BY_SIDE = 8  # addresses that are told at the same time, so that a slow one holds up few
KEPT = 2_000  # letters of an answer
_AGAIN = (429, 500, 502, 503, 504)

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Answer:
    """What an address said.

    Attributes:
        status: None where there was no answer; `text` says what went wrong.
        wait_s: how long it asks us to wait before the next try, by its header Retry-After.
    """

    status: int | None
    text: str
    wait_s: float = 0.0


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
        waiting = connection.scalars(select(deliveries.c.webhook_id).where(*due).distinct()).all()
        rounds = [(webhooks.get(connection, one), _due_of(connection, one, due)) for one in waiting]
    if not rounds:
        return 0
    with ThreadPoolExecutor(min(len(rounds), SIDE_BY_SIDE)) as senders:
        return sum(senders.map(lambda mine: _send_in_order(store, queue, *mine), rounds))


def _due_of(connection: Connection, webhook_id: str, due: tuple[ColumnElement[bool], ...]) -> Sequence[Any]:
    mine = select(deliveries).where(*due, deliveries.c.webhook_id == webhook_id)
    return connection.execute(mine.order_by(deliveries.c.due_ms).limit(AT_ONCE)).all()


def _send_in_order(store: Store, queue: WriteQueue, hook: Webhook, rows: Sequence[Any]) -> int:
    """Tell one address what waits for it; returns how many deliveries were tried."""
    secret = webhooks.secret_of(store, hook)
    for tried, row in enumerate(rows, 1):
        answer = attempt(hook.url, row.payload, secret, row.id)
        _note(queue, row, answer)
        if answer.status is None:  # the others would wait as long for nothing, and whoever else is told with them
            return tried
    return len(rows)


def attempt(url: str, payload: str, secret: str | None, delivery: str | None = None) -> Answer:
    """Send one body to one address."""
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
        return Answer(None, f"{type(error).__name__}: {error}")
    asked = answer.headers.get("retry-after", "")
    return Answer(answer.status_code, answer.text[:KEPT], float(asked) if asked.isdecimal() else 0.0)


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
    described = f"An example {entity.replace('_', ' ')}"
    return {**data, "tags": {"example_key": "example_value"}, "description": described}


def _note(queue: WriteQueue, row: Any, answer: Answer) -> None:
    tries, status = row.attempts + 1, answer.status
    values: dict[str, Any] = {"attempts": tries, "status": "delivered", "error": None}
    if status is None or status >= 400:
        values["error"] = answer.text if status is None else f"HTTP {status}: {answer.text}"
        again = (status is None or status in _AGAIN) and tries < TRIES
        values["status"] = "waiting" if again else "failed"
        wait_s = max(pause_s(tries), min(answer.wait_s, LONGEST_PAUSE_S))
        values["due_ms"] = now_ms() + round(wait_s * 1_000)
    mine = update(deliveries).where(deliveries.c.id == row.id)
    queue.submit(lambda tx: tx.execute(mine.values(**values))).result()
