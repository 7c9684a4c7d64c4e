"""Events reach a file at once and a URL some time, in order and once; nobody waits for either."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from threefold.loop.openlineage.outbox import SPOOL, Outbox


class Collector(HTTPServer):
    """A real server that keeps what it is told, or refuses."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status, self.got = 201, []
        self.thread = threading.Thread(target=self.serve_forever)
        self.thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        assert isinstance(self.server, Collector)
        if self.server.status < 500:
            self.server.got.append((self.path, body["n"]))
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Collector]:
    found = Collector()
    yield found
    found.shutdown()
    found.thread.join()
    found.server_close()


def test_a_file_has_one_event_a_line(tmp_path: Path) -> None:
    outbox = Outbox(str(tmp_path / "events.jsonl"), tmp_path)
    for n in range(3):
        outbox.put({"n": n})
    outbox.close()
    assert [json.loads(line)["n"] for line in (tmp_path / "events.jsonl").read_text().splitlines()] == [0, 1, 2]


def test_a_url_gets_every_event_once_and_in_order(tmp_path: Path, server: Collector) -> None:
    outbox = Outbox(server.url, tmp_path)
    for n in range(20):
        outbox.put({"n": n})
    outbox.close(timeout_s=30)
    assert server.got == [("/api/v1/lineage", n) for n in range(20)]
    assert (tmp_path / SPOOL).read_text() == ""


def test_what_a_server_did_not_take_goes_with_the_next_run(tmp_path: Path, server: Collector) -> None:
    server.status = 503
    first = Outbox(server.url, tmp_path)
    for n in range(3):
        first.put({"n": n})
    first.close(timeout_s=30)
    assert server.got == []
    server.status = 201
    second = Outbox(server.url, tmp_path)
    second.put({"n": 3})
    second.close(timeout_s=30)
    assert [n for _, n in server.got] == [0, 1, 2, 3]


def test_an_event_that_a_server_calls_wrong_holds_up_no_other(tmp_path: Path, server: Collector) -> None:
    server.status = 422
    outbox = Outbox(f"{server.url}/lineage", tmp_path)
    outbox.put({"n": 0})
    outbox.close(timeout_s=30)
    assert server.got == [("/lineage", 0)] and (tmp_path / SPOOL).read_text() == ""


def test_a_server_that_is_not_there_costs_nothing_and_loses_nothing(tmp_path: Path) -> None:
    outbox = Outbox("http://127.0.0.1:9/", tmp_path)
    outbox.put({"n": 0})
    outbox.close(timeout_s=30)
    assert json.loads((tmp_path / SPOOL).read_text()) == {"n": 0}
