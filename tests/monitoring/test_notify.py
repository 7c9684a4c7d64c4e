import json
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from threefold.design.canvas import Canvas, Prediction, Retraining, Serving, Training, Value, Watching
from threefold.monitoring import memory
from threefold.monitoring.alerts import Decision
from threefold.monitoring.notify import send
from threefold.records import Alert, utc_now
from threefold.store import Store, events

PAGE = Alert(
    "1", "demo", "decay", "page", "roc_auc is 0.6 [really]", 0.1, 0.08, "temp moved", "retrain", "2013-04-01T00:00:00",
    "2013-04-08T00:00:00", utc_now(),
)  # fmt: skip
DIGEST = replace(PAGE, id="2", cause="feature drift", severity="digest")


class Desk:
    """A store with alerts, and the canvas that says whom to tell."""

    def __init__(self, root, report):
        self.root, self.report = root, report
        self.store = Store.open(root / "store")

    def open(self, *alerts, notify):
        memory.save(self.store, "demo", (), [self.report], Decision(opened=alerts), "2026-01-01", notify=notify)

    def send(self, *notify):
        canvas = Canvas(
            self.root, self.root / "threefold.yaml", "d", "demo", Value(), {}, Prediction("t", "late"), Training(), (),
            Serving(), Watching(notify=notify), Retraining(),
        )  # fmt: skip
        return send(self.store, canvas, "demo")

    def events(self, kind):
        with self.store.read() as connection:
            return [event.body for event in events.read(connection, kind=kind)]


@pytest.fixture
def desk(tmp_path, report):
    desk = Desk(tmp_path, report(0))
    yield desk
    desk.store.close()


@pytest.fixture
def tell(desk):
    """Sends alerts over some channels; returns the events that this left where one failed."""

    def call(*notify, alerts=(PAGE,)):
        desk.open(*alerts, notify=notify)
        desk.send(*notify)
        return desk.events("alert.not sent")

    return call


@pytest.fixture
def listener():
    """A real server on this machine that keeps what is posted to it."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.server.got.append(json.loads(body))
            self.send_response(500 if self.path == "/broken" or self.server.out_of_order else 200)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    server.got, server.out_of_order = [], False
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


def test_an_alert_whose_channel_failed_is_sent_at_the_next_look_and_then_no_more(desk, listener):
    hook = f"webhook http://127.0.0.1:{listener.server_port}/"
    desk.open(PAGE, notify=(hook,))
    listener.out_of_order = True
    (lost,) = desk.send(hook)
    assert (lost.alert.id, lost.entry, "500" in lost.error) == ("1", hook, True)
    listener.out_of_order = False
    assert desk.send(hook) == ()
    assert desk.send(hook) == ()
    assert len(listener.got) == 2
    assert desk.events("alert.sent") == [{"alert": "1", "channel": "webhook"}]


def test_an_alert_waits_though_the_watch_died_before_it_could_send(desk, capsys):
    desk.open(PAGE, notify=("console",))
    assert desk.send("console") == ()
    assert "decay" in capsys.readouterr().err


def test_a_channel_that_stays_broken_is_reported_each_time_and_written_down_once(desk):
    desk.open(PAGE, notify=("file no/such/folder/a",))
    assert [len(desk.send("file no/such/folder/a")) for _ in range(3)] == [1, 1, 1]
    assert len(desk.events("alert.not sent")) == 1


def test_an_alert_that_waits_is_sent_to_the_target_as_it_was_mended(desk, tmp_path):
    desk.open(PAGE, notify=("file no/such/folder/a",))
    desk.send("file no/such/folder/a")
    assert desk.send("file alerts.jsonl") == ()
    assert (tmp_path / "alerts.jsonl").exists()


def test_a_channel_that_the_canvas_names_no_more_is_waited_for_no_more(desk):
    desk.open(PAGE, notify=("file no/such/folder/a",))
    assert desk.send("console") == desk.send("file no/such/folder/a") == ()
    assert (desk.events("alert.sent"), len(desk.events("alert.not wanted"))) == ([], 1)


def test_a_dead_channel_costs_two_tries_however_many_alerts_wait(desk, listener):
    alerts = [replace(PAGE, id=str(number)) for number in range(9)]
    hook = f"webhook http://127.0.0.1:{listener.server_port}/broken"
    desk.open(*alerts, notify=(hook,))
    assert len(desk.send(hook)) == 9
    assert len(listener.got) == 2
