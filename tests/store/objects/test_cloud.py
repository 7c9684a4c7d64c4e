"""What only a bucket can do: be away, refuse, be named wrongly."""

import socket
import sys
from pathlib import Path

import pytest

from threefold.errors import NotFound, StoreError
from threefold.store.objects import open_objects
from threefold.store.objects.cloud import CloudObjects

from .conftest import Home, Server, end, serve


@pytest.fixture
def bucket(server: Server, credentials: None, tmp_path: Path) -> CloudObjects:
    found = open_objects(server.address(tmp_path.name), tmp_path)
    assert isinstance(found, CloudObjects)
    return found


def test_a_service_that_is_away_is_named_and_nothing_stays(credentials: None, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    objects = open_objects(f"s3://bucket/models?endpoint=http://127.0.0.1:{port}", tmp_path)
    with pytest.raises(StoreError, match="does not answer") as error:
        objects.put_stream([b"flights"])
    assert error.value.where == "s3://bucket/models"
    assert "try again" in error.value.do
    assert list((tmp_path / "spool" / ".half").iterdir()) == []


def test_a_server_that_comes_back_has_what_it_acknowledged(credentials: None, tmp_path: Path) -> None:
    (tmp_path / "buckets" / "bucket").mkdir(parents=True)
    server = serve(tmp_path / "buckets")
    objects = open_objects(server.address("models"), tmp_path)
    digest = objects.put(b"flights")
    end(server)  # SIGKILL
    again = serve(tmp_path / "buckets", int(server.endpoint.rpartition(":")[2]))
    try:
        assert objects.get(digest) == b"flights"
    finally:
        end(again)


def test_refused_credentials_are_said(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "somebody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "else")
    with pytest.raises(StoreError, match="refuses our credentials"):
        open_objects(server.address("models"), tmp_path).put(b"flights")


def test_a_bucket_that_does_not_exist_is_said(server: Server, credentials: None, tmp_path: Path) -> None:
    objects = open_objects(server.address("models").replace("//bucket/", "//nowhere/"), tmp_path)
    with pytest.raises(StoreError, match="no such bucket"):
        objects.put(b"flights")


def test_what_others_keep_in_the_bucket_is_no_object(bucket: CloudObjects, server: Server, tmp_path: Path) -> None:
    digest = bucket.put(b"flights")
    (server.folder / "bucket" / tmp_path.name / "notes.txt").write_text("not ours")
    assert list(bucket.digests()) == [digest]


def test_bytes_that_are_there_are_not_sent_again(bucket: CloudObjects, server: Server, tmp_path: Path) -> None:
    home = Home(bucket, server.folder / "bucket" / tmp_path.name)
    digest = bucket.put(b"flights" * 100_000)
    before = home.file(digest).stat().st_ino
    bucket.put(b"flights" * 100_000)
    bucket.put_stream([b"flights" * 100_000])
    assert home.file(digest).stat().st_ino == before


@pytest.mark.parametrize("scheme", ["gs", "az"])
def test_the_other_clouds_are_known_by_their_address(
    scheme: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "threefold")
    objects = open_objects(f"{scheme}://models/churn", tmp_path)
    assert (objects.address, type(objects)) == (f"{scheme}://models/churn", CloudObjects)


@pytest.mark.parametrize(
    ("address", "what"),
    [
        ("ftp://models", "no objects can be kept under ftp://"),
        ("s3://bucket?secret_access_key=x", "holds a secret: secret_access_key"),
        ("s3://bucket?colour=blue", "cannot be used"),
    ],
)
def test_an_address_that_cannot_be_used_is_refused_at_once(address: str, what: str, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=what) as error:
        open_objects(address, tmp_path)
    assert "secret_access_key=x" not in str(error.value)


def test_without_the_extra_the_address_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "obstore", None)
    with pytest.raises(StoreError, match=r"threefold\[cloud\]"):
        open_objects("s3://bucket", tmp_path)


def test_an_unknown_object_is_not_found(bucket: CloudObjects) -> None:
    for ask in (bucket.get, bucket.size_bytes, bucket.open_stream, lambda digest: bucket.head(digest, 5)):
        with pytest.raises(NotFound):
            ask("0" * 64)
    bucket.remove("0" * 64)
    assert not bucket.has("0" * 64)
