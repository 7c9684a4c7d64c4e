"""The server is killed while every kind of write is under way: what it acknowledged is there, and nothing is half."""

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import httpx
import pytest

from threefold.store import Store, events
from threefold.store.check import check

from .conftest import API, FILES, JSON, Starting, Up

pytestmark = pytest.mark.slow


class Client:
    """One client, which gives up when the server is gone."""

    def __init__(self, up: Up) -> None:
        self._client = httpx.Client(base_url=up.address, timeout=60)

    def __call__(self, path: str, method: str = "POST", /, **body: Any) -> dict[str, Any]:
        answer = self._client.request(method, API + path, content=json.dumps(body), headers=JSON)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def put(self, path: str, content: bytes) -> None:
        assert self._client.put(FILES + path, content=content).status_code == 200

    def close(self) -> None:
        self._client.close()


@dataclass
class Work:
    """One kind of write, done again and again.

    Attributes:
        write: does the write of a number; comes back when it is acknowledged.
        found: what of its writes the server shows, as numbers.
        done: the numbers that were acknowledged.
    """

    write: Callable[[Client, int], None]
    found: Callable[[Up], set[int]]
    done: list[int] = field(default_factory=list)
    under_way: int = -1

    def go_on(self, up: Up, numbers: Iterator[int]) -> None:
        client = Client(up)
        try:
            for self.under_way in numbers:
                self.write(client, self.under_way)
                self.done.append(self.under_way)
        except httpx.HTTPError:
            client.close()


def named(rows: list[dict[str, Any]], begin: str, key: str = "name") -> set[int]:
    return {int(row[key].removeprefix(begin)) for row in rows if row[key].startswith(begin)}


def data_of(up: Up, run: str, kind: str) -> list[dict[str, Any]]:
    return up.get("runs/get", run_id=run)["run"]["data"].get(kind, [])


def history(up: Up, run: str, name: str) -> set[int]:
    return {point["step"] for point in up.get("metrics/get-history", run_id=run, metric_key=name).get("metrics", [])}


def batches(up: Up, run: str) -> set[int]:
    """Of each batch metrics, parameters and tags are there, or none of them."""
    steps = history(up, run, "b")
    assert named(data_of(up, run, "params"), "b", "key") == steps
    assert named(data_of(up, run, "tags"), "b", "key") == steps
    return steps


def write_batch(client: Client, run: str, number: int) -> None:
    client(
        "runs/log-batch", run_id=run, metrics=[{"key": "b", "value": 1.0, "timestamp": 1, "step": number}],
        params=[{"key": f"b{number}", "value": "1"}], tags=[{"key": f"b{number}", "value": "1"}],
    )  # fmt: skip


def register(client: Client, number: int) -> None:
    client("registered-models/create", name=f"m{number}")
    client("model-versions/create", name=f"m{number}", source="s3://bucket/key")


def registered(up: Up) -> set[int]:
    return named(up.get("model-versions/search", max_results=1000).get("model_versions", []), "m")


def uploaded(up: Up) -> set[int]:
    found = up.ask("GET", FILES[:-1], params={"path": "files"}).json()["files"]
    for file in found:
        assert up.ask("GET", f"{FILES}files/{file['path']}").content == file["path"].encode() * 20_000
    return named(found, "f", "path")


def make_model(client: Client, number: int) -> None:
    made = client("logged-models", experiment_id="0", name=f"l{number}")["model"]["info"]["model_id"]
    client(f"logged-models/{made}", "PATCH", model_id=made, status="LOGGED_MODEL_READY")


def models(up: Up) -> set[int]:
    found = up.post("logged-models/search", experiment_ids=["0"], max_results=1000)["models"]
    return named([one["info"] for one in found if one["info"]["status"] == "LOGGED_MODEL_READY"], "l")


def experiments(up: Up) -> set[int]:
    return named(up.post("experiments/search", max_results=1000)["experiments"], "e")


def hook(client: Client, number: int) -> None:
    events = [{"entity": "REGISTERED_MODEL", "action": "CREATED"}]
    client("webhooks", name=f"h{number}", url="http://127.0.0.1:9/", events=events, secret="s", status="DISABLED")


