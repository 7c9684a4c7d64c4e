"""Signatures hold for what was signed, name the file that differs, and can be read without us."""

from __future__ import annotations

import json
from base64 import b64decode
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from sqlalchemy import insert, update

from threefold.errors import NotFound, Refused
from threefold.packaging.bundles import Manifest
from threefold.records import GateResult, ModelVersion, TaskSpec, to_json
from threefold.registry import approvals, evidence, signatures, versions
from threefold.store import Store, schema, signing


@pytest.fixture
def version(store: Store, lineage: Any) -> ModelVersion:
    files = {name: store.objects.put(name.encode()) for name in ("model.onnx", "contract.json", "fallback.json")}
    manifest = Manifest(1, "demo", "onnx", TaskSpec("binary", "late", ()), (), (), files, 0.5)
    digest = store.objects.put(to_json(manifest))
    with store.write() as tx:
        row = {"digest": digest, "kind": "bundle", "name": "demo", "size_bytes": 1, "meta": {}, "created_at": tx.now}
        tx.execute(insert(schema.artifacts).values(**row))
    made = versions.register(store, "demo", digest, "run", {}, lineage)
    evidence.add(store, "model demo/1", [GateResult("auc", True, 0.7, ">= 0.6", "auc is 0.7")])
    approvals.approve(store, made, "Ada", "checked")
    return made


def findings(store: Store, version: ModelVersion) -> list[str]:
    return [finding for one in signatures.verify(store, version) for finding in one.findings]


def test_a_signed_version_holds_and_names_its_key(store: Store, version: ModelVersion) -> None:
    made = signatures.sign(store, version)
    (checked,) = signatures.verify(store, version)
    assert checked.holds and (checked.key, checked.key_id) == ("own", made.key_id)


def test_an_outsider_verifies_with_a_public_key_and_sha256_alone(store: Store, version: ModelVersion) -> None:
    envelope = json.loads(signatures.sign(store, version).envelope)
    payload, kind = b64decode(envelope["payload"]), envelope["payloadType"]
    signed = b"DSSEv1 %d %s %d %s" % (len(kind), kind.encode(), len(payload), payload)
    key = load_pem_public_key(signing.own_public(store).pem.encode())
    assert isinstance(key, Ed25519PublicKey)
    key.verify(b64decode(envelope["signatures"][0]["sig"]), signed)
    said = json.loads(payload)
    assert (kind, said["_type"]) == ("application/vnd.in-toto+json", "https://in-toto.io/Statement/v1")
    assert ":" in said["predicateType"] and isinstance(said["predicate"], dict)
    names = [one["name"] for one in said["subject"]]
    assert names == sorted({"bundle.json", "contract.json", "fallback.json", "model.onnx"})
    assert all(set(one) == {"name", "digest"} and len(one["digest"]["sha256"]) == 64 for one in said["subject"])


def test_the_statement_tells_run_lineage_gates_and_approvals(store: Store, version: ModelVersion) -> None:
    said = signatures.statement(store, version)["predicate"]
    assert (said["model"], said["number"], said["run"]) == ("demo", 1, "run")
    assert said["lineage"]["snapshots"] == {"flights": "a" * 64}
    assert said["gates"] == [{"gate": "auc", "passed": True, "value": 0.7, "limit": ">= 0.6"}]
    assert [(one["by"], one["reason"]) for one in said["approvals"]] == [("Ada", "checked")]


def test_a_file_that_was_altered_on_the_disk_is_named(store: Store, version: ModelVersion) -> None:
    signatures.sign(store, version)
    digest = signatures.files_of(store, version)["model.onnx"]
    file = next(store.root.glob(f"objects/{digest[:2]}/{digest[2:]}*"))
    file.chmod(0o600)
    file.write_bytes(b"model.oNNx")
    (finding,) = findings(store, version)
    assert finding.startswith("model.onnx was altered")


