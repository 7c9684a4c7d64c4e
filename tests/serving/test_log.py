from datetime import datetime
from threading import Thread

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert

from threefold.serving import log
from threefold.serving.journal import Columns, Feedback, Inference, Refusal, segments
from threefold.serving.log_writer import LogWriter
from threefold.store import events
from threefold.store.schema import log_segments

pytestmark = pytest.mark.engines

COLUMNS = Columns(("temp", "wind"), ("carrier",))


def record(name, rows=2, start=0, **fields):
    usual = {
        "columns": 0, "request_id": name, "received_us": 1_000_000 + start, "ids": [f"{name}/{r}" for r in range(rows)],
        "times_us": [start * 3_600_000_000 + r for r in range(rows)],
        "numbers": np.array([[1.5] * rows, [np.nan] * rows], np.float32).tobytes(), "texts": [["AA"] * rows],
        "versions": [3], "sources": ["model"], "latency_ms": [0.5], "width": 1,
        "scores": np.linspace(0, 1, rows).tobytes(),
    }  # fmt: skip
    return Inference(**(usual | fields))


@pytest.fixture
def writer(store):
    writer = LogWriter(log.log_folder(store.root, "demo"))
    yield writer
    writer.close()


def test_records_become_a_table_with_one_row_per_prediction(store, writer):
    writer.predictions(record("a"), COLUMNS)
    assert log.ingest(store, "demo") == 2
    first = log.read_predictions(store, "demo").row(0, named=True)
    assert (first["prediction_id"], first["version"], first["status"]) == ("a/0", 3, "ok")
    assert (first["score"], first["scores"], first["checks"]) == (0.0, [0.0], [])
    assert (first["x.temp"], first["x.wind"], first["x.carrier"]) == (1.5, None, "AA")


def test_each_record_arrives_once_however_often_and_late_one_asks(store, writer):
    seen = []
    for number in range(5):
        writer.predictions(record(f"r{number}"), COLUMNS)
        seen.append(log.ingest(store, "demo"))
    assert [*seen, log.ingest(store, "demo")] == [2, 2, 2, 2, 2, 0]
    writer.close()
    assert log.ingest(store, "demo") == 0
    assert segments(writer.folder) == []
    assert log.read_predictions(store, "demo")["prediction_id"].n_unique() == 10


@pytest.mark.parametrize("step", ["put_table", "write", "unlink"])
def test_an_ingest_that_dies_between_two_steps_is_done_once_by_the_next(store, writer, monkeypatch, step):
    writer.predictions(record("a"), COLUMNS)
    writer.feedback(Feedback(5, ["a/0"], ["true"], [None]))
    writer.close()

    def die(*_args, **_more):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        owner = {"put_table": type(store.objects), "write": type(store), "unlink": type(writer.folder)}[step]
        patch.setattr(owner, step, die)
        with pytest.raises(KeyboardInterrupt):
            log.ingest(store, "demo")
    log.ingest(store, "demo")
    assert log.read_predictions(store, "demo").height == 2
    assert log.read_feedback(store, "demo").height == 1
    assert segments(writer.folder) == []