def hooks(up: Up) -> set[int]:
    return named(up.get("webhooks", max_results=1000)["webhooks"], "h")


def runs(up: Up) -> set[int]:
    return named([one["info"] for one in up.post("runs/search", experiment_ids=["0"])["runs"]], "r", "run_name")


def every_kind(run: str, other: str) -> dict[str, Work]:
    """Writes of every kind; that of number n can be told from all others afterwards."""
    step = {"value": 1.0, "timestamp": 1}

    def turned(client: Client, number: int) -> None:
        client("runs/delete" if number % 2 else "runs/restore", run_id=other)

    def state(up: Up) -> set[int]:
        return {up.get("runs/get", run_id=other)["run"]["info"]["lifecycle_stage"] == "deleted"}

    def alias(client: Client, number: int) -> None:
        client("registered-models/alias", name="aliased", alias="a", version=str(number % 2 + 1))

    def pointed(up: Up) -> set[int]:
        return {int(up.get("registered-models/alias", name="aliased", alias="a")["model_version"]["version"]) - 1}

    return {
        "run": Work(lambda client, n: client("runs/create", run_name=f"r{n}") and None, runs),
        "metric": Work(
            lambda client, n: client("runs/log-metric", run_id=run, key="m", step=n, **step) and None,
            lambda up: history(up, run, "m"),
        ),
        "batch": Work(lambda client, n: write_batch(client, run, n), lambda up: batches(up, run)),
        "param": Work(
            lambda client, n: client("runs/log-parameter", run_id=run, key=f"p{n}", value="1") and None,
            lambda up: named(data_of(up, run, "params"), "p", "key"),
        ),
        "tag": Work(
            lambda client, n: client("runs/set-tag", run_id=run, key=f"t{n}", value="1") and None,
            lambda up: named(data_of(up, run, "tags"), "t", "key"),
        ),
        "artifact": Work(lambda client, n: client.put(f"files/f{n}", f"f{n}".encode() * 20_000), uploaded),
        "model": Work(register, registered),
        "alias": Work(alias, pointed),
        "delete and restore": Work(turned, state),
        "logged model": Work(make_model, models),
        "webhook": Work(hook, hooks),
        "experiment": Work(lambda client, n: client("experiments/create", name=f"e{n}") and None, experiments),
    }  # fmt: skip


TOGGLES = ("alias", "delete and restore")  # a number is what its remainder by two made of the state


def test_what_was_acknowledged_is_there_after_each_kill(start: Starting) -> None:
    up = start()
    run, other = up.run(run_name="all"), up.run(run_name="turned")
    up.post("registered-models/create", name="aliased")
    for _ in range(2):
        up.post("model-versions/create", name="aliased", source="s3://bucket/key")
    up.post("registered-models/alias", name="aliased", alias="a", version="1")
    works = every_kind(run, other)
    numbers = {kind: count() for kind in works}
    for _ in range(2):
        kill_in_the_middle(up, works, numbers)
        up = start()
        for kind, work in works.items():
            if kind in TOGGLES:
                assert work.found(up) <= {work.done[-1] % 2, work.under_way % 2}, kind
            else:
                found = work.found(up)
                assert set(work.done) <= found, kind
                work.done = sorted(found)
        assert up.halves() == []
    store = Store.open(up.store)
    assert check(store).findings == ()
    with store.read() as connection:
        assert events.verify(connection)[1] is None
    store.close()


def kill_in_the_middle(up: Up, works: dict[str, Work], numbers: dict[str, Iterator[int]]) -> None:
    """All kinds at once, until each has been acknowledged a few times more; then the server is killed."""
    enough = {kind: len(work.done) + 5 for kind, work in works.items()}
    threads = [threading.Thread(target=work.go_on, args=(up, numbers[kind])) for kind, work in works.items()]
    for thread in threads:
        thread.start()
    pause = threading.Event()
    while any(len(work.done) < enough[kind] for kind, work in works.items()):
        assert all(thread.is_alive() for thread in threads)
        pause.wait(0.005)
    up.kill()
    for thread in threads:
        thread.join()
