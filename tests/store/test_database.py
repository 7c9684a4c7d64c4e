"""The catalogue's database: its address, how it waits, what it says no with."""

import math
import multiprocessing
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, event, insert, select

from threefold.errors import DataError, StoreError
from threefold.store import Store, Writer, database, schema
from threefold.store.events import verify
from threefold.store.queue import WriteQueue

pytestmark = pytest.mark.engines


@pytest.fixture
def store(tmp_path: Path, catalogue: str | None) -> Iterator[Store]:
    found = Store.open(tmp_path / "store", url=catalogue)
    yield found
    found.close()


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("postgresql://ada:lovelace@db.example:5433/flights", "postgresql://ada:***@db.example:5433/flights"),
        ("postgresql+psycopg://ada@db/f?password=lovelace&x=1", "postgresql+psycopg://ada@db/f?password=***&x=1"),
        ("postgresql://db.example/flights", "postgresql://db.example/flights"),
        ("sqlite:///shop.db#orders", "sqlite:///shop.db#orders"),
        ("data/flights.csv", "data/flights.csv"),
    ],
)
def test_an_address_is_shown_without_its_password(address: str, shown: str) -> None:
    assert database.without_secrets(address) == shown


@pytest.mark.parametrize("address", ["lovelace", "mysql://ada:lovelace@db/f", "postgresql://ada:lovelace@@::/"])
def test_what_is_no_address_of_a_catalogue_is_refused_without_its_password(tmp_path: Path, address: str) -> None:
    with pytest.raises(StoreError) as error:
        Store.open(tmp_path, url=address)
    assert "lovelace" not in str(error.value) or address == "lovelace"


def test_a_postgres_that_is_not_there_is_said_without_its_password(tmp_path: Path) -> None:
    pytest.importorskip("psycopg")
    with pytest.raises(StoreError) as error:
        Store.open(tmp_path, url="postgresql://ada:lovelace@127.0.0.1:1/flights")
    assert "connection" in error.value.what
    assert error.value.where == "postgresql+psycopg://ada:***@127.0.0.1:1/flights"
    assert "lovelace" not in str(error.value)


def test_json_keeps_what_is_not_a_number(store: Store) -> None:
    body = {"nan": math.nan, "up": [math.inf, {"down": -math.inf}], "nothing": None, "zero": "\u0000", "ü": "日本"}
    row = {"endpoint": "e", "start": "a", "end": "b", "body": body, "at": "c"}
    with store.write() as tx:
        tx.execute(insert(schema.windows).values(**row))
    with store.read() as connection:
        found = connection.scalars(select(schema.windows.c.body)).one()
    assert math.isnan(found["nan"])
    assert {**found, "nan": 0} == {**body, "nan": 0}


def test_texts_are_ordered_byte_by_byte(store: Store) -> None:
    names = ["b", "B", "a-b", "ab", "ä", "a b", "A"]
    rows = [{"page": "runs", "name": name, "query": "", "by": "", "at": ""} for name in names]
    with store.write() as tx:
        tx.execute(insert(schema.views), rows)
    with store.read() as connection:
        found = connection.scalars(select(schema.views.c.name).order_by(schema.views.c.name)).all()
    assert found == sorted(names, key=str.encode)


def test_a_number_beyond_32_bits_is_kept(store: Store) -> None:
    row = {"digest": "d", "kind": "table", "name": "n", "size_bytes": 2**40, "meta": {}, "created_at": ""}
    with store.write() as tx:
        tx.execute(insert(schema.artifacts).values(**row))
    with store.read() as connection:
        assert connection.scalars(select(schema.artifacts.c.size_bytes)).one() == 2**40


# ------------------------------------------------------------------------------------------------ many at once


def write_many(folder: Path, times: int, url: str | None) -> None:
    """Open the store anew, and write in the way of a client that is in a hurry."""
    store = Store.open(folder, url=url)
    for number in range(times):
        with store.write() as tx:
            tx.event("thing.noted", f"thing {number}")
        with store.read() as connection:
            connection.execute(select(schema.log_head)).one()
    store.close()


