"""Versions that a client logged: their files, and the bundle they get when they are tested."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import update

from threefold.errors import Refused
from threefold.packaging.logged.mlmodel import Logged, read_folder
from threefold.records import Bundle, Lineage, ModelVersion, plain
from threefold.registry import approvals, signatures, versions
from threefold.store import Store
from threefold.store.schema import model_versions


def folder(store: Store, version: ModelVersion) -> Logged:
    """What a client saved. Raises NotFound, DataError as `read_folder`."""
    label = versions.subject(version.name, version.number)
    return read_folder(signatures.logged_files(store, version), store.objects.get, label)


def settled(store: Store, version: ModelVersion) -> bool:
    """Whether a version has its bundle for good: somebody approved it."""
    return bool(version.bundle and approvals.of(store, version.name, version.number))


def give_bundle(
    store: Store, version: ModelVersion, bundle: Bundle, metrics: Mapping[str, float], lineage: Lineage
) -> ModelVersion:
    """Let a version that a client logged be this bundle from now on.

    Raises:
        Refused: it was approved as another one.
    """
    label = versions.subject(version.name, version.number)
    with store.write() as tx:
        before = versions.find_in(tx.connection, version.name, version.number, store.url)
        if before.bundle != bundle.digest and settled(store, before):
            raise Refused(
                "the version was approved as it is, and is packed no other way", label,
                "register the model once more; the new version can be packed anew",
            )  # fmt: skip
        mine = (model_versions.c.name == version.name, model_versions.c.number == version.number)
        values = {"bundle": bundle.digest, "metrics": versions.finite(metrics), "lineage": plain(lineage)}
        tx.execute(update(model_versions).where(*mine).values(**values, updated_at=tx.now))
        if before.bundle != bundle.digest:
            tx.event("model.packed", label, {"bundle": bundle.digest, "format": bundle.format})
        return versions.find_in(tx.connection, version.name, version.number, store.url)
