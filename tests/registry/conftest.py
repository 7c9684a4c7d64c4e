import pytest

from threefold.records import Lineage
from threefold.store import Store


@pytest.fixture
def store(tmp_path, catalogue):
    store = Store.open(tmp_path / "store", url=catalogue)
    yield store
    store.close()


@pytest.fixture
def lineage():
    return Lineage(
        snapshots={"flights": "a" * 64}, training_set="b" * 64, test_set="c" * 64, code={"commit": "d" * 40},
        environment="e" * 64, run_id="run", candidate="linear", as_of=None, canvas="f" * 64, seed=7,
    )  # fmt: skip
