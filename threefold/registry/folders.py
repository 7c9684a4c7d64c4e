"""Versions of our own as folders that clients of MLflow read; made when they are first asked for.

The server imports this file: what makes a folder is imported by who makes one.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection

from threefold.records import ModelVersion
from threefold.registry import versions
from threefold.store import Store, Writer
from threefold.store.tracking import files
from threefold.store.tracking.experiments import ROOT

OWN = "versions"  # the folder of the store's files below which they lie


def own_address(name: str, number: int) -> str:
    """Where clients of MLflow find a version of our own, once it is laid out."""
    return f"{ROOT}{OWN}/{name}/{number}"


def is_laid_out(connection: Connection, name: str, number: int) -> bool:
    """Whether a version of our own can be read by clients."""
    return bool(files.listed(connection, f"{OWN}/{name}/{number}"))


def make_folder(store: Store, version: ModelVersion) -> dict[str, tuple[str, int]]:
    """The files by which clients read a version of our own, put into the store: path -> digest and size.

    Raises:
        Refused: it is not packed in a portable format.
    """
    # ONNX, and what opens bundles: only who makes such a folder pays for it.
    from threefold.packaging.bundles import load_bundle
    from threefold.packaging.logged.folder import as_folder

    made = as_folder(load_bundle(store, version.bundle), store.objects.get, version.run_id)
    return {path: (store.objects.put(data), len(data)) for path, data in made.items()}


def lay_out(tx: Writer, version: ModelVersion, made: Mapping[str, tuple[str, int]]) -> None:
    """Let the files of a version stand where clients look for them."""
    for path, (digest, size) in made.items():
        files.put(tx.connection, f"{OWN}/{version.name}/{version.number}/{path}", digest, size)
    tx.event("model.laid out", versions.subject(version.name, version.number), {"files": len(made)})
