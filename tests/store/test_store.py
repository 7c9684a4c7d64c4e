import multiprocessing
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, func, insert, select, text

from threefold.errors import StoreError
from threefold.store import Store, schema
from threefold.store.events import verify

pytestmark = pytest.mark.engines


@pytest.fixture
def store(tmp_path: Path, catalogue: str | None) -> Iterator[Store]:
    found = Store.open(tmp_path / ".threefold", url=catalogue)
    yield found
    found.close()


def count(store: Store) -> int:
    with store.read() as connection:
        found: int = connection.execute(select(func.count()).select_from(schema.events)).scalar_one()
    return found


def note(folder: Path, times: int, url: str | None = None) -> None:
    store = Store.open(folder, url=url)
    for number in range(times):
        with store.write() as tx:
            tx.event("thing.noted", f"thing {number}")
    store.close()


def test_a_store_is_made_once_and_found_again(tmp_path: Path) -> None:
    Store.open(tmp_path / "deep" / "store").close()
    again = Store.open(tmp_path / "deep" / "store")
    assert again.revision() == schema.HEAD
    assert count(again) == 1
    again.close()


def test_nothing_of_a_transaction_that_raises_stays(store: Store) -> None:
    def broken() -> None:
        with store.write() as tx:
            tx.execute(insert(schema.aliases).values(name="m", alias="a", number=1, set_at="now"))
            tx.event("alias.set", "model m")
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        broken()
    with store.read() as connection:
        assert connection.execute(select(schema.aliases)).all() == []
    assert count(store) == 1


def test_a_reader_sees_one_state_while_others_write(store: Store) -> None:
    with store.read() as connection:
        query = select(func.count()).select_from(schema.events)
        before = connection.execute(query).scalar_one()
        with store.write() as tx:
            tx.event("thing.noted", "thing")
        assert connection.execute(query).scalar_one() == before
    assert count(store) == before + 1


def test_two_threads_write_in_turn(store: Store, catalogue: str | None) -> None:
    threads = [threading.Thread(target=note, args=(store.root, 25, catalogue)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with store.read() as connection:
        assert verify(connection) == (51, None)


def test_two_processes_write_in_turn_and_make_one_store(tmp_path: Path, empty_catalogue: str | None) -> None:
    spawn = multiprocessing.get_context("spawn")
    processes = [spawn.Process(target=note, args=(tmp_path / "s", 25, empty_catalogue)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]
    store = Store.open(tmp_path / "s", url=empty_catalogue)
    with store.read() as connection:
        assert verify(connection) == (51, None)
    store.close()


def test_a_store_of_a_newer_threefold_is_refused_and_not_changed(store: Store, catalogue: str | None) -> None:
    with store.write() as tx:
        tx.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    before = count(store)
    with pytest.raises(StoreError) as error:
        Store.open(store.root, url=catalogue)
    assert "newer Threefold (schema 9999" in error.value.what
    assert count(store) == before


def test_a_database_of_somebody_else_is_refused_and_not_changed(tmp_path: Path) -> None:
    address = f"sqlite:///{tmp_path / 'other.db'}"
    other = create_engine(address)
    with other.begin() as connection:
        connection.execute(text("CREATE TABLE customers (id INTEGER)"))
    with pytest.raises(StoreError, match="no catalogue of Threefold"):
        Store.open(tmp_path / "s", url=address)
    with other.connect() as connection:
        assert connection.execute(text("SELECT name FROM sqlite_master")).scalars().all() == ["customers"]
    other.dispose()


def test_a_damaged_catalogue_is_named(tmp_path: Path) -> None:
    (tmp_path / "catalogue.db").write_bytes(b"this is no database, but it is long enough to be read as one" * 100)
    with pytest.raises(StoreError) as error:
        Store.open(tmp_path)
    assert "catalogue.db" in error.value.where


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="cannot make the store"):
        Store.open(tmp_path / "file" / "store")


def test_the_actor_of_an_event_is_who_works_here(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THREEFOLD_ACTOR", "ada")
    with store.write() as tx:
        tx.event("thing.noted", "thing")
    with store.write(actor="rule") as tx:
        tx.event("thing.noted", "thing")
    with store.read() as connection:
        actors = connection.execute(select(schema.events.c.actor).order_by(schema.events.c.seq)).scalars().all()
    assert actors[1:] == ["ada", "rule"]
