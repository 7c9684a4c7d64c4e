from collections.abc import Callable, Iterator
from concurrent.futures import wait
from pathlib import Path
from threading import Event

import pytest
from sqlalchemy import Connection, event, func, select

from threefold.errors import StoreError
from threefold.store import Store, Writer, schema
from threefold.store.events import verify
from threefold.store.queue import WriteQueue

pytestmark = pytest.mark.engines


@pytest.fixture
def store(tmp_path: Path, catalogue: str | None) -> Iterator[Store]:
    found = Store.open(tmp_path, url=catalogue)
    yield found
    found.close()


def refuse_writing(store: Store) -> None:
    """As after the file system, or the user of the database, was made read-only."""

    @event.listens_for(store.engine, "begin")
    def _read_only(connection: Connection) -> None:
        sqlite = connection.dialect.name == "sqlite"
        connection.exec_driver_sql("PRAGMA query_only=ON" if sqlite else "SET TRANSACTION READ ONLY")


def note(name: str) -> Callable[[Writer], int]:
    return lambda tx: tx.event("thing.noted", name)


def test_pieces_run_in_order_and_are_there_when_they_are_acknowledged(store: Store) -> None:
    queue = WriteQueue(store)
    futures = [queue.submit(note(f"thing {number}")) for number in range(300)]
    assert [future.result(20) for future in futures] == list(range(2, 302))
    with store.read() as connection:
        assert verify(connection) == (301, None)
    queue.close()


def test_a_piece_that_raises_leaves_nothing_and_harms_nobody(store: Store) -> None:
    def broken(tx: Writer) -> None:
        tx.event("thing.noted", "broken")
        raise ValueError("no")

    queue = WriteQueue(store)
    futures = [queue.submit(note("a")), queue.submit(broken), queue.submit(note("b"))]
    wait(futures, 20)
    assert [futures[0].result(), futures[2].result()] == [2, 3]
    with pytest.raises(ValueError, match="no"):
        futures[1].result()
    queue.close()
    with store.read() as connection:
        assert connection.scalar(select(func.count()).select_from(schema.events)) == 3


def test_everybody_is_told_when_the_commit_fails(store: Store) -> None:
    queue = WriteQueue(store)
    refuse_writing(store)
    futures = [queue.submit(note("a")), queue.submit(note("b"))]
    for future in futures:
        with pytest.raises(StoreError):
            future.result(20)
    queue.close()


def test_what_its_owner_gave_up_is_not_begun_and_the_queue_goes_on(store: Store) -> None:
    queue, began, goes_on = WriteQueue(store), Event(), Event()

    def slow(tx: Writer) -> None:
        began.set()
        assert goes_on.wait(20)

    first = queue.submit(slow)
    assert began.wait(20)
    given_up, last = queue.submit(note("given up")), queue.submit(note("last"))
    assert given_up.cancel() and not first.cancel()
    goes_on.set()
    assert last.result(20) == 2
    queue.close()