def test_a_bundle_that_was_exchanged_in_the_tables_is_found_file_by_file(store: Store, version: ModelVersion) -> None:
    signatures.sign(store, version)
    files = {"model.onnx": store.objects.put(b"another"), "contract.json": store.objects.put(b"contract.json"),
             "extra.bin": store.objects.put(b"x")}  # fmt: skip
    other = store.objects.put(to_json(Manifest(1, "demo", "onnx", TaskSpec("binary", "late", ()), (), (), files, 0.5)))
    with store.write() as tx:
        row = {"digest": other, "kind": "bundle", "name": "demo", "size_bytes": 1, "meta": {}, "created_at": tx.now}
        tx.execute(insert(schema.artifacts).values(**row))
        tx.execute(update(schema.model_versions).values(bundle=other))
    said = findings(store, versions.get(store, "demo", 1))
    assert [one.split()[0] for one in said] == ["bundle.json", "extra.bin", "fallback.json", "model.onnx"]
    assert "was added after signing" in said[1] and "is missing" in said[2] and "was exchanged" in said[3]


def test_a_signature_of_another_version_does_not_count(store: Store, version: ModelVersion, lineage: Any) -> None:
    signatures.sign(store, version)
    second = versions.register(store, "demo", version.bundle, "other run", {}, lineage)
    with store.write() as tx:
        tx.execute(update(schema.signatures).values(subject="model demo/2"))
    assert findings(store, second) == ["the signature is about model demo/1"]


def test_a_signature_of_somebody_who_is_not_trusted_does_not_count(
    store: Store, version: ModelVersion, tmp_path: Any
) -> None:
    stranger = Store.open(tmp_path / "stranger")
    said = json.dumps(signatures.statement(store, version)).encode()
    envelope, key = signing.seal(stranger, signatures.TYPE, said), signing.own_public(stranger)
    stranger.close()
    with store.write() as tx:
        row = {"id": "s", "subject": "model demo/1", "key_id": key.id, "envelope": envelope, "at": tx.now}
        tx.execute(insert(schema.signatures).values(**row))
    assert "no trusted key" in findings(store, version)[0]
    signing.trust(store, "ada", key.pem.encode())
    assert findings(store, version) == []


def test_a_version_of_a_client_is_signed_by_the_files_at_its_source(store: Store) -> None:
    row = {
        "name": "logged", "number": 1, "run_id": "r1", "bundle": "", "status": "candidate", "stage": "None", "metrics": {},
        "lineage": None, "source": "mlflow-artifacts:/0/r1/artifacts/model", "user": "ada",
        "created_at": "2026-01-01T00:00:00+00:00", "updated_at": "2026-01-01T00:00:00+00:00",
    }  # fmt: skip
    with store.write() as tx:
        tx.execute(insert(schema.models).values(name="logged", created_ms=0, updated_ms=0, last_number=1))
        tx.execute(insert(schema.model_versions).values(**row))
        for name in ("model/MLmodel", "model/data/model.pkl", "model2/other"):
            digest = store.objects.put(name.encode())
            file = {"path": f"0/r1/artifacts/{name}", "digest": digest, "size_bytes": 1, "changed_ms": 0}
            tx.execute(insert(schema.files).values(**file))
    version = versions.get(store, "logged", 1)
    signatures.sign(store, version)
    assert set(signatures.files_of(store, version)) == {"MLmodel", "data/model.pkl"}
    assert findings(store, version) == []


def test_what_has_no_files_or_no_signature_is_refused(store: Store, version: ModelVersion) -> None:
    with pytest.raises(NotFound, match=r"nobody signed.*models sign \d+ --model "):
        signatures.verify(store, version)
    with store.write() as tx:
        tx.execute(update(schema.model_versions).values(bundle="", source="mlflow-artifacts:/0/none/artifacts"))
    with pytest.raises(Refused, match="no files"):
        signatures.sign(store, versions.get(store, "demo", 1))
