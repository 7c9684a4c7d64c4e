from collections.abc import Iterator
from pathlib import Path

import pytest

from threefold.store import Store


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for a store, with nothing of this machine's around it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("THREEFOLD_SPOOL", str(tmp_path / "spools"))
    monkeypatch.delenv("THREEFOLD_TRACKING", raising=False)
    return tmp_path / "store"


@pytest.fixture
def opened(place: Path) -> Iterator[Store]:
    store = Store.open(place)
    yield store
    store.close()
