"""A log that was cut short, with its head mended so that the chain holds, is still found out by what it told of."""

import pytest
from sqlalchemy import delete, func, select, update

from threefold.pipeline import runs
from threefold.store import Store, events, schema
from threefold.store.cross_check import missing


@pytest.fixture
def store(tmp_path):
    store = Store.open(tmp_path / "store")
    yield store
    store.close()


def cut_after(store, seq):
    """Take the last events away, as somebody would who knows how the log works."""
    with store.write() as tx:
        tx.execute(delete(schema.events).where(schema.events.c.seq > seq))
        last = tx.execute(select(schema.events).where(schema.events.c.seq == seq)).one()
        tx.execute(update(schema.log_head).values(seq=seq, hash=last.hash))


def found(store):
    with store.read() as connection:
        assert events.verify(connection)[1] is None
        return list(missing(connection))


def test_a_run_whose_event_was_cut_off_is_named(store):
    with store.read() as connection:
        before = connection.scalar(select(func.max(schema.events.c.seq)))
    run = runs.start(store, project="demo", kind="pipeline", name="")
    assert found(store) == []
    cut_after(store, before)
    assert found(store) == [f"run {run} has no event that it started"]


def test_a_new_store_has_nothing_missing(store):
    assert found(store) == []
