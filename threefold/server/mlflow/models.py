"""Registered models and their aliases."""

from __future__ import annotations

import re
from typing import Any

from sqlalchemy import Connection

from threefold.registry import catalogue, catalogue_finding, models, versions
from threefold.registry.models import PROMPT, Model
from threefold.server.call import Call, missing
from threefold.server.mlflow.experiments import page_size
from threefold.server.mlflow.model_versions import number_of
from threefold.server.mlflow.model_versions import shape as version_shape
from threefold.server.mlflow.shapes import paged, tags_in
from threefold.server.refusals import invalid
from threefold.server.routes import reading, writing
from threefold.store import Writer
from threefold.store.tracking import checks
from threefold.store.tracking.pages import offset_of, token_of
from threefold.store.webhooks import notify

NAME, ALIAS = 256, 255
TAG = 100_000  # letters of a tag of the registry
PAGE, LARGEST_PAGE = 100, 1_000
_RESERVED = re.compile(r"latest|v\d+", re.IGNORECASE)


def create(tx: Writer, call: Call) -> dict[str, Any]:
    """Make a name for versions."""
    name, tags = call.need("name"), tags_in(call.items("tags"))
    checks.check_length(name, NAME, "name")
    for key, value in tags.items():
        check_tag(key, value)
    description = call.text("description")
    models.create(tx, name, description, tags)
    event = "prompt.created" if PROMPT in tags else "registered_model.created"
    shown = {key: value for key, value in tags.items() if key != PROMPT}
    notify(tx, event, {"name": name, "tags": shown, "description": description or None})
    return _one(tx.connection, name)


def get(connection: Connection, call: Call) -> dict[str, Any]:
    """One registered model."""
    return _one(connection, call.need("name"))


def update(tx: Writer, call: Call) -> dict[str, Any]:
    """Change the description."""
    name = call.need("name")
    models.describe(tx, name, call.text("description"))
    return _one(tx.connection, name)


def rename(tx: Writer, call: Call) -> dict[str, Any]:
    """Change the name."""
    name, new = call.need("name"), call.need("new_name")
    checks.check_length(new, NAME, "new_name")
    models.rename(tx, name, new)
    return _one(tx.connection, new)


def delete(tx: Writer, call: Call) -> dict[str, Any]:
    """Delete a model with its versions."""
    models.remove(tx, call.need("name"))
    return {}


def search(connection: Connection, call: Call) -> dict[str, Any]:
    """Find registered models."""
    limit, offset = page_size(call, PAGE, LARGEST_PAGE), offset_of(call.text("page_token"))
    names = catalogue_finding.search_models(connection, call.text("filter"), call.texts("order_by"), limit + 1, offset)
    token = token_of(offset + limit) if len(names) > limit else None
    return paged("registered_models", [shape(one) for one in models.load(connection, names[:limit])], token)


def latest(connection: Connection, call: Call) -> dict[str, Any]:
    """The newest version of each stage."""
    name = call.need("name")
    stages = {catalogue.stage_named(stage) for stage in call.texts("stages")}
    found = [one for one in models.get(connection, name).latest if not stages or one.stage in stages]
    return {"model_versions": [version_shape(one) for one in found]}


def set_tag(tx: Writer, call: Call) -> dict[str, Any]:
    """Keep a tag of a model."""
    name, key, value = call.need("name"), call.need("key"), call.text("value") or ""
    check_tag(key, value)
    models.set_tag(tx, name, key, value)
    if models.is_prompt(tx.connection, name):
        notify(tx, "prompt_tag.set", {"name": name, "key": key, "value": value})
    return {}


def delete_tag(tx: Writer, call: Call) -> dict[str, Any]:
    """Take a tag of a model away."""
    name, key = call.need("name"), call.need("key")
    checks.check_name(key, "key")
    models.delete_tag(tx, name, key)
    if models.is_prompt(tx.connection, name):
        notify(tx, "prompt_tag.deleted", {"name": name, "key": key})
    return {}


