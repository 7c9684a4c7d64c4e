import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from threefold.serving.process import bind
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


@contextmanager
def server(folder: Path, port: int = 0) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`threefold up` as a process, and its address."""
    command = [sys.executable, "-m", "threefold", "up", "--port", str(port), "--store", str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert line.startswith("listening on "), line + process.stdout.read()
        yield process, line.split()[2]
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def free_port() -> int:
    with bind("127.0.0.1", 0) as listener:
        return int(listener.getsockname()[1])
