import os
import signal
import socket
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from threefold.errors import Conflict, StoreError
from threefold.serving import log, process, routing

INFER = "/v2/models/demo/infer"


@pytest.fixture
def server(served):
    with process.start(served.root) as server:
        yield server


def body(request_of, name):
    return {**request_of([3.5], [2.0], ["AA"]), "id": name}


def test_a_started_server_answers_and_ends(server, request_of):
    answer = httpx.post(server.address + INFER, json=body(request_of, "a"))
    assert answer.json()["outputs"][0]["shape"] == [1, 2]
    server.stop()
    assert not server.running


def test_a_server_ends_when_whoever_started_it_dies(served):
    code = (
        "import sys; from pathlib import Path; from threefold.serving.process import start\n"
        "server = start(Path(sys.argv[1])); print(server.pid, server.address, flush=True); sys.stdin.read()"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code, str(served.root)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    pid, address = parent.stdout.readline().split()
    with httpx.Client(base_url=address) as client:
        assert client.get("/v2/health/live").status_code == 200
        parent.kill()
        parent.communicate()
        wait_for_end(int(pid))


def wait_for_end(pid):
    handle = os.pidfd_open(pid)
    import select

    assert select.select([handle], [], [], 20)[0]
    os.close(handle)


def test_a_port_in_use_is_a_conflict_with_its_three_answers(served):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        for start in (process.serve, process.start):
            with pytest.raises(Conflict, match=f"port {port} is in use.*--port"):
                start(served.root, port=port)


def test_two_servers_never_share_a_port(server, served):
    port = int(server.address.rsplit(":", 1)[1])
    with pytest.raises(Conflict):
        process.start(served.root, port=port)


def test_a_store_that_cannot_be_read_is_said_by_whoever_starts(tmp_path):
    root = tmp_path / "store"
    root.mkdir()
    (root / "catalogue.db").write_bytes(b"not a catalogue" * 100)
    with pytest.raises(StoreError, match="catalogue"):
        process.start(root)


def test_the_server_brings_nothing_that_trains():
    code = (
        "import sys, threefold.serving.app, threefold.serving.process\n"
        "print([name for name in ('sklearn', 'polars', 'skl2onnx', 'scipy', 'alembic', 'onnx') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.slow
def test_every_answer_given_before_a_kill_is_in_the_log(served, server, request_of):
    answered = []

    def ask_until_it_dies(worker):
        with httpx.Client(base_url=server.address) as client:
            for number in range(100_000):
                name = f"{worker}-{number}"
                try:
                    answer = client.post(INFER, json=body(request_of, name))
                except httpx.TransportError:
                    return
                assert answer.status_code == 200
                answered.append(name)

    with ThreadPoolExecutor(4) as pool:
        futures = [pool.submit(ask_until_it_dies, worker) for worker in range(4)]
        while len(answered) < 400:
            futures[0].running()
        os.kill(server.pid, signal.SIGKILL)
        for future in futures:
            future.result()
    log.ingest(served, "demo")
    kept = log.read_predictions(served, "demo")["prediction_id"].to_list()
    assert set(answered) <= set(kept)
    assert len(kept) == len(set(kept)) <= len(answered) + 4  # at most what each client was waiting for


@pytest.mark.slow
def test_versions_are_swapped_and_rolled_back_without_a_failed_request(served, server, released, request_of):
    versions, going = [], [True]

    def ask(worker):
        with httpx.Client(base_url=server.address) as client:
            number = 0
            while going[0]:
                answer = client.post(INFER, json=body(request_of, f"{worker}-{number}"))
                assert answer.status_code == 200
                versions.append(answer.json()["model_version"])
                number += 1

    with ThreadPoolExecutor(3) as pool, httpx.Client(base_url=server.address) as client:
        futures = [pool.submit(ask, worker) for worker in range(3)]
        try:
            routing.deploy(served, "demo", released[1])
            for number in range(8):
                generation = routing.rollback(served, "demo", f"swap {number}").generation
                while client.get("/v2/models/demo/routing").json()["generation"] != generation:
                    pass
        finally:
            going[0] = False
        for future in futures:
            future.result()
    assert set(versions) == {"1", "2"}


@pytest.mark.slow
def test_a_server_goes_on_answering_while_the_store_is_away(served, server, request_of):
    catalogue = served.root / "catalogue.db"
    served.close()
    catalogue.rename(catalogue.with_suffix(".away"))
    try:
        answers = [httpx.post(server.address + INFER, json=body(request_of, f"r{n}")).status_code for n in range(20)]
    finally:
        catalogue.with_suffix(".away").rename(catalogue)
    assert answers == [200] * 20
    with sqlite3.connect(catalogue) as connection:
        assert connection.execute("SELECT count(*) FROM endpoints").fetchone() == (1,)
    connection.close()
