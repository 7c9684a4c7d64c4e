import json
import stat
from base64 import b64decode, b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from threefold.errors import Conflict, NotFound, Refused, StoreError
from threefold.store import Store, signing

TYPE = "text/x-claim"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    found = Store.open(tmp_path / "ours")
    yield found
    found.close()


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Store]:
    found = Store.open(tmp_path / "theirs")
    yield found
    found.close()


def test_an_envelope_is_verified_by_hand_with_nothing_but_the_public_key(store: Store) -> None:
    envelope = json.loads(signing.seal(store, TYPE, b"a claim"))
    payload, signature = b64decode(envelope["payload"]), b64decode(envelope["signatures"][0]["sig"])
    signed = b"DSSEv1 12 text/x-claim 7 a claim"
    load_pem_public_key(signing.own_public(store).pem.encode()).verify(signature, signed)  # type: ignore[union-attr, call-arg]
    assert (payload, envelope["payloadType"]) == (b"a claim", TYPE)


def test_the_private_key_is_for_its_owner_alone_and_made_once(store: Store) -> None:
    first = signing.own_public(store)
    assert stat.S_IMODE((store.root / "signing.pem").stat().st_mode) == 0o600
    assert signing.own_public(Store.open(store.root)) == first


def test_looking_for_trusted_keys_makes_none(store: Store) -> None:
    assert signing.trusted(store) == ()
    assert not (store.root / "signing.pem").exists()


def test_an_altered_payload_is_refused(store: Store) -> None:
    envelope = json.loads(signing.seal(store, TYPE, b"a claim"))
    envelope["payload"] = b64encode(b"another").decode()
    with pytest.raises(Refused, match="altered"):
        signing.unseal(json.dumps(envelope), TYPE, signing.trusted(store), "here")


@pytest.mark.parametrize("envelope", ["", "[]", "{}", '{"payload": "?", "payloadType": "x", "signatures": []}'])
def test_what_is_no_envelope_is_refused(store: Store, envelope: str) -> None:
    with pytest.raises(Refused, match="whole DSSE envelope"):
        signing.unseal(envelope, TYPE, (), "here")


def test_an_envelope_of_another_type_is_refused(store: Store) -> None:
    with pytest.raises(Refused, match="not a 'text/x-order'"):
        signing.unseal(signing.seal(store, TYPE, b"a claim"), "text/x-order", signing.trusted(store), "here")


def test_the_key_of_somebody_else_counts_once_it_is_trusted(store: Store, other: Store) -> None:
    theirs = signing.seal(other, TYPE, b"their claim")
    signing.own_public(store)
    with pytest.raises(Refused, match="no trusted key"):
        signing.unseal(theirs, TYPE, signing.trusted(store), "here")
    signing.trust(store, "ada", signing.own_public(other).pem.encode())
    payload, key = signing.unseal(theirs, TYPE, signing.trusted(store), "here")
    assert (payload, key.name, [one.name for one in signing.trusted(store)]) == (b"their claim", "ada", ["own", "ada"])
    signing.distrust(store, "ada")
    assert [one.name for one in signing.trusted(store)] == ["own"]


def test_a_name_does_not_change_its_key_unnoticed(store: Store, other: Store) -> None:
    signing.trust(store, "ada", signing.own_public(other).pem.encode())
    with pytest.raises(Conflict, match="another key is trusted as 'ada'"):
        signing.trust(store, "ada", signing.own_public(store).pem.encode())
    with pytest.raises(NotFound):
        signing.distrust(store, "bob")


@pytest.mark.parametrize("name", ["../up", "own", "", "a b"])
def test_a_name_is_one_word(store: Store, other: Store, name: str) -> None:
    with pytest.raises(Refused, match="cannot be called"):
        signing.trust(store, name, signing.own_public(other).pem.encode())


def test_what_is_no_key_is_not_trusted(store: Store) -> None:
    with pytest.raises(StoreError, match="no public key"):
        signing.trust(store, "ada", b"-----BEGIN nothing-----")