def test_many_who_ingest_at_once_ingest_once(store, writer):
    for number in range(50):
        writer.predictions(record(f"r{number}", rows=1), COLUMNS)
    rows = []
    threads = [Thread(target=lambda: rows.append(log.ingest(store, "demo"))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(rows) == 50
    assert log.read_predictions(store, "demo").height == 50


def test_the_torn_tail_of_a_dead_writer_is_set_aside(store, writer):
    writer.predictions(record("a"), COLUMNS)
    writer.predictions(record("b"), COLUMNS)
    writer.close()
    path = segments(writer.folder)[0]
    path.write_bytes(path.read_bytes()[:-7])
    assert log.ingest(store, "demo") == 2
    assert log.ingest(store, "demo") == 0
    assert [file.suffix for file in writer.folder.iterdir()] == [".torn"]


def test_a_period_holds_its_start_and_not_its_end(store, writer):
    for hour in range(4):
        writer.predictions(record(f"h{hour}", rows=1, start=hour), COLUMNS)
        log.ingest(store, "demo")
    found = log.read_predictions(store, "demo", datetime(1970, 1, 1, 1), datetime(1970, 1, 1, 3))
    assert found["prediction_id"].to_list() == ["h1/0", "h2/0"]


def test_versions_with_other_features_stand_in_one_table(store, writer):
    writer.predictions(record("a", rows=1), COLUMNS)
    one = record("b", rows=1, numbers=np.array([7], np.float32).tobytes(), texts=[], times_us=None)
    writer.predictions(one, Columns(("rain",), ()))
    log.ingest(store, "demo")
    found = {row["prediction_id"]: row for row in log.read_predictions(store, "demo").to_dicts()}
    assert (found["b/0"]["x.rain"], found["b/0"]["x.temp"], found["a/0"]["x.rain"]) == (7.0, None, None)
    assert found["b/0"]["time"] == datetime(1970, 1, 1, 0, 0, 1)


def test_several_classes_keep_all_scores_and_report_the_likeliest(store, writer):
    scores = np.array([[0.2, 0.7, 0.1], [np.nan] * 3])
    writer.predictions(record("a", width=3, scores=scores.tobytes(), sources=["model", "none"]), COLUMNS)
    log.ingest(store, "demo")
    first, second = log.read_predictions(store, "demo").to_dicts()
    assert (first["score"], first["scores"]) == (0.7, [0.2, 0.7, 0.1])
    assert (second["score"], second["scores"], second["status"]) == (None, None, "error")


def test_an_empty_log_is_an_empty_table_with_its_columns(store):
    assert log.ingest(store, "demo") == 0
    assert log.read_predictions(store, "demo").columns == list(log.PREDICTIONS)
    assert log.read_feedback(store, "demo").columns == list(log.FEEDBACK)


def test_a_prediction_is_found_before_and_after_it_is_ingested(store, writer):
    writer.predictions(record("a"), COLUMNS)
    writer.feedback(Feedback(7, ["a/1", "a/1"], ["true", "false"], [60_000_000, None]))
    before = log.find(store, "demo", "a/1")
    log.ingest(store, "demo")
    assert log.find(store, "demo", "a/1") == before
    assert [label["value"] for label in before["labels"]] == ["true", "false"]
    assert log.find(store, "demo", "b") is None


def test_ingesting_leaves_an_event_with_the_counts(store, writer):
    writer.predictions(record("a"), COLUMNS)
    writer.refusal(Refusal("b", 9, 400, "no json"))
    log.ingest(store, "demo")
    with store.read() as connection:
        body = next(iter(events.read(connection, kind="log.ingested"))).body
    assert (body["predictions"], body["refusals"]) == (2, 1)


YEAR_10000, YEAR_0 = 253_402_300_800_000_000, -62_167_219_200_000_000  # in microseconds


def test_a_time_that_no_calendar_holds_is_set_aside_and_the_rows_around_it_are_kept(store, writer):
    writer.predictions(record("a"), COLUMNS)
    writer.predictions(record("bad", times_us=[YEAR_10000, 0]), COLUMNS)
    writer.feedback(Feedback(5, ["a/0", "a/1"], ["true", "false"], [YEAR_0, 7]))
    writer.predictions(record("b"), COLUMNS)
    log.ingest(store, "demo")
    assert log.read_predictions(store, "demo")["prediction_id"].sort().to_list() == [
        "a/0",
        "a/1",
        "b/0",
        "b/1",
        "bad/1",
    ]
    assert log.read_feedback(store, "demo")["prediction_id"].to_list() == ["a/1"]
    refused = log.read_refusals(store, "demo")
    assert refused["request_id"].to_list() == ["a/0", "bad"] or refused["request_id"].to_list() == ["bad", "a/0"]
    assert all("1900 to 2199" in error for error in refused["error"])


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param({"ids": ["x"]}, id="fewer ids than rows"),
        pytest.param({"numbers": b"1"}, id="half a number"),
        pytest.param({"sources": ["nobody"]}, id="an unknown source"),
        pytest.param({"times_us": [2**64 - 1, 0]}, id="a time over 64 bits"),
    ],
)
def test_a_record_that_makes_no_table_is_set_aside_and_those_behind_it_are_kept(store, writer, bad):
    for fields in ({}, bad, {}):
        writer.predictions(record(f"r{len(fields)}", **fields), COLUMNS)
    assert log.ingest(store, "demo") == 5
    assert log.read_predictions(store, "demo").height == 4
    assert log.read_refusals(store, "demo").select("request_id", "status").rows() == [("r1", 500)]


def test_a_frame_that_is_no_record_is_set_aside(store, writer):
    writer.predictions(record("a"), COLUMNS)
    writer._append(b"p", b"\xc1")
    writer.feedback(Feedback(5, ["a/0"], ["true"], [None]))
    log.ingest(store, "demo")
    assert (log.read_predictions(store, "demo").height, log.read_feedback(store, "demo").height) == (2, 1)
    assert "cannot be read" in log.read_refusals(store, "demo")["error"][0]


def test_what_an_older_server_let_in_is_mended_at_the_next_look(store, writer):
    bad = pl.DataFrame({"prediction_id": ["a", "b"], "request_id": ["a", "b"], "received_at": [1, 2]}).with_columns(
        pl.col("received_at").cast(pl.Datetime("us", "UTC")),
        time=pl.Series([datetime(9999, 12, 31), datetime(2013, 1, 1)], dtype=pl.Datetime("us")),
    )
    with store.write() as tx:
        row = {
            "digest": store.objects.put_table(bad), "endpoint": "demo", "kind": "predictions", "created_at": tx.now,
            "segment": "old.tflog:0-900:predictions", "rows": 2, "first_at": "2013-01-01T00:00:00.000000",
            "last_at": "9999-12-31T00:00:00.000000",
        }  # fmt: skip
        tx.execute(insert(log_segments).values(row))
    log.ingest(store, "demo")
    assert log.read_predictions(store, "demo")["prediction_id"].to_list() == ["b"]
    assert log.read_refusals(store, "demo")["request_id"].to_list() == ["a"]
    with store.read() as connection:
        assert log._read_up_to(connection, "old.tflog") == 900
        assert [event.kind for event in events.read(connection)][1:] == ["log.mended"]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_mix_of_writing_reading_and_dying_keeps_every_record(tmp_path_factory, data):
    from threefold.store import Store

    store = Store.open(tmp_path_factory.mktemp("any") / "store")
    folder, written = log.log_folder(store.root, "demo"), 0
    writer = LogWriter(folder, segment_bytes=600)
    for action in data.draw(st.lists(st.sampled_from(["write", "ingest", "restart"]), max_size=12)):
        if action == "write":
            writer.predictions(record(f"r{written}", rows=1), COLUMNS)
            written += 1
        elif action == "ingest":
            log.ingest(store, "demo")
        else:
            writer.close()
            writer = LogWriter(folder, segment_bytes=600)
    writer.close()
    log.ingest(store, "demo")
    assert sorted(log.read_predictions(store, "demo")["request_id"]) == sorted(f"r{n}" for n in range(written))
    store.close()
