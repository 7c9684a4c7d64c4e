"""A disk that fills up under a server: refused in three parts, still read, and going on when there is room again."""

import json
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from threefold.store import Store, events
from threefold.store.check import check

from .conftest import API, FILES, JSON, Starting, Up, refusal

FULL = "507 RESOURCE_EXHAUSTED"


@pytest.fixture
def disk(small_disk: Callable[[str], Path]) -> Path:
    return small_disk("6m")


def fill_up(disk: Path) -> None:
    with pytest.raises(OSError, match="No space"):
        (disk / "filler").write_bytes(bytes(6_000_000))
    with (disk / "filler").open("ab", buffering=0) as file, suppress(OSError):
        file.write(bytes(4_096))


def write(up: Up, run: str, step: int):
    body = {"run_id": run, "key": "loss", "value": 0.5, "timestamp": 1, "step": step}
    return up.ask("POST", f"{API}runs/log-metric", json.dumps(body), headers=JSON)


def points(up: Up, run: str) -> set[int]:
    return {point["step"] for point in up.get("metrics/get-history", run_id=run, metric_key="loss")["metrics"]}


def reads_go_on(up: Up, run: str) -> None:
    assert up.get("runs/get", run_id=run)["run"]["info"]["run_id"] == run
    assert up.ask("GET", f"{FILES}a/small").content == b"x" * 300_000
    found = up.post("runs/search", experiment_ids=["0"], filter="metrics.loss > 0", order_by=["metrics.loss DESC"])
    assert len(found["runs"]) == 1
    assert up.client.get("/health").text == "OK"


def test_a_full_disk_refuses_writes_keeps_answering_and_goes_on_when_there_is_room(disk: Path, start: Starting) -> None:
    up = start(disk / "store")
    run, told = up.run(), set()
    up.ask("PUT", f"{FILES}a/small", b"x" * 300_000)
    for step in range(20):
        assert write(up, run, step).status_code == 200
        told.add(step)
    fill_up(disk)
    for step in range(20, 3_000):  # what the log of the catalogue has already is filled, then there is no more
        answer = write(up, run, step)
        if answer.status_code != 200:
            break
        told.add(step)
    assert refusal(answer) == FULL
    assert "free some space" in answer.text
    hook = {"name": "h", "url": "http://127.0.0.1:9/", "secret": "s"}
    hook["events"] = [{"entity": "REGISTERED_MODEL", "action": "CREATED"}]
    for path, body in (("runs/create", {}), ("registered-models/create", {"name": "m"}), ("webhooks", hook)):
        assert refusal(up.ask("POST", API + path, json.dumps(body), headers=JSON)) == FULL, path
    for size in (1, 5_000_000):
        assert refusal(up.ask("PUT", f"{FILES}a/large", b"x" * size)) == FULL
    assert up.halves() == []
    reads_go_on(up, run)
    up.process.send_signal(signal.SIGTERM)  # a server that stops and starts meanwhile answers reads, too
    up.process.wait()
    again = start(disk / "store")
    reads_go_on(again, run)
    (disk / "filler").unlink()
    assert write(again, run, 5_000).status_code == 200
    assert again.ask("PUT", f"{FILES}a/large", b"x" * 1_000_000).status_code == 200
    assert points(again, run) >= told | {5_000}
    again.kill()
    store = Store.open(disk / "store")
    assert check(store).findings == ()
    with store.read() as connection:
        assert events.verify(connection)[1] is None
    store.close()
