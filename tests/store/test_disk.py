"""A disk that is full or may not be written: said in three parts, and nothing half-done stays."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text

from threefold.errors import StoreError
from threefold.store import Store, Writer
from threefold.store.backup import backup
from threefold.store.check import check
from threefold.store.queue import WriteQueue
from threefold.store.restore import restore


@pytest.fixture
def disk(small_disk: Callable[[str], Path]) -> Path:
    return small_disk("3m")


def fill_up(folder: Path) -> Path:
    with pytest.raises(OSError, match="No space"):
        (folder / "filler").write_bytes(bytes(4_000_000))
    return folder / "filler"


def much(tx: Writer) -> None:
    for number in range(2000):
        tx.event("thing.noted", f"thing {number}", {"text": "x" * 1000})


def test_on_a_full_disk_the_queue_tells_everybody_and_goes_on_when_there_is_room(disk: Path) -> None:
    store = Store.open(disk / "store")
    filler = fill_up(disk)
    queue = WriteQueue(store)
    futures = [queue.submit(much) for _ in range(3)]
    for future in futures:
        assert "the disk is full" in str(future.exception(20))
    filler.unlink()
    assert queue.submit(lambda tx: tx.event("thing.noted", "small")).result(20) == 2
    queue.close()
    assert check(store).findings == ()
    store.close()


def test_a_backup_or_restore_that_finds_no_room_leaves_nothing(disk: Path, tmp_path: Path) -> None:
    store = Store.open(tmp_path / "store")
    with store.write() as tx:
        much(tx)
    with pytest.raises(StoreError, match="No space") as error:
        backup(store, disk / "backup.tar")
    assert "free some space" in error.value.do
    backup(store, tmp_path / "backup.tar")
    with pytest.raises(StoreError, match=r"No space|disk is full"):
        restore(tmp_path / "backup.tar", disk / "again")
    assert list(disk.iterdir()) == []
    store.close()


def test_an_upgrade_that_cannot_be_copied_first_changes_nothing(disk: Path) -> None:
    store = Store.open(disk / "store")
    with store.write() as tx:
        for number in range(500):
            tx.event("thing.noted", f"thing {number}", {"text": "x" * 1000})
        tx.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    fill_up(disk).rename(disk / "kept")
    with pytest.raises(StoreError, match="no copy of the catalogue"):
        Store.open(disk / "store")
    assert store.revision() == "0001"
    assert list((disk / "store").glob("*.half")) == []
    store.close()


@pytest.mark.parametrize("name", ["store", "new"])
def test_a_folder_that_may_not_be_written_is_said(disk: Path, name: str) -> None:
    Store.open(disk / "store").close()
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    with pytest.raises(StoreError, match=r"cannot make the store|read-only") as error:
        Store.open(disk / name)
    assert "rights" in error.value.do
