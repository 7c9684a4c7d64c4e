import polars as pl
import pytest

from threefold.data.snapshots import find, read_snapshot, take
from threefold.design.canvas import Source
from threefold.errors import StoreError
from threefold.store import events

pytestmark = pytest.mark.engines


def test_a_snapshot_says_what_was_read_and_gives_it_back(store, write):
    root = write("t.csv", "a,b\n1,x\n2,y\n")
    snapshot = take(store, Source("orders", "t.csv"), root)
    assert (snapshot.name, snapshot.rows, dict(snapshot.columns)) == ("orders", 2, {"a": "Int64", "b": "String"})
    assert snapshot.size_bytes > 0
    assert read_snapshot(store, snapshot).equals(pl.DataFrame({"a": [1, 2], "b": ["x", "y"]}))
    assert find(store, "orders", snapshot.digest) == snapshot


def test_an_unchanged_source_is_the_same_snapshot_and_no_new_event(store, write):
    root = write("t.csv", "a\n1\n")
    first = take(store, Source("orders", "t.csv"), root)
    assert take(store, Source("orders", "t.csv"), root) == first
    with store.read() as connection:
        assert len(list(events.read(connection, kind="snapshot.taken"))) == 1


def test_a_damaged_snapshot_is_not_handed_out(store, write):
    snapshot = take(store, Source("orders", "t.csv"), write("t.csv", "a\n1\n"))
    store.objects.path(snapshot.digest).write_bytes(b"something else")
    with pytest.raises(StoreError, match="damaged"):
        read_snapshot(store, snapshot)
