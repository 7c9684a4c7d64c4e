"""Only what nothing refers to goes, whoever writes meanwhile, and whenever it is interrupted."""

import signal
import subprocess
import sys
import threading
from datetime import timedelta
from pathlib import Path

import pytest
from filelock import FileLock
from sqlalchemy import insert, select

from threefold.errors import Conflict, StoreError
from threefold.store import Store, events, schema
from threefold.store.check import check
from threefold.store.gc import Collected, collect

pytestmark = pytest.mark.engines
DAYS = timedelta(days=30)


def gc(store: Store, *, dry_run: bool = False) -> Collected:
    return collect(store, grace=DAYS, unused=timedelta(days=1), dry_run=dry_run)


def test_what_nothing_refers_to_goes_and_all_else_stays(filled) -> None:
    filled.make_old()
    done = gc(filled.store)
    assert (done.removed, done.removed_bytes, done.purged) == (1, len(b"nobody wants it"), ())
    assert [name for name in filled.objects if not filled.there(name)] == ["loose"]
    assert check(filled.store, deep=True).findings == ()
    with filled.store.read() as connection:
        assert events.verify(connection)[1] is None
        assert [event.body["objects"] for event in events.read(connection, kind="store.collected")] == [1]


def test_a_young_object_stays_as_its_row_may_be_on_the_way(filled) -> None:
    done = gc(filled.store)
    assert (done.removed, done.young) == (0, 1)
    assert filled.there("loose")


def test_a_dry_run_says_what_would_go_and_changes_nothing(filled, rows_of) -> None:
    filled.make_old()
    filled.delete_run(filled.tracked)
    before = rows_of(filled.store)
    done = gc(filled.store, dry_run=True)
    assert (done.removed, done.purged) == (2, (f"run {filled.tracked}",))
    assert rows_of(filled.store) == before
    assert all(filled.there(name) for name in filled.objects)
    again = gc(filled.store)
    assert (again.removed, again.removed_bytes, again.purged) == (done.removed, done.removed_bytes, done.purged)


def test_a_deleted_run_goes_after_its_days_with_its_rows_and_files(filled) -> None:
    filled.make_old()
    filled.delete_run(filled.tracked)
    assert gc(filled.store).purged == (f"run {filled.tracked}",)
    assert not filled.there("file")
    with filled.store.read() as connection:
        assert connection.execute(select(schema.files)).all() == []
        assert connection.execute(select(schema.runs).where(schema.runs.c.id == filled.tracked)).all() == []
        assert next(events.read(connection, kind="run.purged")).subject == f"run {filled.tracked}"


def test_a_deleted_run_can_be_restored_within_its_days(filled) -> None:
    filled.delete_run(filled.tracked, at="2999-01-01")
    assert gc(filled.store).purged == ()


@pytest.mark.parametrize("subject", ["run {run}", "experiment 0"])
def test_what_is_under_hold_stays(filled, subject: str) -> None:
    hold = {"id": "h", "subject": subject.format(run=filled.tracked), "reason": "court", "by": "ada", "at": "now"}
    with filled.store.write() as tx:
        tx.execute(insert(schema.holds).values(**hold))
    filled.make_old()
    filled.delete_run(filled.tracked)
    done = gc(filled.store)
    assert (done.purged, done.held) == ((), (f"run {filled.tracked}",))
    assert filled.there("file")


def test_the_run_of_a_version_stays_as_long_as_the_version(filled) -> None:
    filled.make_old()
    filled.delete_run(filled.run)
    assert gc(filled.store).held == (f"run {filled.run}",)
    with filled.store.write() as tx:
        tx.execute(schema.model_versions.update().values(deleted_at="2000-01-01"))
    done = gc(filled.store)
    assert done.purged == ("model shop/1", f"run {filled.run}")
    assert [name for name in filled.objects if filled.there(name)] == ["snapshot", "file"]
    assert check(filled.store).findings == ()


def test_an_object_that_cannot_be_read_stops_it_before_anything_goes(filled) -> None:
    filled.make_old()
    filled.store.objects.path(filled.objects["bundle"]).write_bytes(b"damaged")
    with pytest.raises(StoreError, match="damaged"):
        gc(filled.store)
    assert filled.there("loose")


def test_it_waits_for_no_other_but_says_so(filled) -> None:
    with FileLock(filled.store.root / "care.lock"), pytest.raises(Conflict, match="another gc"):
        gc(filled.store)


def test_what_is_put_while_it_looks_stays(filled) -> None:
    filled.make_old()
    objects = filled.store.objects
    before = objects.last_put(filled.objects["loose"]) + 1
    assert objects.put(b"nobody wants it") == filled.objects["loose"]  # somebody does, after all
    assert not objects.remove_unused(filled.objects["loose"], before)
    assert filled.there("loose")


def test_writers_beside_it_lose_nothing(filled) -> None:
    objects, store = filled.store.objects, filled.store
    data = [f"file {number}".encode() for number in range(60)]
    for one in data:
        filled.make_old(objects.put(one))
    failures: list[BaseException] = []

    def write() -> None:
        try:
            for number, one in enumerate(data):
                digest = objects.put(one)
                row = {"path": f"0/x/artifacts/{number}", "digest": digest, "size_bytes": len(one), "changed_ms": 0}
                with store.write() as tx:
                    tx.execute(insert(schema.files).values(**row))
        except BaseException as error:
            failures.append(error)

    writer = threading.Thread(target=write)
    writer.start()
    while writer.is_alive():
        gc(store)
    writer.join()
    assert failures == []
    assert check(store, deep=True).findings == ()


KILLED = """
import os, signal, sys
from datetime import timedelta
from pathlib import Path
from threefold.store import Store
from threefold.store.gc import collect
from threefold.store.objects import LocalObjects

left = int(sys.argv[3])
remove = LocalObjects.remove

def killing(self, digest):
    global left
    remove(self, digest)
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)

LocalObjects.remove = killing
collect(Store.open(Path(sys.argv[1]), url=sys.argv[2] or None), grace=timedelta(days=30), unused=timedelta(days=1))
"""


@pytest.mark.slow
def test_a_gc_that_is_killed_leaves_a_whole_store_and_the_next_one_ends_it(filled) -> None:
    for number in range(20):
        filled.make_old(filled.store.objects.put(f"loose {number}".encode()))
    filled.make_old()
    words = [sys.executable, "-c", KILLED, str(filled.store.root), filled.url or "", "5"]
    assert subprocess.run(words, timeout=60, check=False).returncode == -signal.SIGKILL
    assert check(filled.store, deep=True).findings == ()
    assert gc(filled.store).removed == 21 - 5


def test_a_store_in_which_nothing_happened_has_nothing_to_go(tmp_path: Path, catalogue: str | None) -> None:
    store = Store.open(tmp_path, url=catalogue)
    assert (gc(store).removed, gc(store).kept) == (0, 0)
    store.close()
