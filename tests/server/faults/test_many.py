"""Many clients at once: no error, none lost, and no client is told about locks."""

import json
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx

from threefold.store import Store, events
from threefold.store.backup import backup
from threefold.store.check import check
from threefold.store.restore import restore

from .conftest import API, JSON, Starting, Up, in_threads

CLIENTS, EACH = 50, 6


def post(client: httpx.Client, path: str, **body: object) -> httpx.Response:
    return client.post(API + path, content=json.dumps(body), headers=JSON)


def log(up: Up, run: str, number: int, each: int = EACH) -> None:
    """One client: metrics, parameters, tags, reads, in turn; every answer must be good."""
    with httpx.Client(base_url=up.address, timeout=60) as client:
        for step in range(each):
            name = f"{number}-{step}"
            answers = [
                post(client, "runs/log-metric", run_id=run, key=f"m{number}", value=1.0, timestamp=1, step=step),
                post(client, "runs/log-parameter", run_id=run, key=name, value="1"),
                post(client, "runs/set-tag", run_id=run, key=name, value="1"),
                client.get(f"{API}runs/get", params={"run_id": run}) if step == 0 else None,
            ]
            assert {answer.status_code for answer in answers if answer} == {200}, [one.text for one in answers if one]


def there(up: Up, run: str, clients: int, each: int = EACH) -> bool:
    """Whether everything that `log` was acknowledged is there."""
    data = up.get("runs/get", run_id=run)["run"]["data"]
    names = {f"{number}-{step}" for number in range(clients) for step in range(each)}
    kept = [{one["key"] for one in data[kind]} for kind in ("params", "tags")]
    points = {number: up.get("metrics/get-history", run_id=run, metric_key=f"m{number}") for number in range(clients)}
    return all(names <= keys for keys in kept) and all(len(one["metrics"]) == each for one in points.values())


def test_fifty_clients_at_once_lose_nothing(up: Up) -> None:
    run = up.run()
    in_threads(CLIENTS, lambda number: log(up, run, number))
    assert there(up, run, CLIENTS)


def test_of_many_who_make_one_name_at_once_one_does(up: Up) -> None:
    answers: list[str] = []

    def make(number: int) -> None:
        with httpx.Client(base_url=up.address, timeout=60) as client:
            for path in ("experiments/create", "registered-models/create"):
                answer = post(client, path, name="everybody's")
                answers.append("made" if answer.status_code == 200 else answer.json()["error_code"])
            for _ in range(3):
                answer = post(client, "model-versions/create", name="everybody's", source="s3://bucket/key")
                answers.append(answer.json()["model_version"]["version"])

    in_threads(10, make)
    assert (answers.count("made"), answers.count("RESOURCE_ALREADY_EXISTS")) == (2, 18)
    numbers = [int(answer) for answer in answers if answer.isdecimal()]
    assert sorted(numbers) == list(range(1, 31))


HOLD = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute(sys.argv[2])
print("held", flush=True)
sys.stdin.readline()
connection.execute("COMMIT")
"""


@contextmanager
def held(file: Path, how: str) -> Iterator[Callable[[], None]]:
    """Another process holds the catalogue, until it is told to let go."""
    command = [sys.executable, "-c", HOLD, str(file), how]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdin is not None
        assert process.stdout.readline() == "held\n"

        def let_go() -> None:
            process.stdin.write("\n")
            process.stdin.close()
            process.wait()

        yield let_go
        process.kill()


def test_while_another_process_holds_the_catalogue_clients_wait_and_reads_go_on(up: Up) -> None:
    run = up.run()
    with held(up.store / "catalogue.db", "BEGIN IMMEDIATE") as let_go:
        writers = threading.Thread(target=in_threads, args=(10, lambda number: log(up, run, number, 3)))
        writers.start()
        for _ in range(20):
            assert up.get("runs/get", run_id=run)["run"]["info"]["run_id"] == run
        writers.join(1)  # they are all waiting by now
        assert writers.is_alive()
        assert up.get("runs/get", run_id=run)["run"]["data"]["params"] == []
        let_go()
        writers.join()
    assert there(up, run, 10, 3)


def test_a_backup_beside_writers_is_one_state_and_can_be_laid_out(up: Up, start: Starting, tmp_path: Path) -> None:
    run = up.run()
    over, told = threading.Event(), []

    def write(number: int) -> None:
        with httpx.Client(base_url=up.address, timeout=60) as client:
            while not over.is_set():
                step = len(told)
                body = [{"key": f"{kind}{number}", "value": 1.0, "timestamp": 1, "step": step} for kind in "ab"]
                assert post(client, "runs/log-batch", run_id=run, metrics=body).status_code == 200
                told.append(number)

    writers = threading.Thread(target=in_threads, args=(3, write))
    writers.start()
    up.ask("PUT", "/api/2.0/mlflow-artifacts/artifacts/0/kept", b"kept")
    with closing(Store.open(up.store)) as store:
        before = len(told)
        backup(store, tmp_path / "backup.tar")
    over.set()
    writers.join()
    restore(tmp_path / "backup.tar", tmp_path / "again")
    with closing(Store.open(tmp_path / "again")) as again, again.read() as connection:
        assert check(again).findings == ()
        assert events.verify(connection)[1] is None
    laid_out = start(tmp_path / "again")
    counts = [
        {
            kind: len(laid_out.get("metrics/get-history", run_id=run, metric_key=f"{kind}{n}")["metrics"])
            for kind in "ab"
        }
        for n in range(3)
    ]
    assert all(one["a"] == one["b"] for one in counts)
    assert sum(one["a"] for one in counts) >= before
    with sqlite3.connect(tmp_path / "again" / "catalogue.db") as file:
        assert file.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    file.close()
