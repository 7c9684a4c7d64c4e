"""Webhooks: made, changed, tried out."""

from __future__ import annotations

from typing import Any, cast

from sqlalchemy import Connection

from threefold.server.call import Call, missing, shown
from threefold.server.context import Context
from threefold.server.delivering import attempt, example_of
from threefold.server.mlflow.shapes import paged
from threefold.server.refusals import invalid
from threefold.server.routes import awaiting, reading
from threefold.store import webhooks
from threefold.store.tracking.pages import offset_of, token_of
from threefold.store.webhooks import EVENTS, STATUSES, Webhook

PAGE, LARGEST_PAGE = 100, 1_000


async def create(context: Context, call: Call) -> dict[str, Any]:
    """Tell an address from now on."""
    name, url = call.need("name"), call.need("url")
    if not call.given("events"):
        raise missing("events")
    events, description = _events(call), call.text("description")
    secret, status = call.text("secret") or None, _status(call)
    key = await context.beside(context.store.key)
    made = await context.write(
        lambda tx: webhooks.create(
            tx, key, name=name, url=url, events=events, description=description, secret=secret, status=status
        )
    )
    return {"webhook": shape(made)}


def list_all(connection: Connection, call: Call) -> dict[str, Any]:
    """The webhooks there are."""
    limit, offset = cast(int, call.whole("max_results", PAGE)) or PAGE, offset_of(call.text("page_token"))
    if not 1 <= limit <= LARGEST_PAGE:
        raise invalid(
            f"Invalid value {limit} for parameter 'max_results': max_results must be between 1 and {LARGEST_PAGE}"
        )
    found = webhooks.listed(connection, limit + 1, offset)
    return paged(
        "webhooks", [shape(one) for one in found[:limit]], token_of(offset + limit) if len(found) > limit else None
    )


def get(connection: Connection, call: Call) -> dict[str, Any]:
    """One webhook."""
    return {"webhook": shape(webhooks.get(connection, call.need("webhook_id")))}


async def update(context: Context, call: Call) -> dict[str, Any]:
    """Change a webhook."""
    webhook_id = call.need("webhook_id")
    values = {name: call.text(name) or None for name in ("name", "description", "url", "secret")}
    events = _events(call) or None
    status = _status(call)
    key = await context.beside(context.store.key)
    changed = await context.write(
        lambda tx: webhooks.change(tx, key, webhook_id, events=events, status=status, **values)
    )
    return {"webhook": shape(changed)}


async def delete(context: Context, call: Call) -> dict[str, Any]:
    """Tell an address no longer."""
    webhook_id = call.need("webhook_id")
    await context.write(lambda tx: webhooks.remove(tx, webhook_id))
    return {}


async def test(context: Context, call: Call) -> dict[str, Any]:
    """Send an example to the address, and say what came back."""
    webhook = await context.read(webhooks.get, call.need("webhook_id"))
    asked = call.args.get("event")
    event = _event(asked) if isinstance(asked, dict) else webhook.events[0]
    payload = webhooks.payload_of(event, example_of(event))
    secret = await context.beside(webhooks.secret_of, context.store, webhook)
    answer = await context.beside(attempt, webhook.url, payload, secret)
    if answer.status is None:
        return {"result": {"success": False, "error_message": f"Failed to test webhook: {answer.text}"}}
    return {"result": {"success": answer.status < 400, "response_status": answer.status, "response_body": answer.text}}


def shape(webhook: Webhook) -> dict[str, Any]:
    """A webhook in the words of the protocol; its secret never leaves."""
    answer: dict[str, Any] = {
        "webhook_id": webhook.id, "name": webhook.name, "url": webhook.url, "status": webhook.status,
        "events": [dict(zip(("entity", "action"), event.upper().split("."), strict=True)) for event in webhook.events],
        "creation_timestamp": webhook.created_ms, "last_updated_timestamp": webhook.updated_ms,
    }  # fmt: skip
    if webhook.description is not None:
        answer["description"] = webhook.description
    return answer


def _events(call: Call) -> list[str]:
    return [_event(item) for item in call.items("events")]


def _event(item: dict[str, Any]) -> str:
    event = f"{item.get('entity')}.{item.get('action')}".lower()
    if event not in EVENTS:
        actions = sorted(
            known.partition(".")[2] for known in EVENTS if known.partition(".")[0] == event.partition(".")[0]
        )
        raise invalid(
            f"Invalid action '{event.partition('.')[2]}' for entity '{event.partition('.')[0]}'. Valid actions are:"
            f" {actions}", "events", f"they are {', '.join(EVENTS)}",
        )  # fmt: skip
    return event


def _status(call: Call) -> str | None:
    status = call.text("status") or None
    if status is not None and status not in STATUSES:
        raise invalid(f"Invalid value {shown(status)} for parameter 'status' supplied", "status", "ACTIVE or DISABLED")
    return status


_WEBHOOKS = "/api/2.0/mlflow/webhooks"
ROUTES = {
    ("POST", _WEBHOOKS): awaiting(create),
    ("GET", _WEBHOOKS): reading(list_all),
    ("GET", f"{_WEBHOOKS}/{{webhook_id}}"): reading(get),
    ("PATCH", f"{_WEBHOOKS}/{{webhook_id}}"): awaiting(update),
    ("DELETE", f"{_WEBHOOKS}/{{webhook_id}}"): awaiting(delete),
    ("POST", f"{_WEBHOOKS}/{{webhook_id}}/test"): awaiting(test),
}
