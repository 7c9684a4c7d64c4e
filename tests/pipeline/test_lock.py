import threading
from pathlib import Path

import pytest

from threefold.errors import Conflict
from threefold.pipeline.lock import run_lock


def test_a_run_inside_a_run_of_the_same_thread_is_one_run(tmp_path: Path) -> None:
    with run_lock(tmp_path, "outer"), run_lock(tmp_path, "inner"):
        pass
    with run_lock(tmp_path, "again"):
        pass


def test_another_thread_is_refused_and_told_who_holds_it(tmp_path: Path) -> None:
    refusals: list[Conflict] = []

    def try_it() -> None:
        try:
            with run_lock(tmp_path, "second"):
                pass
        except Conflict as error:
            refusals.append(error)

    with run_lock(tmp_path, "pipeline nightly"):
        thread = threading.Thread(target=try_it)
        thread.start()
        thread.join()
    assert "pipeline nightly" in refusals[0].what


def test_the_lock_is_free_again_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no"), run_lock(tmp_path, "first"):
        raise ValueError("no")
    with run_lock(tmp_path, "second"):
        pass
