"""Webhooks: kept, signed, delivered once the change is kept, tried again."""

import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from sqlalchemy import select, update

from threefold.records import now_ms
from threefold.server.delivering import deliver_due, signature
from threefold.store.schema import deliveries, webhooks

EVENTS = [{"entity": "REGISTERED_MODEL", "action": "CREATED"}, {"entity": "MODEL_VERSION_ALIAS", "action": "CREATED"}]


class Listener(HTTPServer):
    """A receiver that keeps what it is sent, and answers as told."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.got = []
        self.answers = []
        self.wait = None

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/hook"


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        self.server.got.append((dict(self.headers), body))
        self.send_response(self.server.answers.pop(0) if self.server.answers else 200)
        self.send_header("content-length", "2")
        if self.server.wait:
            self.send_header("retry-after", self.server.wait)
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *words):
        pass


@pytest.fixture
def listener():
    with Listener() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def hook(door, listener):
    return door.post("webhooks", name="told", url=listener.url, events=EVENTS, secret="s3cret")["webhook"]


def deliver(door):
    return deliver_due(door.app.context.store, door.app.context.queue)


def test_a_webhook_is_kept_changed_and_removed(door, hook):
    assert door.get("webhooks")["webhooks"] == [hook]
    changed = door.send("PATCH", f"webhooks/{hook['webhook_id']}", status="DISABLED", description="d")["webhook"]
    assert (changed["status"], changed["description"], changed["events"]) == ("DISABLED", "d", EVENTS)
    door.send("DELETE", f"webhooks/{hook['webhook_id']}")
    assert door.refused("GET", f"webhooks/{hook['webhook_id']}")[0] == "RESOURCE_DOES_NOT_EXIST"


def test_a_secret_is_kept_encrypted_and_never_sent(door, store, hook):
    assert "secret" not in json.dumps(hook).replace("s3cret", "secret")
    with store.read() as connection:
        assert "s3cret" not in connection.scalar(select(webhooks.c.secret))


def test_a_change_is_delivered_signed(door, listener, hook):
    door.post("registered-models/create", name="churn")
    assert deliver(door) == 1
    headers, body = listener.got[0]
    said = json.loads(body)
    assert (said["entity"], said["action"], said["data"]["name"]) == ("registered_model", "created", "churn")
    expected = signature("s3cret", headers["X-MLflow-Delivery-Id"], headers["X-MLflow-Timestamp"], body)
    assert headers["X-MLflow-Signature"] == expected
    assert deliver(door) == 0


def test_a_change_that_was_not_kept_is_not_told(door, listener, hook):
    door.post("registered-models/create", name="churn")
    door.refused("POST", "registered-models/create", name="churn")
    deliver(door)
    assert len(listener.got) == 1


def test_an_answer_that_may_get_better_is_asked_for_again(door, store, listener, hook):
    listener.answers = [503]
    door.post("registered-models/create", name="churn")
    deliver(door)
    with store.write() as tx:
        row = tx.execute(select(deliveries)).one()
        assert (row.status, row.attempts) == ("waiting", 1) and row.error.startswith("HTTP 503")
        tx.execute(update(deliveries).values(due_ms=0))
    deliver(door)
    with store.read() as connection:
        assert connection.scalar(select(deliveries.c.status)) == "delivered"
    assert listener.got[0][0]["X-MLflow-Delivery-Id"] == listener.got[1][0]["X-MLflow-Delivery-Id"]


def test_a_delivery_that_was_put_off_before_the_clock_was_set_back_is_sent(door, store, listener, hook):
    door.post("registered-models/create", name="churn")
    with store.write() as tx:
        tx.execute(update(deliveries).values(due_ms=now_ms() + 3_600_000))
    assert deliver(door) == 1


def test_an_address_that_asks_for_a_pause_gets_it(door, store, listener, hook):
    listener.answers, listener.wait = [429], "120"
    door.post("registered-models/create", name="churn")
    before = now_ms()
    deliver(door)
    with store.read() as connection:
        assert connection.scalar(select(deliveries.c.due_ms)) >= before + 120_000


def test_an_address_that_does_not_answer_holds_up_no_other(door, store, listener, hook):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        nobody = f"http://127.0.0.1:{taken.getsockname()[1]}/"
    dead = door.post("webhooks", name="dead", url=nobody, events=EVENTS)["webhook"]["webhook_id"]
    for name in ("a", "b", "c"):
        door.post("registered-models/create", name=name)
    assert deliver(door) == 4  # three told, one try for nothing
    assert [json.loads(body)["data"]["name"] for _, body in listener.got] == ["a", "b", "c"]
    with store.read() as connection:
        tries = connection.scalars(select(deliveries.c.attempts).where(deliveries.c.webhook_id == dead)).all()
    assert sorted(tries) == [0, 0, 1]


def test_an_answer_that_will_not_get_better_ends_it(door, store, listener, hook):
    listener.answers = [404]
    door.post("registered-models/create", name="churn")
    deliver(door)
    with store.read() as connection:
        assert connection.scalar(select(deliveries.c.status)) == "failed"


def test_an_address_is_tried_out(door, listener, hook):
    result = door.post(f"webhooks/{hook['webhook_id']}/test")["result"]
    assert (result["success"], result["response_status"]) == (True, 200)
    said = json.loads(listener.got[0][1])
    assert (said["entity"], said["data"]["description"]) == ("registered_model", "An example registered model")
    listener.answers = [500]
    assert door.post(f"webhooks/{hook['webhook_id']}/test", event=EVENTS[1])["result"]["success"] is False


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "-a"},
        {"url": "ftp://x"},
        {"url": " "},
        {"url": "http://[half"},
        {"events": []},
        {"events": [{"entity": "MODEL_VERSION", "action": "SET"}]},
    ],
)
def test_what_cannot_be_a_webhook_is_refused(door, wrong):
    body = {"name": "a", "url": "https://example.com", "events": EVENTS, **wrong}
    assert door.refused("POST", "webhooks", **body)[0] == "INVALID_PARAMETER_VALUE"
