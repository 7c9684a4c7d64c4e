"""Signatures of model versions: which files a version is made of, and what led to it, under a key.

A signature is a DSSE envelope around an in-toto statement (in-toto.io/Statement/v1): one subject with its sha256 for each
file, and a predicate of our own with the run, the lineage, the gates and the approvals. Tools that know in-toto read it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select

from threefold.errors import NotFound, Refused, StoreError
from threefold.packaging.bundles import load_bundle
from threefold.records import ModelVersion, plain, utc_now
from threefold.registry import approvals, catalogue, evidence, versions
from threefold.store import Store, new_id
from threefold.store.schema import files as file_rows
from threefold.store.schema import signatures
from threefold.store.signing import own_public, seal, trusted, unseal
from threefold.store.tracking.files import path_in

TYPE = "application/vnd.in-toto+json"
STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "urn:threefold:model-version:1"
LOGGED = "logged/"  # how the names of files begin that a client saved, beside those of the bundle made of them
MANIFEST = "bundle.json"  # the manifest of a bundle, whose digest is the bundle's own


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature of one version."""

    id: str
    subject: str  # "model churn/3"
    key_id: str
    envelope: str  # DSSE
    at: datetime


@dataclass(frozen=True, slots=True)
class Checked:
    """What became of checking one signature."""

    key_id: str
    key: str  # the name the key is trusted under; empty where none fits
    at: datetime
    findings: tuple[str, ...]  # each names a file, or says what else is wrong

    @property
    def holds(self) -> bool:
        """Whether the files are those that were signed, by a key that is trusted."""
        return not self.findings


