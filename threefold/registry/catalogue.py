"""Versions that clients of the tracking protocol register: rows of the same table as our own."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from threefold.errors import DataError, NotFound
from threefold.records import now_ms
from threefold.registry import deletion, holds, versions
from threefold.registry.models import STAGES, Version, load_versions, require
from threefold.store import Writer
from threefold.store.schema import aliases, logged_models, model_versions, models, version_tags
from threefold.store.tracking.logged_models import get as logged_model
from threefold.store.tracking.logged_models import set_tags as tag_logged_model

REGISTERED_AS = "mlflow.modelVersions"  # the tag of a logged model that names its versions
_MODEL = re.compile(r"models:/+(?P<name>[^/@]+)(?:/(?P<number>\d+))?")
DEEPEST = 20  # versions copied from versions, one after the other


def register(
    tx: Writer, name: str, source: str, *, run_id: str = "", run_link: str | None = None, description: str | None = None,
    model_id: str | None = None, tags: Mapping[str, str],
) -> int:  # fmt: skip
    """Give what lies at a source the next number of a name.

    Args:
        source: an address: of files, "models:/m-…" of a logged model, "models:/name/3" of another version.
    Raises:
        NotFound: there is no such model, or nothing at the source.
    """
    require(tx.connection, name)
    if source.startswith("models:"):
        found, run = _resolve(tx.connection, source)
        if not found:
            raise NotFound(
                f"Unable to fetch model from model URI source artifact location '{source}'", "the registry",
                "log the model first",
            )  # fmt: skip
        run_id = run_id or run
    if model_id and not run_id:
        run_id = logged_model(tx.connection, model_id).source_run_id or ""
    number = versions.next_number(tx, name)
    row = {
        "name": name, "number": number, "run_id": run_id, "bundle": "", "status": "candidate", "stage": "None",
        "metrics": {}, "lineage": None, "source": source, "model_id": model_id or _logged_in(source), "run_link": run_link,
        "description": description, "user": tx.actor, "created_at": tx.now, "updated_at": tx.now,
    }  # fmt: skip
    tx.execute(insert(model_versions).values(**row))
    if tags:
        rows = [{"name": name, "number": number, "key": key, "value": value} for key, value in tags.items()]
        tx.execute(insert(version_tags), rows)
    tx.event("model.registered", versions.subject(name, number), {"source": source, "run": run_id})
    return number


def get(connection: Connection, name: str, number: int) -> Version:
    """One version. Raises NotFound."""
    found = load_versions(connection, [(name, number)])
    if not found:
        raise NotFound(
            f"Model Version (name={name}, version={number}) not found", "the registry", "see model-versions/search"
        )
    return found[0]


def download_address(connection: Connection, name: str, number: int) -> str:
    """Where the files of a version lie. Raises NotFound."""
    version = get(connection, name, number)
    if version.source.startswith("models:"):
        return _resolve(connection, version.source)[0] or version.source
    return version.source


def describe(tx: Writer, name: str, number: int, description: str | None) -> None:
    """Change the description of a version. Raises NotFound."""
    _change(tx, name, number, description=description)
    tx.event("model.described", versions.subject(name, number), {})


def move_stage(tx: Writer, name: str, number: int, stage: str, archive: bool) -> None:
    """Move a version to a stage of the protocol. Stages deploy nothing; releases do.

    Args:
        archive: whether the versions that are in the stage now go to Archived.
    Raises:
        NotFound, DataError: there is no such version, or no such stage.
    """
    wanted = stage_named(stage)
    if archive and wanted not in ("Staging", "Production"):
        raise DataError(
            f"Model version transition cannot archive existing model versions because '{stage}' is not an Active stage."
            " Valid stages are ['Staging', 'Production']", "stage", "leave archive_existing_versions out",
        )  # fmt: skip
    before = get(tx.connection, name, number).stage
    if archive:
        mine = (model_versions.c.name == name, model_versions.c.stage == wanted, model_versions.c.number != number)
        tx.execute(update(model_versions).where(*mine).values(stage="Archived", updated_at=tx.now))
    _change(tx, name, number, stage=wanted)
    tx.execute(update(models).where(models.c.name == name).values(updated_ms=now_ms()))
    tx.event("model.staged", versions.subject(name, number), {"from": before, "to": wanted})


def stage_named(word: str) -> str:
    """The stage a word means, in capitals or not. Raises DataError."""
    found = next((stage for stage in STAGES if stage.lower() == word.lower()), None)
    if found is None:
        raise DataError(
            f"Invalid Model Version stage: {word}. Value must be one of {', '.join(STAGES)}",
            "stage",
            "name one of them",
        )
    return found


def remove(tx: Writer, name: str, number: int) -> None:
    """Delete a version; its aliases end, and it can be restored until it is purged.

    Raises:
        NotFound: there is no such version.
        Refused: it answers somewhere, or is held.
    """
    get(tx.connection, name, number)
    holds.require_free(tx.connection, versions.subject(name, number))
    deletion.require_idle(tx.connection, name, number)
    for alias in aliases_of(tx.connection, name, number):
        versions.move_alias(tx, name, alias, None, f"version {number} was deleted")
    _change(tx, name, number, deleted_at=tx.now)
    tx.execute(update(models).where(models.c.name == name).values(updated_ms=now_ms()))
    tx.event("model.deleted", versions.subject(name, number), {})


def set_tag(tx: Writer, name: str, number: int, key: str, value: str) -> None:
    """Keep a tag of a version. Raises NotFound."""
    get(tx.connection, name, number)
    _drop_tag(tx, name, number, key)
    tx.execute(insert(version_tags).values(name=name, number=number, key=key, value=value))
    tx.event("model.tagged", versions.subject(name, number), {"key": key})


def delete_tag(tx: Writer, name: str, number: int, key: str) -> None:
    """Take a tag of a version away; nothing happens where there is none. Raises NotFound."""
    get(tx.connection, name, number)
    _drop_tag(tx, name, number, key)
    tx.event("model.untagged", versions.subject(name, number), {"key": key})


def by_alias(connection: Connection, name: str, alias: str) -> Version:
    """The version that an alias points at. Raises DataError where it points nowhere, as the protocol has it."""
    mine = (aliases.c.name == name, aliases.c.alias == alias)
    number = connection.scalar(select(aliases.c.number).where(*mine))
    if number is None:
        raise DataError(f"Registered model alias {alias} not found", f"model {name}", "set it, or name a version")
    return get(connection, name, number)


def aliases_of(connection: Connection, name: str, number: int) -> list[str]:
    """The aliases that point at a version."""
    mine = (aliases.c.name == name, aliases.c.number == number)
    return list(connection.scalars(select(aliases.c.alias).where(*mine).order_by(aliases.c.alias)))


def tell_logged_model(connection: Connection, model_id: str, name: str, number: int) -> None:
    """Let a logged model know that it became a version. Raises NotFound."""
    known: list[Any] = json.loads(logged_model(connection, model_id).tags.get(REGISTERED_AS, "[]"))
    entry = {"name": name, "version": number}
    if entry not in known:
        tag_logged_model(connection, model_id, {REGISTERED_AS: json.dumps([*known, entry])})


def _resolve(connection: Connection, source: str) -> tuple[str, str]:
    """Where the files of a "models:/…" address lie, and the run that made them; empty where it leads nowhere."""
    for _ in range(DEEPEST):
        found = _MODEL.fullmatch(source)
        if found is None:
            return "", ""
        if found["number"] is None:
            mine = select(logged_models).where(
                logged_models.c.id == found["name"], logged_models.c.deleted_at.is_(None)
            )
            row = connection.execute(mine).first()
            return (row.artifact_root, row.source_run_id or "") if row else ("", "")
        versions_found = load_versions(connection, [(found["name"], int(found["number"]))])
        if not versions_found:
            return "", ""
        source = versions_found[0].source
        if not source.startswith("models:"):
            return source, versions_found[0].run_id
    return "", ""


def _logged_in(source: str) -> str | None:
    found = _MODEL.fullmatch(source)
    return found["name"] if found and found["number"] is None and found["name"].startswith("m-") else None


def _change(tx: Writer, name: str, number: int, **values: Any) -> None:
    mine = (model_versions.c.name == name, model_versions.c.number == number, model_versions.c.deleted_at.is_(None))
    if tx.execute(update(model_versions).where(*mine).values(updated_at=tx.now, **values)).rowcount == 0:
        get(tx.connection, name, number)


def _drop_tag(tx: Writer, name: str, number: int, key: str) -> None:
    mine = (version_tags.c.name == name, version_tags.c.number == number, version_tags.c.key == key)
    tx.execute(delete(version_tags).where(*mine))
