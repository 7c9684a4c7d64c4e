"""Bundles: a model and all it needs to be served, checked and explained, as files under their digests."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import insert, select

from threefold.errors import NotFound, StoreError
from threefold.packaging.scoring import columns_of as columns_of
from threefold.records import Bundle, Contract, TaskSpec, Tensor, from_json, to_json
from threefold.store import Store, schema
from threefold.training.baselines import Lookup

if TYPE_CHECKING:
    from threefold.training.model import TrainedModel  # Polars: a server that reads bundles never needs it

VERSION = 1  # of the manifest


class Manifest(msgspec.Struct, frozen=True):
    """What a bundle's digest is made of: everything but the time."""

    version: int
    name: str
    format: str
    task: TaskSpec
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    files: dict[str, str]
    threshold: float | None


def pack(
    store: Store,
    name: str,
    model: TrainedModel,
    *,
    contract: Contract,
    fallback: Lookup,
    reference: bytes,
    extra: Mapping[str, bytes] | None = None,
) -> Bundle:
    """Package a model: ONNX where it can be proved to answer alike, otherwise the signed python format.

    The digest is that of the manifest, which names each file's digest and no time: equal content, equal digest. Packing
    the same again changes nothing.

    Args:
        name: of the model, as it will be registered.
        contract: what the model's inputs promise.
        fallback: answers when the model cannot.
        reference: what the monitors compare with, as monitoring.reference builds it.
        extra: further files by name.
    """
    from threefold.packaging.environment import environment

    form, files = _model_file(store, model)
    files |= {
        "contract.json": to_json(contract),
        "fallback.json": to_json(fallback),
        "reference.json": reference,
        "environment.json": environment(),
        "candidate.json": to_json({"name": model.name, "params": model.params, "seed": model.seed}),
        **(extra or {}),
    }
    return write(
        store, name, form, model.task, {file: store.objects.put(data) for file, data in files.items()}, model.threshold
    )


def write(
    store: Store, name: str, form: str, task: TaskSpec, files: Mapping[str, str], threshold: float | None = None
) -> Bundle:
    """Make a bundle of files that lie in the store, name -> digest, and put it into the catalogue."""
    from threefold.packaging.answers import input_tensors, output_tensors  # ONNX: only who packs pays for it

    manifest = Manifest(
        VERSION, name, form, task, input_tensors(task), output_tensors(task), dict(sorted(files.items())), threshold
    )
    data = to_json(manifest)
    digest = store.objects.put(data)
    return _bundle(manifest, digest, _remember(store, digest, name, len(data), form))


def load_bundle(store: Store, digest: str) -> Bundle:
    """A bundle by its digest.

    Raises:
        NotFound: there is no such object.
        StoreError: the object is not a bundle, or one of a newer Threefold.
    """
    try:
        manifest = from_json(store.objects.get(digest), Manifest)
    except msgspec.DecodeError as error:
        raise StoreError(
            f"object {digest[:12]} is not a bundle: {error}", store.url, "name the digest of a bundle"
        ) from error
    if manifest.version > VERSION:
        raise StoreError(
            f"bundle {digest[:12]} has version {manifest.version}; this Threefold reads up to {VERSION}",
            store.url,
            "install the newer Threefold",
        )
    with store.read() as connection:
        query = select(schema.artifacts.c.created_at).where(schema.artifacts.c.digest == digest)
        created = connection.execute(query).scalar()
    if created is None:
        raise NotFound(f"bundle {digest[:12]} is not in the catalogue", store.url, "package the model again")
    return _bundle(manifest, digest, created)


def encode_contracts(contracts: Mapping[str, Contract]) -> bytes:
    """Contracts of several tables as one file; table -> contract."""
    return to_json(dict(contracts))


def decode_contracts(data: bytes) -> dict[str, Contract]:
    """What `encode_contracts` made the bytes of."""
    return from_json(data, dict[str, Contract])


def _model_file(store: Store, model: TrainedModel) -> tuple[str, dict[str, bytes]]:
    from threefold.packaging.export import to_onnx  # ONNX: only who packs pays for it

    graph = to_onnx(model)
    if graph is not None:
        return "onnx", {"model.onnx": graph}
    from threefold.packaging.python_format import to_python

    return "python", {"model.pickle": to_python(model, store.key())}


def _remember(store: Store, digest: str, name: str, size: int, form: str) -> str:
    """Put the bundle into the catalogue, once; returns when that was."""
    known = select(schema.artifacts.c.created_at).where(schema.artifacts.c.digest == digest)
    with store.write() as tx:
        created: Any = tx.execute(known).scalar()
        if created is not None:
            return str(created)
        meta = {"format": form}
        row = {"digest": digest, "kind": "bundle", "name": name, "size_bytes": size, "meta": meta, "created_at": tx.now}
        tx.execute(insert(schema.artifacts).values(**row))
        tx.event("bundle.packed", f"bundle {digest}", {"name": name, **meta})
        return tx.now


def _bundle(manifest: Manifest, digest: str, created: str) -> Bundle:
    return Bundle(
        digest=digest,
        name=manifest.name,
        format=manifest.format,
        task=manifest.task,
        inputs=manifest.inputs,
        outputs=manifest.outputs,
        files=manifest.files,
        threshold=manifest.threshold,
        created_at=datetime.fromisoformat(created),
    )
