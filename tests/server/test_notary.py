from collections.abc import Iterator
from pathlib import Path

import pytest

from threefold.server import notary
from threefold.store import Store, checkpoints


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    found = Store.open(tmp_path)
    yield found
    found.close()


def test_the_log_is_signed_once_a_day(store: Store) -> None:
    assert notary.look(store)
    assert not notary.look(store)
    assert len(checkpoints.list_checkpoints(store)) == 1


def test_the_notary_ends_when_it_is_closed(store: Store) -> None:
    notary.Notary(store).close()
    assert checkpoints.list_checkpoints(store) == ()  # it was not there for an hour