def set_alias(tx: Writer, call: Call) -> dict[str, Any]:
    """Let an alias point at a version."""
    name, alias, number = call.need("name"), _alias(call), number_of(call)
    if alias.lower() == "latest":
        raise invalid("'latest' alias name (case insensitive) is reserved", "alias", "choose another name")
    if _RESERVED.fullmatch(alias):
        raise invalid(f"Version alias name '{alias}' is reserved", "alias", "choose another name")
    catalogue.get(tx.connection, name, number)
    versions.move_alias(tx, name, alias, number)
    event = "prompt_alias.created" if models.is_prompt(tx.connection, name) else "model_version_alias.created"
    notify(tx, event, {"name": name, "alias": alias, "version": str(number)})
    return {}


def delete_alias(tx: Writer, call: Call) -> dict[str, Any]:
    """Take an alias away."""
    name, alias = call.need("name"), _alias(call)
    models.require(tx.connection, name)
    versions.move_alias(tx, name, alias, None)
    event = "prompt_alias.deleted" if models.is_prompt(tx.connection, name) else "model_version_alias.deleted"
    notify(tx, event, {"name": name, "alias": alias})
    return {}


def by_alias(connection: Connection, call: Call) -> dict[str, Any]:
    """The version that an alias points at; "latest" is the newest one."""
    name, alias = call.need("name"), _alias(call)
    if alias.lower() == "latest":
        newest = models.get(connection, name).latest
        if not newest:
            raise models.missing(f"{name}: Latest version not found for model {name}")
        return {"model_version": version_shape(max(newest, key=lambda one: one.number))}
    return {"model_version": version_shape(catalogue.by_alias(connection, name, alias))}


def shape(model: Model) -> dict[str, Any]:
    """A registered model in the words of the protocol."""
    answer: dict[str, Any] = {
        "name": model.name, "creation_timestamp": model.created_ms, "last_updated_timestamp": model.updated_ms,
        "latest_versions": [version_shape(one) for one in model.latest],
        "tags": [{"key": key, "value": value} for key, value in model.tags.items()],
        "aliases": [{"alias": alias, "version": str(number)} for alias, number in model.aliases.items()],
    }  # fmt: skip
    if model.description is not None:
        answer["description"] = model.description
    return answer


def check_tag(key: str, value: str) -> None:
    """A tag of the registry can be kept. Raises DataError."""
    checks.check_name(key, "key")
    checks.check_length(value, TAG, "value")


def _one(connection: Connection, name: str) -> dict[str, Any]:
    return {"registered_model": shape(models.get(connection, name))}


def _alias(call: Call) -> str:
    alias = call.text("alias")
    if not alias:
        raise missing("alias")
    if not re.fullmatch(r"[\w\-]*", alias):
        raise invalid(
            f"Invalid alias name: '{alias}'. Names may only contain alphanumerics, underscores (_), and dashes (-)",
            "alias", "choose another name",
        )  # fmt: skip
    checks.check_length(alias, ALIAS, "Registered model alias name")
    return alias


_MODELS = "/api/2.0/mlflow/registered-models"
ROUTES = {
    ("POST", f"{_MODELS}/create"): writing(create),
    ("GET", f"{_MODELS}/get"): reading(get),
    ("PATCH", f"{_MODELS}/update"): writing(update),
    ("POST", f"{_MODELS}/rename"): writing(rename),
    ("DELETE", f"{_MODELS}/delete"): writing(delete),
    ("GET", f"{_MODELS}/search"): reading(search),
    ("POST", f"{_MODELS}/get-latest-versions"): reading(latest),
    ("GET", f"{_MODELS}/get-latest-versions"): reading(latest),
    ("POST", f"{_MODELS}/set-tag"): writing(set_tag),
    ("DELETE", f"{_MODELS}/delete-tag"): writing(delete_tag),
    ("POST", f"{_MODELS}/alias"): writing(set_alias),
    ("DELETE", f"{_MODELS}/alias"): writing(delete_alias),
    ("GET", f"{_MODELS}/alias"): reading(by_alias),
}