def test_many_processes_that_begin_at_once_make_one_store_and_wait_for_one_another(
    tmp_path: Path, empty_catalogue: str | None
) -> None:
    fork = multiprocessing.get_context("spawn")
    processes = [fork.Process(target=write_many, args=(tmp_path / "s", 30, empty_catalogue)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0] * 4
    store = Store.open(tmp_path / "s", url=empty_catalogue)
    with store.read() as connection:
        assert verify(connection) == (1 + 4 * 30, None)
    store.close()


def test_many_threads_write_while_one_reads_for_long_and_the_log_is_cleared(store: Store) -> None:
    failures: list[BaseException] = []

    def work() -> None:
        try:
            for number in range(10):
                with store.write() as tx:
                    tx.event("thing.noted", f"thing {number}")
        except BaseException as error:
            failures.append(error)

    with store.read() as connection:
        before = connection.execute(select(schema.log_head)).one()
        threads = [threading.Thread(target=work) for _ in range(24)]  # more than a pool has connections
        for thread in threads:
            thread.start()
        if store.engine.dialect.name == "sqlite":
            clear = store.engine.raw_connection()
            clear.cursor().execute("PRAGMA wal_checkpoint(PASSIVE)")
            clear.close()
        for thread in threads:
            thread.join(60)
        assert connection.execute(select(schema.log_head)).one() == before
    assert failures == []
    with store.read() as connection:
        assert verify(connection) == (1 + 24 * 10, None)


def test_a_transaction_inside_another_of_the_same_thread_is_answered(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BUSY_TIMEOUT_S", 0.01)
    with store.write(), pytest.raises(StoreError, match="busy"), store.write():
        pass


# ------------------------------------------------------------------------------------------------ no room, no right


def test_a_full_disk_takes_nobody_along_who_was_told_to_be_safe(tmp_path: Path) -> None:
    store = Store.open(tmp_path)

    @event.listens_for(store.engine, "begin")
    def _no_room(connection: Connection) -> None:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")

    def small(tx: Writer) -> None:
        tx.event("thing.noted", "small")

    def large(tx: Writer) -> None:
        tx.event("thing.noted", "large", {"text": "x" * 1_000_000})

    queue = WriteQueue(store)
    futures = [queue.submit(piece) for piece in (small, large, small)]
    kept = sum(future.exception(20) is None for future in futures)
    queue.close()
    assert isinstance(futures[1].exception(), StoreError)
    assert "disk is full" in str(futures[1].exception())
    with store.read() as connection:
        assert verify(connection) == (1 + kept, None)
    store.close()


def test_a_catalogue_that_may_not_be_written_says_so(store: Store) -> None:
    @event.listens_for(store.engine, "begin")
    def _read_only(connection: Connection) -> None:
        sqlite = connection.dialect.name == "sqlite"
        connection.exec_driver_sql("PRAGMA query_only=ON" if sqlite else "SET TRANSACTION READ ONLY")

    with pytest.raises(StoreError, match="read-only") as error, store.write() as tx:
        tx.event("thing.noted", "thing")
    assert "rights" in error.value.do


@pytest.mark.parametrize("value", ["\ud800", "x\u0000y"], ids=["half a letter", "a zero"])
def test_a_value_that_does_not_fit_is_refused_and_harms_nobody(store: Store, value: str) -> None:
    row = {"id": "v", "page": "runs", "query": "", "by": "", "at": ""}

    def add(number: int, name: str) -> Callable[[Writer], object]:
        return lambda tx: tx.execute(insert(schema.views).values({**row, "id": number, "name": name}))

    queue = WriteQueue(store)
    futures = [queue.submit(add(number, name)) for number, name in enumerate(["a", value, "b"])]
    if value == "x\u0000y" and store.engine.dialect.name == "sqlite":
        assert futures[1].result(20)  # it takes any letter
    else:
        assert isinstance(futures[1].exception(20), DataError)
    queue.close()
    with store.read() as connection:
        assert {"a", "b"} <= set(connection.scalars(select(schema.views.c.name)))


def test_a_number_that_is_too_large_is_refused(store: Store) -> None:
    row = {"path": "p", "digest": "d", "size_bytes": 2**70, "changed_ms": 0}
    with pytest.raises(DataError, match="does not fit"), store.write() as tx:
        tx.execute(insert(schema.files).values(**row))
    with pytest.raises(DataError, match="does not fit"), store.read() as connection:
        connection.execute(select(schema.files).where(schema.files.c.size_bytes == 2**70)).all()
