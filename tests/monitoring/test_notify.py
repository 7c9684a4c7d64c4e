import json
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from threefold.design.canvas import Canvas, Prediction, Retraining, Serving, Training, Value, Watching
from threefold.monitoring.notify import send
from threefold.records import Alert, utc_now
from threefold.store import Store, events

PAGE = Alert(
    "1", "demo", "decay", "page", "roc_auc is 0.6 [really]", 0.1, 0.08, "temp moved", "retrain", "2013-04-01T00:00:00",
    "2013-04-08T00:00:00", utc_now(),
)  # fmt: skip
DIGEST = replace(PAGE, id="2", cause="feature drift", severity="digest")


@pytest.fixture
def tell(tmp_path):
    """Sends alerts over some channels; returns the events that this left."""
    store = Store.open(tmp_path / "store")

    def call(*notify, alerts=(PAGE,)):
        canvas = Canvas(
            tmp_path, tmp_path / "threefold.yaml", "d", "demo", Value(), {}, Prediction("t", "late"), Training(), (),
            Serving(), Watching(notify=notify), Retraining(),
        )  # fmt: skip
        send(store, canvas, alerts)
        with store.read() as connection:
            return [event.body for event in events.read(connection, kind="alert.not sent")]

    yield call
    store.close()


@pytest.fixture
def listener():
    """A real server on this machine that keeps what is posted to it."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.server.got.append(json.loads(body))
            self.send_response(500 if self.path == "/broken" else 200)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    server.got = []
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_console_gets_sentence_cause_and_advice_beside_the_output(tell, capsys):
    assert tell("console") == []
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "decay: roc_auc is 0.6 [really]" in printed.err
    assert "probably: temp moved" in printed.err
    assert "do: retrain" in printed.err


def test_a_digest_is_one_line(tell, capsys):
    tell("console", alerts=(DIGEST,))
    assert capsys.readouterr().err.count("\n") == 1


def test_a_file_gets_one_line_of_json_for_each_alert(tell, tmp_path):
    tell("file", alerts=(PAGE, DIGEST))
    lines = (tmp_path / "alerts.jsonl").read_text().splitlines()
    assert [json.loads(line)["cause"] for line in lines] == ["decay", "feature drift"]


def test_a_webhook_gets_the_pages_and_no_digest(tell, listener):
    assert tell(f"webhook http://127.0.0.1:{listener.server_port}/", alerts=(PAGE, DIGEST)) == []
    (told,) = listener.got
    assert told["text"] == "decay: roc_auc is 0.6 [really]"
    assert told["alert"]["limit"] == 0.08


@pytest.mark.parametrize(
    "entry", ["webhook", "pigeon", "file no/such/folder/alerts.jsonl", "webhook http://127.0.0.1:1/"]
)
def test_a_channel_that_fails_leaves_an_event_and_nothing_else(tell, entry):
    (told,) = tell(entry)
    assert told["channel"] == entry.split()[0]
    assert told["error"]


def test_one_broken_channel_does_not_silence_the_others(tell, listener, capsys):
    (told,) = tell(f"webhook http://127.0.0.1:{listener.server_port}/broken", "console")
    assert "500" in told["error"]
    assert "decay" in capsys.readouterr().err
