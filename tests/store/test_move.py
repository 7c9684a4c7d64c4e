"""Nothing is lost on the way from one database or home of objects to another, and back."""

import math
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import JSON, insert, null, select, update

from threefold.errors import Conflict, StoreError
from threefold.pipeline import runs
from threefold.store import Store, copying, events, schema
from threefold.store.check import check
from threefold.store.move import move
from threefold.store.objects import LocalObjects

pytestmark = pytest.mark.engines


@pytest.fixture
def elsewhere(filled, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """An empty database of the other engine."""
    if filled.url is not None:
        yield f"sqlite:///{tmp_path / 'elsewhere.db'}"
    else:
        yield from request.getfixturevalue("postgres").database(empty=True)


def test_a_catalogue_moves_with_every_row_and_goes_on_counting(filled, elsewhere: str, rows_of) -> None:
    before = rows_of(filled.store)
    said = move(filled.store, catalogue=elsewhere)
    moved = Store.open(filled.store.root, url=elsewhere)
    after = rows_of(moved)
    added = {name: len(after[name]) - len(before[name]) for name in after if after[name] != before[name]}
    assert added == {"events": 1, "log_head": 0}
    assert said.rows == {name: len(rows) for name, rows in after.items()}
    runs.start(moved, project="another")
    assert runs.metrics_of(moved, filled.run) == runs.metrics_of(moved, filled.run)
    assert check(moved, deep=True).findings == ()
    moved.close()


def test_whoever_still_has_the_old_address_is_told(filled, elsewhere: str) -> None:
    move(filled.store, catalogue=elsewhere)
    with pytest.raises(StoreError, match="was moved"):
        Store.open(filled.store.root, url=filled.url)


def test_it_can_move_back_to_where_it_was(filled, elsewhere: str, rows_of) -> None:
    before = rows_of(filled.store)
    move(filled.store, catalogue=elsewhere)
    away = Store.open(filled.store.root, url=elsewhere)
    home = filled.url or f"sqlite:///{filled.store.root / 'catalogue.db'}"
    move(away, catalogue=home)
    away.close()
    back = Store.open(filled.store.root, url=filled.url)
    after = rows_of(back)
    assert {name: rows for name, rows in after.items() if name not in ("events", "log_head")} == {
        name: rows for name, rows in before.items() if name not in ("events", "log_head")
    }
    with back.read() as connection:
        assert events.verify(connection) == (len(before["events"]) + 2, None)
    back.close()


def test_a_database_of_somebody_else_is_not_touched(filled, elsewhere: str) -> None:
    Store.open(filled.store.root / "other", url=elsewhere).close()
    with pytest.raises(Conflict, match="not empty"):
        move(filled.store, catalogue=elsewhere)
    with pytest.raises(Conflict, match="there already"):
        move(filled.store, catalogue=filled.url or f"sqlite:///{filled.store.root / 'catalogue.db'}")
    assert filled.store.revision() == schema.HEAD


def test_objects_move_and_what_is_there_is_not_copied_twice(filled, tmp_path: Path) -> None:
    there = LocalObjects(tmp_path / "elsewhere")
    first = filled.objects["table"]
    there.put_stream(filled.store.objects.open_stream(first))
    before = there.path(first).stat().st_ino
    said = move(filled.store, objects=there)
    assert said.object_count == len(set(there.digests())) == len(set(filled.store.objects.digests()))
    assert there.path(first).stat().st_ino == before
    filled.store.objects = there
    assert check(filled.store, deep=True).findings == ()


def test_a_damaged_object_stops_the_move_and_the_store_stays(filled, elsewhere: str, tmp_path: Path) -> None:
    filled.store.objects.path(filled.objects["part"]).write_bytes(b"damaged")
    with pytest.raises(StoreError, match="damaged"):
        move(filled.store, catalogue=elsewhere, objects=LocalObjects(tmp_path / "elsewhere"))
    again = Store.open(filled.store.root, url=filled.url)
    assert again.revision() == schema.HEAD
    again.close()


KILLED = """
import os, signal, sys
from pathlib import Path
from threefold.store import Store, copying, move
from threefold.store.objects import LocalObjects

root, url, catalogue, objects, when = sys.argv[1:]

def die(what, done, of):
    if what == when and done >= of // 2:
        os.kill(os.getpid(), signal.SIGKILL)

original = move._copy_catalogue

def copied(*arguments):
    rows = original(*arguments)
    die(when, 1, 1) if when == "between the two" else None
    return rows

move._copy_catalogue = copied
store = Store.open(Path(root), url=url or None)
move.move(store, catalogue=catalogue, objects=LocalObjects(Path(objects)), progress=die)
"""


@pytest.mark.slow
@pytest.mark.parametrize("when", ["copying objects", "copying events", "comparing runs", "between the two"])
def test_a_move_that_is_killed_is_ended_by_the_next_one(
    filled, elsewhere: str, tmp_path: Path, when: str, rows_of
) -> None:
    before = rows_of(filled.store)
    target = tmp_path / "objects"
    words = [sys.executable, "-c", KILLED, str(filled.store.root), filled.url or "", elsewhere, str(target), when]
    assert subprocess.run(words, timeout=60, check=False, env=os.environ).returncode == -signal.SIGKILL
    assert rows_of(filled.store) == before

    move(filled.store, catalogue=elsewhere, objects=LocalObjects(target))
    moved = Store.open(filled.store.root, url=elsewhere)
    moved.objects = LocalObjects(target)
    assert rows_of(moved)["runs"] == before["runs"]
    assert check(moved, deep=True).findings == ()
    moved.close()


def test_a_difference_between_original_and_copy_is_found(filled, elsewhere: str) -> None:
    other = Store.open(filled.store.root / "other", url=elsewhere)
    with filled.store.read() as one, other.read() as two:
        with pytest.raises(StoreError, match="not the same"):
            copying.compare(one, two, "there", lambda what, done, of: None)
        copying.compare(one, one, "there", lambda what, done, of: None)
    other.close()


def test_no_json_and_the_null_of_json_and_numbers_that_are_none_stay_what_they_are(filled, elsewhere: str) -> None:
    window = {"endpoint": "e", "start": "a", "end": "b", "at": "c", "body": {"nan": math.nan, "up": [math.inf]}}
    with filled.store.write() as tx:
        tx.execute(insert(schema.windows).values(**window))
        tx.execute(update(schema.runs).where(schema.runs.c.id == filled.run).values(error=null()))
        tx.execute(update(schema.runs).where(schema.runs.c.id == filled.tracked).values(error=JSON.NULL))
    move(filled.store, catalogue=elsewhere)
    moved = Store.open(filled.store.root, url=elsewhere)
    with moved.read() as connection:
        empty = connection.scalars(select(schema.runs.c.id).where(schema.runs.c.error.is_(null()))).all()
        body = connection.scalars(select(schema.windows.c.body)).one()
    assert empty == [filled.run]
    assert math.isnan(body["nan"]) and body["up"] == [math.inf]
    moved.close()


def test_a_value_that_the_other_database_refuses_is_named_and_nothing_is_switched(filled, elsewhere: str) -> None:
    if filled.url is not None:
        pytest.skip("SQLite refuses nothing that Postgres took")
    with filled.store.write() as tx:
        tx.execute(update(schema.runs).where(schema.runs.c.id == filled.run).values(name="a\u0000b"))
    with pytest.raises(StoreError, match="table runs cannot be copied"):
        move(filled.store, catalogue=elsewhere)
    assert filled.store.revision() == schema.HEAD
