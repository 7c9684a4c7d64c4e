"""Versions of registered models."""

from __future__ import annotations

import posixpath
import re
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote, unquote_plus, urlparse

from sqlalchemy import Connection
from starlette.types import Receive, Scope, Send

from threefold.registry import catalogue, catalogue_finding, folders, models, versions
from threefold.registry.models import PROMPT, Version
from threefold.server.call import Call
from threefold.server.context import Context
from threefold.server.mlflow.experiments import page_size
from threefold.server.mlflow.paths import safe
from threefold.server.mlflow.shapes import paged, pairs, tags_in
from threefold.server.refusals import ProtocolError, invalid
from threefold.server.routes import awaiting, reading, streaming, writing
from threefold.server.transfer import give
from threefold.store import Writer
from threefold.store.tracking import checks, files, logged_models
from threefold.store.tracking import reading as runs_reading
from threefold.store.tracking.files import path_in
from threefold.store.tracking.pages import offset_of, token_of
from threefold.store.webhooks import notify

PAGE, LARGEST_PAGE = 10_000, 200_000
TAG = 100_000
PROMPT_TEXT = "mlflow.prompt.text"
PROMPT_PARTS = (PROMPT, PROMPT_TEXT, "_mlflow_prompt_type")


def create(tx: Writer, call: Call) -> dict[str, Any]:
    """Register what lies at a source as the next version of a model."""
    name, source = call.need("name"), call.need("source")
    run_id, model_id = call.text("run_id") or "", call.text("model_id")
    run_link, description, tags = call.text("run_link"), call.text("description") or "", tags_in(call.items("tags"))
    for key, value in tags.items():
        _check_tag(key, value)
    prompt = PROMPT in tags
    if not prompt:
        _check_source(tx.connection, source, run_id, model_id)
    number = catalogue.register(
        tx, name, source, run_id=run_id, run_link=run_link, description=description, model_id=model_id, tags=tags
    )
    if model_id and not prompt:
        catalogue.tell_logged_model(tx.connection, model_id, name, number)
    told: dict[str, Any] = {"name": name, "version": str(number), "description": description or None}
    if prompt:
        told["template"] = tags.get(PROMPT_TEXT)
        told["tags"] = {key: value for key, value in tags.items() if key not in PROMPT_PARTS}
        notify(tx, "prompt_version.created", told)
    else:
        notify(tx, "model_version.created", {**told, "source": source, "run_id": run_id or None, "tags": dict(tags)})
    return _one(tx.connection, name, number)


def get(connection: Connection, call: Call) -> dict[str, Any]:
    """One version."""
    return _one(connection, call.need("name"), number_of(call))


def update(tx: Writer, call: Call) -> dict[str, Any]:
    """Change the description."""
    name, number = call.need("name"), number_of(call)
    catalogue.describe(tx, name, number, call.text("description"))
    return _one(tx.connection, name, number)


def delete(tx: Writer, call: Call) -> dict[str, Any]:
    """Delete a version; it can be restored until it is purged."""
    catalogue.remove(tx, call.need("name"), number_of(call))
    return {}


def move_stage(tx: Writer, call: Call) -> dict[str, Any]:
    """Move a version to a stage."""
    name, number, stage = call.need("name"), number_of(call), call.need("stage")
    catalogue.move_stage(tx, name, number, stage, call.truth("archive_existing_versions"))
    return _one(tx.connection, name, number)


def search(connection: Connection, call: Call) -> dict[str, Any]:
    """Find versions."""
    limit, offset = page_size(call, PAGE, LARGEST_PAGE), offset_of(call.text("page_token"))
    keys = catalogue_finding.search_versions(connection, call.text("filter"), call.texts("order_by"), limit + 1, offset)
    token = token_of(offset + limit) if len(keys) > limit else None
    return paged("model_versions", [shape(one) for one in models.load_versions(connection, keys[:limit])], token)


async def download_address(context: Context, call: Call) -> dict[str, Any]:
    """Where the files of a version lie. One of our own is laid out for clients when it is first asked for."""
    return {"artifact_uri": await _address(context, call.need("name"), number_of(call))}


async def download(context: Context, call: Call, scope: Scope, receive: Receive, send: Send) -> None:
    """Send a file of a version."""
    name, number, path = call.need("name"), number_of(call), safe(call.need("path"))
    address = await _address(context, name, number)
    digest, size = await context.read(lambda connection: files.get(connection, path_in(address, path)))
    await give(context, scope, send, digest, size, path)


async def _address(context: Context, name: str, number: int) -> str:
    found: tuple[str, bool] = await context.read(_whereabouts, name, number)
    address, there = found
    if not there:
        version = await context.beside(versions.get, context.store, name, number)
        made = await context.beside(folders.make_folder, context.store, version)
        await context.write(lambda tx: folders.lay_out(tx, version, made))
    return address


def _whereabouts(connection: Connection, name: str, number: int) -> tuple[str, bool]:
    """The address of a version's files, and whether they are there or elsewhere for others to look after."""
    address = catalogue.download_address(connection, name, number)
    if address or not versions.find_in(connection, name, number, "the registry").bundle:
        return address, True
    return folders.own_address(name, number), folders.is_laid_out(connection, name, number)


