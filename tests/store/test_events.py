from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import insert, select, text

from threefold.store import Store
from threefold.store.events import GENESIS, chain, read, verify
from threefold.store.schema import events

pytestmark = pytest.mark.engines


@pytest.fixture
def store(tmp_path: Path, catalogue: str | None) -> Iterator[Store]:
    found = Store.open(tmp_path, url=catalogue)
    for number in range(2, 6):
        with found.write(actor="ada") as tx:
            assert tx.event("thing.noted", f"thing {number % 2}", {"number": number}) == number
    yield found
    found.close()


def tampered(store: Store, statement: str) -> tuple[int, str | None]:
    with store.write() as tx:
        tx.execute(text(statement))
    with store.read() as connection:
        return verify(connection)


def test_an_untouched_chain_holds(store: Store) -> None:
    with store.read() as connection:
        assert verify(connection) == (5, None)


@pytest.mark.parametrize("field", ["at", "kind", "subject", "actor", "body", "previous", "hash"])
def test_an_altered_field_is_found_and_named(store: Store, field: str) -> None:
    sound, sentence = tampered(store, f"UPDATE events SET {field} = 'x' WHERE seq = 3")
    assert sound == 2
    assert sentence is not None
    assert sentence.startswith("event 3 (")


def test_a_removed_row_is_found_and_named(store: Store) -> None:
    assert tampered(store, "DELETE FROM events WHERE seq = 3") == (2, "event 3 is missing: the next row is 4")


def test_a_row_that_was_altered_with_its_own_hash_is_found_at_the_next(store: Store) -> None:
    with store.read() as connection:
        row = list(read(connection))[2]
    forged = chain(row.previous, row.seq, row.at, row.kind, row.subject, row.actor, '{"number":99}')
    statement = f"UPDATE events SET body = '{{\"number\":99}}', hash = '{forged}' WHERE seq = 3"
    assert tampered(store, statement.replace(":99", "\\:99")) == (
        3,
        "event 4 (thing.noted thing 0) does not match its hash",
    )


def test_events_are_read_in_order_by_subject_and_kind(store: Store) -> None:
    with store.read() as connection:
        assert [event.body["number"] for event in read(connection, subject="thing 1")] == [3, 5]
        assert [event.seq for event in read(connection, kind="store.created")] == [1]
        first = next(read(connection))
    assert first.previous == GENESIS


def test_a_last_row_that_was_removed_is_found_and_stays_missed_when_the_log_goes_on(store: Store) -> None:
    assert tampered(store, "DELETE FROM events WHERE seq = 5") == (4, "event 5 is missing at the end of the log")
    with store.write() as tx:
        assert tx.event("thing.noted", "thing") == 6
    with store.read() as connection:
        assert verify(connection) == (4, "event 5 is missing: the next row is 6")


def test_a_row_that_was_added_with_the_right_hash_is_found_and_named(store: Store) -> None:
    with store.write() as tx:
        last = tx.execute(select(events).where(events.c.seq == 5)).one()
        row = {"seq": 6, "at": tx.now, "kind": "thing.noted", "subject": "thing", "actor": "eve", "body": "{}"}
        tx.execute(insert(events).values(**row, previous=last.hash, hash=chain(last.hash, *row.values())))
    with store.read() as connection:
        assert verify(connection) == (6, "event 6 was added by hand: the log stood at 5")


def test_the_newest_events_come_in_order_too(store: Store) -> None:
    with store.read() as connection:
        found = list(read(connection, last=2))
        assert [event.seq for event in found] == [4, 5]
        assert [event.seq for event in read(connection, since=found[0].at)] == [4, 5]
