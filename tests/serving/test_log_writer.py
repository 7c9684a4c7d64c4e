import os
import shutil

import pytest

from threefold.errors import StoreError
from threefold.serving import log, log_writer
from threefold.serving.journal import Columns, Inference, read_segment, segments
from threefold.serving.log_writer import LogWriter

COLUMNS = Columns(("temp",), ())


def record(name):
    return Inference(0, name, 1, [name], None, b"\0\0\0\0", [], [1], ["model"], [0.5], 1, b"\0" * 8)


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "store"
    root.mkdir()
    return root


@pytest.fixture
def writer(root):
    writer = LogWriter(root / "log" / "demo")
    yield writer
    writer.close()


def keep(writer, *names):
    for name in names:
        writer.predictions(record(name), COLUMNS)


def kept(folder):
    return sum(len(read_segment(path)[0].frames) for path in segments(folder))


def test_what_was_taken_is_written_again_where_the_store_was_deleted_and_restored(root, writer):
    keep(writer, "a", "b")
    shutil.rmtree(root)
    keep(writer, "c")  # nobody can know yet
    root.mkdir()
    writer.look()
    keep(writer, "d")
    assert kept(writer.folder) == 4


def test_a_deleted_store_is_not_made_again_and_nothing_more_is_taken(root, writer):
    keep(writer, "a")
    shutil.rmtree(root)
    writer.look()
    with pytest.raises(StoreError, match="cannot be written"):
        keep(writer, "b")
    assert not root.exists()
    assert writer.problem


def test_a_log_is_taken_along_into_the_store_that_took_the_place_of_a_renamed_one(root, writer):
    keep(writer, "a")
    old = root.rename(root.with_name("renamed"))
    root.mkdir()
    writer.look()
    keep(writer, "b")
    assert (kept(old / "log" / "demo"), kept(writer.folder)) == (1, 2)


def test_a_log_ingested_before_a_backup_is_not_ingested_again_after_it_is_restored(store):
    writer, folder = LogWriter(log.log_folder(store.root, "demo")), log.log_folder(store.root, "demo")
    keep(writer, "a")
    log.ingest(store, "demo")
    keep(writer, "b")
    backup = shutil.copytree(folder, store.root / "backup")
    keep(writer, "c")
    shutil.rmtree(folder)
    backup.rename(folder)
    writer.look()
    keep(writer, "d")
    writer.close()
    log.ingest(store, "demo")
    assert log.read_predictions(store, "demo")["prediction_id"].to_list() == ["a", "b", "c", "d"]


def test_a_server_that_ends_takes_its_records_to_the_restored_store(root, writer):
    keep(writer, "a")
    shutil.rmtree(root)
    root.mkdir()
    writer.look()
    writer.close()
    assert kept(writer.folder) == 1


def test_a_full_disk_is_a_problem_before_a_request_finds_it(root, writer, monkeypatch):
    class Room:
        f_blocks, f_bavail, f_frsize = 1000, 0, 4096

    monkeypatch.setattr(log_writer.os, "statvfs", lambda _place: Room)
    writer.look()
    assert "the disk is full" in writer.problem


@pytest.mark.skipif(os.getuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_is_a_problem_until_it_is_mended(root, writer):
    root.chmod(0o500)
    writer.look()
    assert "may not be written" in writer.problem
    root.chmod(0o700)
    writer.look()
    assert writer.problem is None


def test_a_problem_is_over_when_a_file_is_taken_again(root, writer):
    (root / "log").write_text("in the way")
    with pytest.raises(StoreError):
        keep(writer, "a")
    assert writer.problem
    (root / "log").unlink()
    writer.look()
    assert writer.problem is None
    assert list(root.iterdir()) == []
