"""Objects in a bucket: the memory is looked after there as in a folder."""

from datetime import timedelta
from pathlib import Path

import pytest

from threefold.store import Store
from threefold.store.backup import backup
from threefold.store.check import check
from threefold.store.gc import collect
from threefold.store.info import look
from threefold.store.move import move
from threefold.store.objects import open_objects
from threefold.store.restore import restore


@pytest.fixture
def bucket(server, credentials, tmp_path: Path) -> str:
    return str(server.address(tmp_path.name))


def test_objects_move_into_a_bucket_and_are_looked_after_there(filled, bucket: str, tmp_path: Path, rows_of) -> None:
    said = move(filled.store, objects=open_objects(bucket, filled.store.root))
    there = Store.open(filled.store.root, objects=bucket)
    assert set(there.objects.digests()) == set(filled.store.objects.digests())
    assert look(there).object_bytes == said.object_bytes
    assert check(there, deep=True).findings == ()

    assert collect(there, grace=timedelta(30), unused=timedelta(1)).removed == 0  # all of it was put just now
    assert collect(there, grace=timedelta(30), unused=timedelta(seconds=-60)).removed == 1
    assert not there.objects.has(filled.objects["loose"])

    backup(there, tmp_path / "backup.tar")
    restore(tmp_path / "backup.tar", tmp_path / "again", objects=f"{bucket.replace('?', '-again?')}")
    again = Store.open(tmp_path / "again", objects=f"{bucket.replace('?', '-again?')}")
    assert rows_of(again) == rows_of(there)
    assert check(again, deep=True).findings == ()
    assert not (tmp_path / "again" / "objects").exists()
    there.close()
    again.close()
