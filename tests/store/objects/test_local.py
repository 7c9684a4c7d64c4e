import hashlib
import os
import threading
from pathlib import Path

import polars as pl
import pytest

from threefold.errors import NotFound, StoreError
from threefold.store.objects import LocalObjects


def test_bytes_lie_under_their_digest_and_only_once(tmp_path: Path) -> None:
    objects = LocalObjects(tmp_path)
    digest = objects.put(b"flights")
    assert digest == hashlib.sha256(b"flights").hexdigest()
    before = objects.path(digest).stat().st_ino
    assert objects.put(b"flights") == digest
    assert objects.path(digest).stat().st_ino == before
    assert objects.get(digest) == b"flights"


def test_an_unknown_object_is_answered(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        LocalObjects(tmp_path).get("0" * 64)


@pytest.mark.parametrize("damage", [b"", b"flightz"])
def test_a_damaged_object_is_refused_and_putting_it_again_mends_it(tmp_path: Path, damage: bytes) -> None:
    objects = LocalObjects(tmp_path)
    digest = objects.put(b"flights")
    objects.path(digest).write_bytes(damage)
    with pytest.raises(StoreError) as error:
        objects.get(digest)
    assert str(objects.path(digest)) in error.value.where
    objects.put(b"flights")
    assert objects.get(digest) == b"flights"


def test_threads_that_put_the_same_bytes_at_once_keep_one_whole_copy(tmp_path: Path) -> None:
    objects, data = LocalObjects(tmp_path), os.urandom(100_000)
    threads = [threading.Thread(target=objects.put, args=(data,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()] == [data]


def test_a_table_comes_back_and_equal_tables_have_one_digest(tmp_path: Path) -> None:
    objects = LocalObjects(tmp_path)
    table = pl.DataFrame({"n": [1, None], "s": ["a", "b"]})
    digest = objects.put_table(table)
    assert objects.get_table(digest).equals(table)
    assert objects.put_table(table.clone()) == digest


def test_a_folder_that_is_a_file_is_answered(tmp_path: Path) -> None:
    (tmp_path / "objects").touch()
    with pytest.raises(StoreError, match="cannot write"):
        LocalObjects(tmp_path / "objects").put(b"x")


def test_what_a_killed_writer_left_is_swept_and_what_still_grows_is_not(tmp_path: Path) -> None:
    objects = LocalObjects(tmp_path)
    with objects.growing() as half:
        half.write(b"fli")
        (tmp_path / ".half" / "of a writer that was killed").write_bytes(b"fli")
        assert objects.sweep() == 1
        half.write(b"ghts")
        assert objects.get(half.keep()[0]) == b"flights"
    assert list((tmp_path / ".half").iterdir()) == []


def test_a_file_that_nobody_wrote_to_for_a_day_is_swept_whoever_holds_it(tmp_path: Path) -> None:
    objects = LocalObjects(tmp_path)
    with objects.growing():
        (half,) = (tmp_path / ".half").iterdir()
        os.utime(half, (0, 0))
        assert objects.sweep() == 1


def test_what_is_there_is_listed_measured_and_removed(tmp_path: Path) -> None:
    objects = LocalObjects(tmp_path)
    assert list(objects.digests()) == []
    first, second = objects.put(b"one"), objects.put(b"three")
    assert set(objects.digests()) == {first, second}
    assert objects.size_bytes(second) == 5
    objects.remove(first)
    objects.remove(first)
    assert list(objects.digests()) == [second]
    with pytest.raises(NotFound):
        objects.size_bytes(first)
