"""Experiments."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast
from urllib.parse import unquote, urlparse

from sqlalchemy import Connection

from threefold.server.call import Call
from threefold.server.mlflow.shapes import VIEWS, experiment, paged, tags_in
from threefold.server.refusals import ProtocolError, invalid
from threefold.server.routes import reading, writing
from threefold.store import Writer
from threefold.store.tracking import checks, experiments, experiments_finding
from threefold.store.tracking.pages import offset_of, token_of

DEFAULT_PAGE, LARGEST_PAGE = 1_000, 50_000
LONGEST_LOCATION = 2_048


def create(tx: Writer, call: Call) -> dict[str, Any]:
    """Make an experiment."""
    name, location = call.need("name"), call.text("artifact_location") or ""
    tags = tags_in(call.items("tags"))
    checks.check_experiment_name(name)
    key = experiments.create(tx.connection, name, _location(location) if location else None)
    experiments.set_tags(tx.connection, key, tags)
    tx.event("experiment.created", f"experiment {key}", {"name": name})
    return {"experiment_id": str(key)}


def get(connection: Connection, call: Call) -> dict[str, Any]:
    """One experiment by its id."""
    return {"experiment": experiment(experiments.get(connection, key_of(call)))}


def get_by_name(connection: Connection, call: Call) -> dict[str, Any]:
    """One experiment by its name."""
    name = call.need("experiment_name")
    found = experiments.named(connection, name)
    if found is None:
        raise ProtocolError(
            "RESOURCE_DOES_NOT_EXIST", f"Could not find experiment with name '{name}'", "the store",
            "make it with experiments/create, or look with experiments/search",
        )  # fmt: skip
    return {"experiment": experiment(found)}


def search(connection: Connection, call: Call) -> dict[str, Any]:
    """Find experiments."""
    limit = page_size(call, 0, LARGEST_PAGE)  # not given counts as 0 here: what MLflow does, and its clients test
    offset = offset_of(call.text("page_token"))
    view = VIEWS[call.choice("view_type", tuple(VIEWS), "ACTIVE_ONLY")]
    found = experiments_finding.search(connection, call.text("filter"), call.texts("order_by"), view, limit + 1, offset)
    token = token_of(offset + limit) if len(found) > limit else None
    return paged("experiments", [experiment(one) for one in found[:limit]], token)


def update(tx: Writer, call: Call) -> dict[str, Any]:
    """Rename an experiment."""
    key, name = key_of(call), call.need("new_name")
    checks.check_experiment_name(name)
    before = experiments.get(tx.connection, key)
    if before.deleted:
        raise ProtocolError("INVALID_STATE", "Cannot rename a non-active experiment", f"experiment {key}", "restore it")
    experiments.rename(tx.connection, key, name)
    tx.event("experiment.renamed", f"experiment {key}", {"from": before.name, "to": name})
    return {}


def delete(tx: Writer, call: Call) -> dict[str, Any]:
    """Delete an experiment with its runs; it can be restored."""
    key = key_of(call)
    experiments.set_deleted(tx.connection, key, tx.now)
    tx.event("experiment.deleted", f"experiment {key}", {})
    return {}


def restore(tx: Writer, call: Call) -> dict[str, Any]:
    """Restore a deleted experiment with its runs."""
    key = key_of(call)
    experiments.set_deleted(tx.connection, key, None)
    tx.event("experiment.restored", f"experiment {key}", {})
    return {}


def set_tag(tx: Writer, call: Call) -> dict[str, Any]:
    """Keep a tag of an experiment."""
    key, name, value = key_of(call), call.need("key"), call.text("value") or ""
    checks.check_name(name, "key")
    checks.check_length(value, checks.EXPERIMENT_TAG, "value")
    experiments.active(tx.connection, key)
    experiments.set_tags(tx.connection, key, {name: value})
    return {}


def delete_tag(tx: Writer, call: Call) -> dict[str, Any]:
    """Take a tag of an experiment away."""
    key, name = key_of(call), call.need("key")
    experiments.active(tx.connection, key)
    experiments.delete_tag(tx.connection, key, name)
    return {}


def key_of(call: Call) -> int:
    """The experiment that a call names."""
    text = call.need("experiment_id")
    key = experiments.number_of(text)
    if key is None:
        raise experiments.missing(text)
    return key


def page_size(call: Call, default: int, largest: int) -> int:
    """How many a page shall hold."""
    size = cast(int, call.whole("max_results", default))
    if size < 1 or size > largest:
        bound = "a positive integer, but got" if size < 1 else f"at most {largest}, but got value"
        raise invalid(f"Invalid value {size} for parameter 'max_results' supplied. It must be {bound} {size}")
    return size


def _location(given: str) -> str:
    """Where runs put their files, as an absolute address. Raises ProtocolError."""
    parsed = urlparse(given)
    if parsed.fragment or parsed.params:
        raise invalid(
            "'artifact_location' URL can't include fragments or params", "artifact_location", "leave them out"
        )
    if ".." in unquote(unquote(parsed.query)):
        raise invalid(f"Invalid query string: {parsed.query}", "artifact_location", "leave '..' out")
    if given.startswith("runs:"):
        raise invalid(
            f"Artifact location cannot be a runs:/ URI. Given: '{given}'", "artifact_location", "name a place"
        )
    location = _absolute(given, parsed.scheme)
    if len(location) > LONGEST_LOCATION:
        raise invalid(
            f"Invalid artifact path length. The length of the artifact path cannot be greater than {LONGEST_LOCATION}."
            f" To configure this limit, shorten it; it has {len(location)} characters", "artifact_location", "shorten it",
        )  # fmt: skip
    return location


def _absolute(given: str, scheme: str) -> str:
    if not scheme:
        return str(Path.cwd() / given)
    if scheme == "file" and not given.startswith(("file:/", "file://")):
        path, mark, query = given.removeprefix("file:").partition("?")
        return f"{(Path.cwd() / path).as_uri()}{mark}{query}"
    return given


ROUTES = {
    ("POST", "/api/2.0/mlflow/experiments/create"): writing(create),
    ("GET", "/api/2.0/mlflow/experiments/get"): reading(get),
    ("GET", "/api/2.0/mlflow/experiments/get-by-name"): reading(get_by_name),
    ("POST", "/api/2.0/mlflow/experiments/search"): reading(search),
    ("GET", "/api/2.0/mlflow/experiments/search"): reading(search),
    ("POST", "/api/2.0/mlflow/experiments/update"): writing(update),
    ("POST", "/api/2.0/mlflow/experiments/delete"): writing(delete),
    ("POST", "/api/2.0/mlflow/experiments/restore"): writing(restore),
    ("POST", "/api/2.0/mlflow/experiments/set-experiment-tag"): writing(set_tag),
    ("POST", "/api/2.0/mlflow/experiments/delete-experiment-tag"): writing(delete_tag),
}
