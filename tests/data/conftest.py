import pytest

from threefold.store import Store


@pytest.fixture
def store(tmp_path, catalogue):
    store = Store.open(tmp_path / "store", url=catalogue)
    yield store
    store.close()


@pytest.fixture
def write(tmp_path):
    """Write a file of the project and give its folder."""

    def writing(name, content):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return tmp_path

    return writing