def set_tag(tx: Writer, call: Call) -> dict[str, Any]:
    """Keep a tag of a version."""
    name, number, key, value = call.need("name"), number_of(call), call.need("key"), call.text("value") or ""
    _check_tag(key, value)
    catalogue.set_tag(tx, name, number, key, value)
    event = "prompt_version_tag.set" if models.is_prompt(tx.connection, name) else "model_version_tag.set"
    notify(tx, event, {"name": name, "version": str(number), "key": key, "value": value})
    return {}


def delete_tag(tx: Writer, call: Call) -> dict[str, Any]:
    """Take a tag of a version away."""
    name, number, key = call.need("name"), number_of(call), call.need("key")
    checks.check_name(key, "key")
    catalogue.delete_tag(tx, name, number, key)
    event = "prompt_version_tag.deleted" if models.is_prompt(tx.connection, name) else "model_version_tag.deleted"
    notify(tx, event, {"name": name, "version": str(number), "key": key})
    return {}


def shape(version: Version) -> dict[str, Any]:
    """A version in the words of the protocol."""
    answer: dict[str, Any] = {
        "name": version.name, "version": str(version.number), "creation_timestamp": version.created_ms,
        "last_updated_timestamp": version.updated_ms, "current_stage": version.stage, "source": version.source,
        "run_id": version.run_id, "status": "READY", "tags": pairs(version.tags.items()), "aliases": version.aliases,
        "run_link": version.run_link or "",
    }  # fmt: skip
    if version.description is not None:
        answer["description"] = version.description
    if version.model_id:
        answer["model_id"] = version.model_id
    return answer


def number_of(call: Call) -> int:
    """The version that a call names, by its number."""
    text = call.need("version")
    if not re.fullmatch(r"\d{1,9}", text):
        raise invalid(f"Parameter 'version' must be an integer, got '{text}'", "version", "give its number")
    return int(text)


def _one(connection: Connection, name: str, number: int) -> dict[str, Any]:
    return {"model_version": shape(catalogue.get(connection, name, number))}


def _check_tag(key: str, value: str) -> None:
    checks.check_name(key, "key")
    if key == PROMPT_TEXT and len(value) > TAG:
        raise invalid(f"Prompt text exceeds max length of {TAG} characters", key, "shorten the text")
    checks.check_length(value, TAG, "value")


def _check_source(connection: Connection, source: str, run_id: str, model_id: str | None) -> None:
    """A source cannot make the server, or a client, read what lies outside. Raises ProtocolError."""
    parsed = urlparse(source)
    if parsed.scheme in ("", "file") and parsed.hostname in (None, "", ".", "localhost", "127.0.0.1"):
        _check_local(connection, parsed.path if parsed.scheme else source, source, run_id, model_id)
        return
    if parsed.scheme == "file":
        raise ProtocolError(
            "INTERNAL_ERROR",
            f"{source} is not a valid remote uri",
            "source",
            "a file: address names a file of this machine",
        )
    plain = source
    while (decoded := unquote_plus(plain)) != plain:
        plain = decoded
    path = re.sub(r"/+", "/", urlparse(plain).path.rstrip("/"))
    # A path without a root is held to the working directory when it is resolved, so it is no absolute one.
    if "\0" in path or ".." in plain.split("/") or "." in path.split("/") or (path and not path.startswith("/")):
        if parsed.scheme == "models" and "\0" not in path and ".." not in plain.split("/"):
            return
        raise _bad_source(
            source, "If supplying a source as an http, https, local file path, ftp, objectstore, or mlflow-artifacts uri, an"
            " absolute path must be provided without relative path references present",
        )  # fmt: skip


def _check_local(connection: Connection, path: str, source: str, run_id: str, model_id: str | None) -> None:
    if model_id:
        root = logged_models.get(connection, model_id).artifact_root
    else:
        root = runs_reading.get(connection, run_id).artifact_root if run_id else ""
    home = urlparse(root)
    here = PurePosixPath(posixpath.normpath(unquote(path)))
    inside = home.scheme in ("", "file") and home.path and "\0" not in unquote(path)
    if not inside or PurePosixPath(unquote(home.path)) not in (here, *here.parents):
        given = "model_id" if model_id else "run_id"
        raise _bad_source(
            source, f"To use a local path as a model version source, the {given} request parameter has to be specified and"
            f" the local path has to be contained within the artifact directory of the run specified by the {given}",
        )  # fmt: skip


def _bad_source(source: str, why: str) -> ProtocolError:
    return invalid(f"Invalid model version source: '{source}'. {why}", "source", "name where the model was logged")


_VERSIONS = "/api/2.0/mlflow/model-versions"
ROUTES = {
    ("POST", f"{_VERSIONS}/create"): writing(create),
    ("GET", f"{_VERSIONS}/get"): reading(get),
    ("PATCH", f"{_VERSIONS}/update"): writing(update),
    ("DELETE", f"{_VERSIONS}/delete"): writing(delete),
    ("POST", f"{_VERSIONS}/transition-stage"): writing(move_stage),
    ("GET", f"{_VERSIONS}/search"): reading(search),
    ("GET", f"{_VERSIONS}/get-download-uri"): awaiting(download_address),
    ("POST", f"{_VERSIONS}/set-tag"): writing(set_tag),
    ("DELETE", f"{_VERSIONS}/delete-tag"): writing(delete_tag),
    ("GET", "/model-versions/get-artifact"): streaming(download),
}
