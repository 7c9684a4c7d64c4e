"""Signing: the Ed25519 key of a store, the keys of others it trusts, and DSSE envelopes.

An envelope signs PAE(type, payload) = "DSSEv1 <len(type)> <type> <len(payload)> <payload>", so that nobody can pass a
payload of one type off as another. Source: github.com/secure-systems-lab/dsse, protocol.md, version 1.0.
"""

from __future__ import annotations

import hashlib
import json
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from threefold.errors import Conflict, NotFound, Refused, StoreError
from threefold.store.keys import secret
from threefold.store.store import Store

OWN = "own"  # what the store's own key is called in lists


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key that may vouch for something here."""

    name: str  # "own", or the name it was trusted under
    id: str  # sha256 of its DER form (SubjectPublicKeyInfo), hex
    pem: str

    def holds(self, signature: bytes, data: bytes) -> bool:
        """Whether the signature is one of this key over these bytes."""
        try:
            _load(self.pem.encode(), self.name).verify(signature, data)
        except InvalidSignature:
            return False
        return True


def pae(payload_type: str, payload: bytes) -> bytes:
    """The bytes that are signed.

    >>> pae("http://example.com/HelloWorld", b"hello world")
    b'DSSEv1 29 http://example.com/HelloWorld 11 hello world'
    """
    kind = payload_type.encode()
    return b" ".join((b"DSSEv1", str(len(kind)).encode(), kind, str(len(payload)).encode(), payload))


def seal(store: Store, payload_type: str, payload: bytes) -> str:
    """A DSSE envelope around a payload, signed with the store's own key; made on first use.

    Raises:
        StoreError: the key cannot be read or written.
    """
    key = _own(store)
    signature = b64encode(key.sign(pae(payload_type, payload))).decode()
    signed = {"keyid": _public(key.public_key(), OWN).id, "sig": signature}
    said = {"payloadType": payload_type, "payload": b64encode(payload).decode(), "signatures": [signed]}
    return json.dumps(said, separators=(",", ":"))


def unseal(envelope: str, payload_type: str, keys: Iterable[PublicKey], where: str) -> tuple[bytes, PublicKey]:
    """The payload of an envelope, and the key that vouches for it. A key id is only a hint; every key given is tried.

    Args:
        where: what the envelope is about, for the error.
    Raises:
        Refused: the envelope is not whole, is of another type, or none of the keys signed it.
    """
    try:
        said = json.loads(envelope)
        payload, kind = b64decode(said["payload"], validate=True), said["payloadType"]
        signatures = [(one.get("keyid", ""), b64decode(one["sig"], validate=True)) for one in said["signatures"]]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Refused("the signature is not a whole DSSE envelope", where, "sign it again") from error
    if kind != payload_type:
        raise Refused(f"the envelope signs a {kind!r}, not a {payload_type!r}", where, "name an envelope of that type")
    data = pae(kind, payload)
    for key in keys:
        if any(key.holds(signature, data) for _, signature in signatures):
            return payload, key
    named = ", ".join(sorted({str(id_)[:12] for id_, _ in signatures})) or "nobody"
    raise Refused(
        f"no trusted key made the signature (it names {named}), or what it signs was altered", where,
        "see: threefold keys list; trust the key of somebody else with: threefold keys trust",
    )  # fmt: skip


def own_public(store: Store) -> PublicKey:
    """The public half of the store's own key."""
    return _public(_own(store).public_key(), OWN)


def trusted(store: Store) -> tuple[PublicKey, ...]:
    """The store's own key where it has signed before, then those of others it trusts, by name."""
    own = (own_public(store),) if _file(store).is_file() else ()
    return (*own, *_others(store))


def trust(store: Store, name: str, pem: bytes) -> PublicKey:
    """Let another key vouch for models and checkpoints, too; recorded as an event.

    Args:
        name: whose it is; one word, as it names a file.
        pem: its public half.
    Raises:
        StoreError: the bytes are no Ed25519 public key in PEM.
        Conflict: the name is taken by another key.
    """
    if not name.replace("-", "").replace("_", "").isalnum() or name == OWN:
        raise Refused(f"a key cannot be called {name!r}", "threefold keys", "take letters, digits, - and _")
    key = _public(_load(pem, name), name)
    file = _folder(store) / f"{name}.pem"
    if file.exists() and file.read_text() != key.pem:
        raise Conflict(f"another key is trusted as {name!r}", str(file), f"first: threefold keys distrust {name}")
    file.parent.mkdir(exist_ok=True)
    with store.write() as tx:
        tx.event("key.trusted", f"key {key.id}", {"name": name})
        file.write_text(key.pem)
    return key


def distrust(store: Store, name: str) -> PublicKey:
    """Let a key no longer vouch for anything. Raises NotFound."""
    for key in _others(store):
        if key.name == name:
            with store.write() as tx:
                tx.event("key.distrusted", f"key {key.id}", {"name": name})
                (_folder(store) / f"{name}.pem").unlink()
            return key
    raise NotFound(f"no key is trusted as {name!r}", str(_folder(store)), "see: threefold keys list")


def _own(store: Store) -> Ed25519PrivateKey:
    file = _file(store)
    pem = secret(file, lambda: _private_pem(Ed25519PrivateKey.generate()))
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except ValueError as error:
        raise StoreError("the signing key is damaged", str(file), "restore it from a backup") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise StoreError("the signing key is not an Ed25519 key", str(file), "restore it from a backup")
    return key


def _private_pem(key: Ed25519PrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _public(key: Ed25519PublicKey, name: str) -> PublicKey:
    info = serialization.PublicFormat.SubjectPublicKeyInfo
    der, pem = (key.public_bytes(form, info) for form in (serialization.Encoding.DER, serialization.Encoding.PEM))
    return PublicKey(name, hashlib.sha256(der).hexdigest(), pem.decode())


def _load(pem: bytes, name: str) -> Ed25519PublicKey:
    try:
        key = serialization.load_pem_public_key(pem)
    except ValueError as error:
        raise StoreError(
            f"key {name!r} is no public key in PEM", name, "export it with: threefold keys export"
        ) from error
    if not isinstance(key, Ed25519PublicKey):
        raise StoreError(f"key {name!r} is not an Ed25519 key", name, "only Ed25519 keys sign here")
    return key


def _file(store: Store) -> Path:
    return store.root / "signing.pem"


def _folder(store: Store) -> Path:
    return store.root / "trusted"


def _others(store: Store) -> Iterator[PublicKey]:
    for file in sorted(_folder(store).glob("*.pem")):
        yield _public(_load(file.read_bytes(), file.stem), file.stem)
