from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from threefold.store import Store
from threefold.store.events import GENESIS, chain, read, verify


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    found = Store.open(tmp_path)
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
