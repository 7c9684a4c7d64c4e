"""What was backed up comes back whole, on either engine, also when others wrote meanwhile."""

import shutil
import stat
import tarfile
import threading
from pathlib import Path

import pytest
from filelock import FileLock
from sqlalchemy import insert

from threefold.errors import Conflict, StoreError
from threefold.store import Store, events, schema
from threefold.store.backup import backup
from threefold.store.check import check
from threefold.store.restore import restore

pytestmark = pytest.mark.engines


@pytest.fixture
def archive(filled, tmp_path: Path) -> Path:
    filled.store.key()
    (filled.store.root / "log" / "shop").mkdir(parents=True)
    (filled.store.root / "log" / "shop" / "1.tflog").write_bytes(b"acknowledged")
    backup(filled.store, tmp_path / "backup.tar")
    return tmp_path / "backup.tar"


def without(archive: Path, name: str, target: Path) -> Path:
    with tarfile.open(archive) as old, tarfile.open(target, "w") as new:
        for member in old:
            if not member.name.startswith(name):
                new.addfile(member, old.extractfile(member))
    return target


def test_a_store_comes_back_as_it_was(
    filled, archive: Path, tmp_path: Path, empty_catalogue: str | None, rows_of
) -> None:
    said = restore(archive, tmp_path / "again", url=empty_catalogue)
    again = Store.open(tmp_path / "again", url=empty_catalogue)
    assert rows_of(again) == rows_of(filled.store)
    assert again.key() == filled.store.key()
    assert (again.root / "log" / "shop" / "1.tflog").read_bytes() == b"acknowledged"
    assert said.missing == ()
    assert said.rows["runs"] == 2
    assert check(again, deep=True).findings == ()
    assert not again.objects.has(filled.objects["loose"])  # nothing refers to it
    with again.write() as tx:
        tx.event("thing.noted", "thing")
    again.close()


@pytest.mark.parametrize("way", ["back", "forth"])
def test_a_backup_of_one_engine_is_restored_into_the_other(
    filled, archive: Path, tmp_path: Path, way: str, rows_of, request: pytest.FixtureRequest
) -> None:
    other = None
    if filled.url is None:
        other = next(databases := request.getfixturevalue("postgres").database(empty=True))
        request.addfinalizer(lambda: next(databases, None))
    restore(archive, tmp_path / "again", url=other)
    again = Store.open(tmp_path / "again", url=other)
    assert rows_of(again) == rows_of(filled.store)
    again.close()


def test_the_archive_is_for_its_owner_alone_and_not_overwritten(filled, archive: Path) -> None:
    assert stat.S_IMODE(archive.stat().st_mode) == 0o600
    with pytest.raises(Conflict, match="there already"):
        backup(filled.store, archive)


def test_a_store_that_is_there_is_only_replaced_when_told_and_then_kept_aside(
    filled, archive: Path, tmp_path: Path
) -> None:
    with filled.store.write() as tx:
        tx.event("thing.noted", "after the backup")
    with pytest.raises(Conflict, match="there already"):
        restore(archive, filled.store.root, url=filled.url)
    restore(archive, filled.store.root, url=filled.url, replace=True)
    again = Store.open(filled.store.root, url=filled.url)
    with again.read() as connection:
        assert list(events.read(connection, kind="thing.noted")) == []
    again.close()
    assert (tmp_path / "store.before-restore-1" / "key").exists()


@pytest.mark.parametrize("part", ["index.json", "objects/", "catalogue.db", "files/key", "format.json"])
def test_an_archive_that_lacks_a_part_is_refused_and_changes_nothing(archive: Path, tmp_path: Path, part: str) -> None:
    with pytest.raises(StoreError, match=r"damaged|no backup"):
        restore(without(archive, part, tmp_path / "less.tar"), tmp_path / "again")
    assert not (tmp_path / "again").exists()
    assert list(tmp_path.glob(".again*")) == []


def test_an_archive_that_was_cut_off_or_altered_is_refused(archive: Path, tmp_path: Path) -> None:
    data = archive.read_bytes()
    middle = data.index(b"weights")
    for broken in (data[: len(data) // 2], data[:middle] + b"W" + data[middle + 1 :], b"no archive at all"):
        (tmp_path / "broken.tar").write_bytes(broken)
        with pytest.raises(StoreError, match="damaged"):
            restore(tmp_path / "broken.tar", tmp_path / "again")
        assert not (tmp_path / "again").exists()


def test_a_path_that_climbs_out_is_refused(archive: Path, tmp_path: Path) -> None:
    shutil.copy(archive, tmp_path / "evil.tar")
    with tarfile.open(tmp_path / "evil.tar", "a") as evil:
        evil.add(archive, "files/../../evil")
    with pytest.raises(StoreError, match="no place"):
        restore(tmp_path / "evil.tar", tmp_path / "again")
    assert not (tmp_path / "evil").exists()


def test_a_backup_made_while_others_write_is_one_state(filled, tmp_path: Path) -> None:
    done = threading.Event()

    def write() -> None:
        number = 0
        while not done.is_set():
            number += 1
            data = f"file {number}".encode()
            digest = filled.store.objects.put(data)
            with filled.store.write() as tx:
                row = {"path": f"0/x/artifacts/{number}", "digest": digest, "size_bytes": len(data), "changed_ms": 0}
                tx.execute(insert(schema.files).values(**row))
                tx.event("file.put", row["path"])

    writer = threading.Thread(target=write)
    writer.start()
    try:
        said = [backup(filled.store, tmp_path / f"{number}.tar") for number in range(3)]
    finally:
        done.set()
        writer.join()
    assert [one.missing for one in said] == [()] * 3
    for number in range(3):
        restore(tmp_path / f"{number}.tar", tmp_path / f"again{number}")
        again = Store.open(tmp_path / f"again{number}")
        assert check(again, deep=True).findings == ()
        with again.read() as connection:
            put = len(list(events.read(connection, kind="file.put")))
        assert put + 1 == said[number].rows["files"]
        again.close()


def test_an_object_that_the_store_had_lost_is_named(filled, tmp_path: Path) -> None:
    filled.store.objects.remove(filled.objects["file"])
    assert backup(filled.store, tmp_path / "backup.tar").missing == (filled.objects["file"],)


def test_neither_backup_nor_restore_disturbs_a_gc_or_a_run(filled, archive: Path, tmp_path: Path) -> None:
    with FileLock(filled.store.root / "care.lock"), pytest.raises(Conflict, match="at work"):
        backup(filled.store, tmp_path / "another.tar")
    with FileLock(filled.store.root / "run.lock"), pytest.raises(Conflict, match="works with this store"):
        restore(archive, filled.store.root, url=filled.url, replace=True)


def test_a_place_that_cannot_be_written_is_said(filled, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be written"):
        backup(filled.store, tmp_path / "nowhere" / "backup.tar")
    assert list(filled.store.root.glob(".backup-*")) == []


def test_the_next_backup_clears_away_what_a_killed_one_left(filled, tmp_path: Path) -> None:
    left = filled.store.root / ".backup-of-somebody-killed"
    left.mkdir()
    (left / "catalogue.db").write_bytes(b"half")
    backup(filled.store, tmp_path / "backup.tar")
    assert not left.exists()
