"""Postgres dies under a server with clients: they are told to try again, and nothing acknowledged is lost."""

import json
import os
import signal
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from threefold.store import Store, events
from threefold.store.check import check

from .conftest import API, JSON, Starting, Up, refusal

pytestmark = [pytest.mark.postgres, pytest.mark.slow]


@pytest.fixture
def postgres_alone(tmp_path: Path, start_postgres) -> Iterator[object]:
    """A server of its own: nobody else's tests are to be disturbed."""
    with tempfile.TemporaryDirectory(prefix="pg", dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as folder:
        found = start_postgres(Path(folder) / "data", tmp_path / "lock")
        yield found
        found.admin.dispose()
        found.server.cleanup()


def die(server) -> None:
    """At once, without a word to anybody; what is in the log is recovered at the start."""
    process = server.server.get_postmaster_info().process
    os.kill(process.pid, signal.SIGQUIT)
    process.wait(60)


class Clients:
    """Clients that log one point after the other, and do as they are told: try again after 503, and only then."""

    def __init__(self, up: Up, run: str) -> None:
        self.told: list[tuple[str, int]] = []  # name of the metric, step
        self.refused: list[str] = []
        self.wrong: list[str] = []
        self._up, self._run, self._over = up, run, threading.Event()
        self._threads = [threading.Thread(target=self._log, args=(name,)) for name in "abcd"]
        for thread in self._threads:
            thread.start()

    def _log(self, name: str) -> None:
        step = 0
        with httpx.Client(base_url=self._up.address, timeout=60) as client:
            while not self._over.is_set():
                body = {"run_id": self._run, "key": name, "value": 1.0, "timestamp": 1, "step": step}
                answer = client.post(f"{API}runs/log-metric", content=json.dumps(body), headers=JSON)
                if answer.status_code == 200:
                    self.told.append((name, step))
                    step += 1
                elif answer.status_code == 503:
                    self.refused.append(refusal(answer))
                else:
                    self.wrong.append(answer.text)
                    return

    def wait_for(self, more: int) -> None:
        wanted, pause = len(self.told) + more, threading.Event()
        for _ in range(6_000):
            if len(self.told) >= wanted or self.wrong:
                return
            pause.wait(0.01)
        raise AssertionError(f"nothing is acknowledged any more; refused: {self.refused[-3:]}")

    def end(self) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()


def test_clients_are_told_to_try_again_and_lose_nothing(postgres_alone, tmp_path: Path, start: Starting) -> None:
    url = next(postgres_alone.database(empty=True))
    up = start(tmp_path / "store", url)
    run = up.run()
    clients = Clients(up, run)
    try:
        for _ in range(2):
            clients.wait_for(40)
            die(postgres_alone)
            assert up.client.get("/health").text == "OK"
            postgres_alone.server.ensure_postgres_running()
        clients.wait_for(40)
    finally:
        clients.end()
    assert any(line.strip().startswith("rows    postgresql") for line in up.printed)  # it says where they really go
    assert clients.wrong == []
    assert set(clients.refused) <= {"503 TEMPORARILY_UNAVAILABLE"}
    for name in "abcd":
        points = up.get("metrics/get-history", run_id=run, metric_key=name)["metrics"]
        steps = [point["step"] for point in points]
        assert sorted({step for key, step in clients.told if key == name} - set(steps)) == []
        assert len(steps) == len(set(steps))  # what was tried again is there once
    store = Store.open(tmp_path / "store", url=url)
    assert check(store).findings == ()
    with store.read() as connection:
        assert events.verify(connection)[1] is None
    store.close()
