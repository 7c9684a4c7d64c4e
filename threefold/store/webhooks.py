"""Webhooks: who is told of what, and what is still to be delivered.

A change that somebody waits for puts its deliveries into the catalogue in its own transaction: they are sent if and only if
the change was kept, and a restart forgets none.
"""

from __future__ import annotations

import base64
import json
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlparse

from cryptography.fernet import Fernet
from sqlalchemy import Connection, insert, select, update

from threefold.errors import DataError, NotFound
from threefold.records import now_ms, utc_now
from threefold.store.schema import deliveries, webhooks
from threefold.store.store import Store, Writer, new_id

EVENTS = (
    "registered_model.created", "model_version.created", "model_version_tag.set", "model_version_tag.deleted",
    "model_version_alias.created", "model_version_alias.deleted", "prompt.created", "prompt_version.created",
    "prompt_tag.set", "prompt_tag.deleted", "prompt_version_tag.set", "prompt_version_tag.deleted",
    "prompt_alias.created", "prompt_alias.deleted",
)  # fmt: skip
STATUSES = ("ACTIVE", "DISABLED")
_NAME = re.compile(r"[a-zA-Z0-9]([a-zA-Z0-9._-]{0,61}[a-zA-Z0-9])?")


@dataclass(frozen=True, slots=True)
class Webhook:
    """One address that is told.

    Attributes:
        events: of EVENTS.
        secret: as it is kept, encrypted; None: deliveries are not signed.
    """

    id: str
    name: str
    description: str | None
    url: str
    events: tuple[str, ...]
    secret: str | None
    status: str
    created_ms: int
    updated_ms: int


def create(
    tx: Writer, key: bytes, *, name: str, url: str, events: Sequence[str], description: str | None = None,
    secret: str | None = None, status: str | None = None,
) -> Webhook:  # fmt: skip
    """Tell an address from now on. Raises DataError.

    Args:
        key: of the store; the secret is encrypted under it.
    """
    _check(name=name, url=url, events=events)
    at = now_ms()
    row = {
        "id": str(uuid.uuid4()), "name": name, "description": description, "url": url, "events": list(events),
        "secret": _lock(key, secret) if secret else None, "status": status or "ACTIVE", "created_ms": at,
        "updated_ms": at,
    }  # fmt: skip
    tx.execute(insert(webhooks).values(**row))
    tx.event("webhook.created", f"webhook {row['id']}", {"name": name, "url": _host(url), "events": list(events)})
    return get(tx.connection, str(row["id"]))


def change(tx: Writer, key: bytes, webhook_id: str, **values: Any) -> Webhook:
    """Change a webhook; None leaves a part as it is. Raises NotFound, DataError."""
    get(tx.connection, webhook_id)
    given = {name: value for name, value in values.items() if value is not None}
    _check(**{name: value for name, value in given.items() if name in ("name", "url", "events")})
    if "secret" in given:
        given["secret"] = _lock(key, given["secret"])
    tx.execute(update(webhooks).where(webhooks.c.id == webhook_id).values(updated_ms=now_ms(), **given))
    tx.event("webhook.changed", f"webhook {webhook_id}", {"parts": sorted(given)})
    return get(tx.connection, webhook_id)


def remove(tx: Writer, webhook_id: str) -> None:
    """Tell an address no longer. Raises NotFound."""
    get(tx.connection, webhook_id)
    tx.execute(update(webhooks).where(webhooks.c.id == webhook_id).values(deleted_at=tx.now))
    waiting = (deliveries.c.webhook_id == webhook_id, deliveries.c.status == "waiting")
    tx.execute(update(deliveries).where(*waiting).values(status="failed", error="the webhook was deleted"))
    tx.event("webhook.deleted", f"webhook {webhook_id}", {})


def get(connection: Connection, webhook_id: str) -> Webhook:
    """One webhook. Raises NotFound."""
    mine = select(webhooks).where(webhooks.c.id == webhook_id, webhooks.c.deleted_at.is_(None))
    row = connection.execute(mine).first()
    if row is None:
        raise NotFound(f"Webhook with ID {webhook_id} not found", "the store", "see webhooks")
    return _webhook(row)


def listed(connection: Connection, limit: int, offset: int) -> list[Webhook]:
    """The webhooks on one page, newest first."""
    query = (
        select(webhooks).where(webhooks.c.deleted_at.is_(None)).order_by(webhooks.c.created_ms.desc(), webhooks.c.id)
    )
    return [_webhook(row) for row in connection.execute(query.limit(limit).offset(offset))]


def notify(tx: Writer, event: str, data: Mapping[str, Any]) -> None:
    """Let everybody who waits for an event be told, once this transaction is kept."""
    alive = (webhooks.c.deleted_at.is_(None), webhooks.c.status == "ACTIVE")
    rows = [
        {
            "id": new_id(), "webhook_id": row.id, "event": event, "payload": payload_of(event, data), "status": "waiting",
            "attempts": 0, "due_ms": now_ms(), "error": None,
        }
        for row in tx.connection.execute(select(webhooks.c.id, webhooks.c.events).where(*alive))
        if event in row.events
    ]  # fmt: skip
    if rows:
        tx.execute(insert(deliveries), rows)


def payload_of(event: str, data: Mapping[str, Any]) -> str:
    """The body of a delivery."""
    entity, _, action = event.partition(".")
    return json.dumps({"entity": entity, "action": action, "timestamp": utc_now().isoformat(), "data": dict(data)})


def secret_of(store: Store, webhook: Webhook) -> str | None:
    """The secret that signs the deliveries of a webhook."""
    return _cipher(store.key()).decrypt(webhook.secret.encode()).decode() if webhook.secret else None


def _lock(key: bytes, secret: str) -> str:
    return _cipher(key).encrypt(secret.encode()).decode()


def _cipher(key: bytes) -> Fernet:
    return Fernet(base64.urlsafe_b64encode(key))


def _check(*, name: str | None = None, url: str | None = None, events: Sequence[str] | None = None) -> None:
    if name is not None and not _NAME.fullmatch(name):
        raise DataError(
            f"Webhook name {name!r} is invalid. It must start and end with a letter or digit, be less than 63 characters"
            " long, and contain only letters, digits, dots (.), underscores (_), and hyphens (-)", "name", "choose another",
        )  # fmt: skip
    if url is not None:
        if not url.strip():
            raise DataError(f"Webhook URL cannot be empty or just whitespace: {url!r}", "url", "give an address")
        try:
            scheme = urlparse(url).scheme
        except ValueError as error:  # brackets that hold no address
            raise DataError(
                f"Invalid webhook URL {url!r}: {error}", "url", "give an address such as https://…"
            ) from None
        if scheme not in ("http", "https"):
            raise DataError(
                f"Invalid webhook URL scheme: {scheme!r}. Allowed schemes are: http, https", "url",
                "give an address that begins with https://",
            )  # fmt: skip
    if events is not None and (not events or any(event not in EVENTS for event in events)):
        raise DataError(
            f"Webhook events must be a non-empty list of known events: {list(events)}", "events",
            f"they are {', '.join(EVENTS)}",
        )  # fmt: skip


def _host(url: str) -> str:
    """Where a webhook goes, without what may be secret in its address."""
    parsed = urlparse(url)
    return f"{parsed.scheme}://{parsed.hostname or ''}"


def _webhook(row: Any) -> Webhook:
    return Webhook(
        row.id, row.name, row.description, row.url, tuple(row.events), row.secret, row.status, row.created_ms,
        row.updated_ms,
    )  # fmt: skip
