import multiprocessing
import stat
from pathlib import Path

import pytest

from threefold.errors import StoreError
from threefold.store import Store
from threefold.store.keys import own_key


def ask(folder: str, answers: "multiprocessing.Queue[bytes]") -> None:
    answers.put(own_key(Path(folder) / "key"))


def test_the_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    store = Store.open(tmp_path)
    key = store.key()
    assert len(key) == 32
    assert Store.open(tmp_path).key() == key
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600
    assert list(tmp_path.glob(".key-*")) == []


def test_processes_that_start_at_once_agree_on_one_key(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    answers: multiprocessing.Queue[bytes] = spawn.Queue()
    processes = [spawn.Process(target=ask, args=(str(tmp_path), answers)) for _ in range(4)]
    for process in processes:
        process.start()
    keys = {answers.get() for _ in processes}
    for process in processes:
        process.join()
    assert keys == {(tmp_path / "key").read_bytes()}


def test_a_damaged_key_is_named(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"short")
    with pytest.raises(StoreError, match="damaged"):
        own_key(tmp_path / "key")
