import polars as pl
import pytest

from threefold.data.seal import open_sealed, readings
from threefold.errors import NotFound
from threefold.store import events

pytestmark = pytest.mark.engines


def test_every_reading_of_the_test_set_is_on_record(store):
    digest = store.objects.put_table(pl.DataFrame({"a": [1]}))
    assert readings(store, digest) == []
    assert open_sealed(store, digest, "acceptance", "model flights/1").to_dicts() == [{"a": 1}]
    open_sealed(store, digest, "curiosity", "somebody")
    assert [reading["purpose"] for reading in readings(store, digest)] == ["acceptance", "curiosity"]
    with store.read() as connection:
        opened = list(events.read(connection, kind="seal.opened"))
        assert [event.body["readings_before"] for event in opened] == [0, 1]
        assert events.verify(connection)[1] is None


def test_a_set_that_is_not_there_leaves_no_record(store):
    with pytest.raises(NotFound):
        open_sealed(store, "0" * 64, "acceptance", "model flights/1")
    assert readings(store, "0" * 64) == []
