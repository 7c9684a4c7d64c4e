import os
from pathlib import Path

import pytest

from threefold.pipeline.files import RACY_NS, Files, walk


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A source file that was last changed long ago, as far as anybody can tell by its times."""
    file = tmp_path / "a.py"
    file.write_text("def f(): ...\n")
    return file


def test_a_digest_is_that_of_the_bytes(old: Path) -> None:
    import hashlib

    assert Files().digest(old) == hashlib.sha256(old.read_bytes()).hexdigest()


def test_what_was_learnt_is_kept_and_read_again(old: Path, tmp_path: Path) -> None:
    files = Files(tmp_path / "memory")
    table = files.table(old, "a")
    files.save()
    again = Files(tmp_path / "memory")
    assert again.entries[str(old)].tables["a"] == table
    assert again.table(old, "a") == table


def test_an_edit_of_equal_length_within_one_tick_is_noticed(old: Path, tmp_path: Path) -> None:
    files = Files(tmp_path / "memory")
    before, times = files.digest(old), old.stat()
    files.save()
    old.write_text("def g(): ...\n")
    os.utime(old, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert Files(tmp_path / "memory").digest(old) != before


def test_a_file_that_is_long_unchanged_is_not_read_again(old: Path, tmp_path: Path) -> None:
    files = Files(tmp_path / "memory")
    files.digest(old)
    entry = files.entries[str(old)]
    entry.read_ns += RACY_NS  # as if it had been read a while after the change
    entry.digest = "as remembered"
    files.save()
    assert Files(tmp_path / "memory").digest(old) == "as remembered"


@pytest.mark.parametrize("content", [b"", b"\x00damaged", b"\x82\xa6format\x63\xa7entries\x80"])
def test_a_damaged_or_newer_memory_is_ignored(old: Path, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "memory").write_bytes(content)
    assert Files(tmp_path / "memory").entries == {}


def test_a_memory_that_cannot_be_written_is_no_error(old: Path, tmp_path: Path) -> None:
    files = Files(tmp_path / "gone" / "memory")
    files.digest(old)
    files.save()


def test_a_folder_is_walked_in_order_without_what_is_hidden_or_built(tmp_path: Path) -> None:
    for name in ("b.py", "a/c.py", ".git/x.py", "__pycache__/y.py", "a/notes.txt", "env/pyvenv.cfg", "env/z.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert [path.relative_to(tmp_path).as_posix() for path in walk(tmp_path, (".py",))] == ["a/c.py", "b.py"]


def test_the_digest_of_a_folder_moves_with_names_and_contents(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a").write_text("1")
    digests = [Files().tree_digest(folder)]
    (folder / "a").rename(folder / "b")
    digests.append(Files().tree_digest(folder))
    (folder / "b").write_text("2")
    digests.append(Files().tree_digest(folder))
    assert len(set(digests)) == 3
