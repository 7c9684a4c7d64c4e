"""Postgres is stopped, or dies, in the middle of everything: what was acknowledged is there, and nothing is half-done."""

import os
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic

import pytest
from sqlalchemy import insert, select

from threefold.errors import StoreError, Unavailable
from threefold.store import Store, events, schema
from threefold.store.queue import WriteQueue

pytestmark = [pytest.mark.postgres, pytest.mark.slow]
PATIENCE_S = 60


@pytest.fixture
def server(tmp_path: Path, start_postgres) -> Iterator[object]:
    """A server of its own: nobody else's tests are to be disturbed."""
    with tempfile.TemporaryDirectory(prefix="pg") as folder:
        found = start_postgres(Path(folder) / "data", tmp_path / "lock")
        yield found
        found.admin.dispose()
        found.server.cleanup()


def stop_politely(server) -> None:
    server.server.stop()


def die(server) -> None:
    """At once, without a word to anybody; what is in the log is recovered at the start."""
    process = server.server.get_postmaster_info().process
    os.kill(process.pid, signal.SIGQUIT)
    process.wait(PATIENCE_S)


class Load:
    """Threads that write an event and a row together, and note what they were told is safe."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self.acknowledged: list[str] = []
        self.refused: list[Exception] = []
        self._write = write
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._work, args=(name,)) for name in "abcd"]
        for thread in self._threads:
            thread.start()

    def _work(self, name: str) -> None:
        number = 0
        while not self._ended.is_set():
            number += 1
            try:
                self._write(f"{name}{number}")
                self.acknowledged.append(f"{name}{number}")
            except Exception as error:
                self.refused.append(error)

    def wait_for(self, more: int) -> None:
        wanted, deadline = len(self.acknowledged) + more, monotonic() + PATIENCE_S
        while len(self.acknowledged) < wanted:
            assert monotonic() < deadline, self.refused[-3:]

    def end(self) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join(PATIENCE_S)


def both(tx, name: str) -> None:
    tx.event("thing.noted", name)
    tx.execute(insert(schema.files).values(path=name, digest="d" * 64, size_bytes=1, changed_ms=0))


@pytest.mark.parametrize("ending", [stop_politely, die])
@pytest.mark.parametrize("way", ["one by one", "through the queue"])
def test_what_was_acknowledged_is_there_after_a_restart(server, tmp_path: Path, ending: Callable, way: str) -> None:
    url = next(server.database(empty=True))
    store = Store.open(tmp_path / "store", url=url)
    queue = WriteQueue(store)

    def write(name: str) -> None:
        if way == "one by one":
            with store.write() as tx:
                both(tx, name)
        else:
            queue.submit(lambda tx: both(tx, name)).result(PATIENCE_S)

    load = Load(write)
    try:
        load.wait_for(20)
        ending(server)
        server.server.ensure_postgres_running()
        load.wait_for(40)
    finally:
        load.end()
        queue.close()
    with store.read() as connection:
        noted = [event.subject for event in events.read(connection, kind="thing.noted")]
        rows = set(connection.scalars(select(schema.files.c.path)))
        assert events.verify(connection)[1] is None
    store.close()
    assert set(load.acknowledged) <= set(noted)
    assert (len(noted), set(noted)) == (len(rows), rows)
    assert {type(error) for error in load.refused} <= {StoreError, Unavailable}
    assert all("lost" in str(error) or "cannot" in str(error) for error in load.refused), load.refused