def sign(store: Store, version: ModelVersion) -> Signature:
    """Sign a version with the store's own key.

    Raises:
        Refused: it has no files here.
        StoreError: the key cannot be used.
    """
    label = versions.subject(version.name, version.number)
    said = json.dumps(statement(store, version), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    envelope, key = seal(store, TYPE, said.encode()), own_public(store)
    with store.write() as tx:
        row = {"id": new_id(), "subject": label, "key_id": key.id, "envelope": envelope, "at": tx.now}
        tx.execute(insert(signatures).values(**row))
        tx.event("model.signed", label, {"signature": row["id"], "key": key.id})
    return Signature(row["id"], label, key.id, envelope, datetime.fromisoformat(row["at"]))


def of(store: Store, name: str, number: int) -> tuple[Signature, ...]:
    """The signatures of a version, oldest first."""
    query = select(signatures).where(signatures.c.subject == versions.subject(name, number)).order_by(signatures.c.at)
    with store.read() as connection:
        rows = connection.execute(query).all()
    return tuple(Signature(r.id, r.subject, r.key_id, r.envelope, datetime.fromisoformat(r.at)) for r in rows)


def verify(store: Store, version: ModelVersion) -> tuple[Checked, ...]:
    """Check every signature of a version: its key, and each file as it lies in the store now.

    Raises:
        NotFound: nobody signed it.
    """
    label = versions.subject(version.name, version.number)
    found = of(store, version.name, version.number)
    if not found:
        raise NotFound(
            "nobody signed this version",
            label,
            f"sign it: threefold models sign {version.number} --model {version.name}",
        )
    now = files_of(store, version)
    damaged = {name: wrong for name, digest in now.items() if (wrong := _damage(store, digest))}
    keys = trusted(store)
    checked = []
    for one in found:
        try:
            payload, key = unseal(one.envelope, TYPE, keys, label)
            findings = tuple(_differences(json.loads(payload), label, now, damaged))
            checked.append(Checked(key.id, key.name, one.at, findings))
        except Refused as refused:
            checked.append(Checked(one.key_id, "", one.at, (refused.what,)))
    return tuple(checked)


def statement(store: Store, version: ModelVersion) -> dict[str, Any]:
    """The in-toto statement about a version. Raises Refused where it has no files here."""
    label = versions.subject(version.name, version.number)
    named = files_of(store, version)
    if not named:
        raise Refused("the version has no files in this store", label, "only files that lie here can be signed")
    return {
        "_type": STATEMENT,
        "subject": [{"name": name, "digest": {"sha256": digest}} for name, digest in sorted(named.items())],
        "predicateType": PREDICATE,
        "predicate": {
            "model": version.name,
            "number": version.number,
            "semantic": version.semantic,
            "bundle": version.bundle or None,
            "run": version.run_id or None,
            "lineage": plain(version.lineage),
            "gates": [
                {
                    "gate": one.result.gate,
                    "passed": one.result.passed,
                    "value": one.result.value,
                    "limit": one.result.limit,
                }
                for one in evidence.newest(store, label)
            ],
            "approvals": [
                {"by": one.by, "reason": one.reason, "at": one.at.isoformat()}
                for one in approvals.of(store, version.name, version.number)
            ],
            "signedAt": utc_now().isoformat(),
        },
    }


def files_of(store: Store, version: ModelVersion) -> dict[str, str]:
    """The files of a version: name -> sha256. Those that a client logged stand below LOGGED once there is a bundle."""
    if not version.bundle:
        return logged_files(store, version)
    logged = {f"{LOGGED}{name}": digest for name, digest in logged_files(store, version).items()}
    return {**logged, **load_bundle(store, version.bundle).files, MANIFEST: version.bundle}


def logged_files(store: Store, version: ModelVersion) -> dict[str, str]:
    """What a client saved: path in its folder -> sha256; nothing where the engine made the version."""
    with store.read() as connection:
        address = catalogue.download_address(connection, version.name, version.number)
        return _below(connection, path_in(address)) if address else {}


def vouched(store: Store, version: ModelVersion) -> str:
    """The name of the trusted key that signed what a client saved, as it lies in the store now; empty where none did."""
    label, keys = versions.subject(version.name, version.number), trusted(store)
    files = logged_files(store, version)
    if any(_damage(store, digest) for digest in files.values()):
        return ""
    for one in of(store, version.name, version.number):
        try:
            payload, key = unseal(one.envelope, TYPE, keys, label)
        except Refused:
            continue
        said = json.loads(payload)
        signed = {file["name"].removeprefix(LOGGED): file["digest"]["sha256"] for file in said["subject"]}
        about = versions.subject(said["predicate"]["model"], said["predicate"]["number"])
        if about == label and files and all(signed.get(name) == digest for name, digest in files.items()):
            return key.name
    return ""


def _below(connection: Connection, folder: str) -> dict[str, str]:
    begin = f"{folder}/"
    inside = (file_rows.c.path >= begin, file_rows.c.path < f"{folder}0")  # "0" comes right after "/"
    rows = connection.execute(select(file_rows.c.path, file_rows.c.digest).where(*inside))
    return {row.path.removeprefix(begin): row.digest for row in rows}


def _damage(store: Store, digest: str) -> str:
    """What is wrong with an object; empty where its bytes are those of its digest."""
    try:
        for _ in store.objects.open_stream(digest):  # checks what it gives
            pass
    except NotFound:
        return "is not in the store any more"
    except StoreError:
        return "was altered in the store: its bytes are not those that were signed"
    return ""


def _differences(
    said: Mapping[str, Any], label: str, now: Mapping[str, str], damaged: Mapping[str, str]
) -> Iterator[str]:
    if said.get("_type") != STATEMENT or said.get("predicateType") != PREDICATE:
        yield "the signature is about something else than a model version"
        return
    predicate, subjects = said["predicate"], said["subject"]
    about = versions.subject(predicate["model"], predicate["number"])
    if about != label:
        yield f"the signature is about {about}"
    yield from _files(subjects, now, damaged)


def _files(subjects: Sequence[Mapping[str, Any]], now: Mapping[str, str], damaged: Mapping[str, str]) -> Iterator[str]:
    signed = {one["name"]: one["digest"]["sha256"] for one in subjects}
    for name in sorted(signed.keys() | now.keys()):
        if name not in now:
            yield f"{name} is missing"
        elif name not in signed:
            yield f"{name} was added after signing"
        elif signed[name] != now[name]:
            yield f"{name} was exchanged: {now[name][:12]} stands for the signed {signed[name][:12]}"
        elif name in damaged:
            yield f"{name} {damaged[name]}"
