from datetime import datetime, timedelta

import pytest

from threefold.design.canvas import Canvas, Prediction, Retraining, Serving, Training, Value, Watching
from threefold.monitoring import memory
from threefold.monitoring.alerts import decide
from threefold.monitoring.watch import all_alerts, all_windows, floor, open_alerts, watch
from threefold.serving.journal import Columns, Inference
from threefold.serving.log import log_folder
from threefold.serving.log_writer import LogWriter
from threefold.store import Store, events


@pytest.fixture
def store(tmp_path):
    store = Store.open(tmp_path / "store")
    yield store
    store.close()


@pytest.fixture
def canvas(tmp_path):
    return Canvas(
        tmp_path, tmp_path / "threefold.yaml", "d", "demo", Value(), {}, Prediction("t", "late"), Training(), (),
        Serving(), Watching(notify=()), Retraining(),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("window", "start"),
    [
        (timedelta(hours=1), datetime(2013, 7, 4, 15)),
        (timedelta(days=1), datetime(2013, 7, 4)),
        (timedelta(days=7), datetime(2013, 7, 1)),  # a Monday
    ],
)
def test_windows_are_hours_days_and_weeks_of_the_calendar(window, start):
    assert floor(datetime(2013, 7, 4, 15, 20), window) == start
    assert floor(start, window) == start


def test_an_endpoint_that_never_answered_has_nothing_to_say(store, canvas):
    for until in (None, datetime(2013, 4, 1)):
        found = watch(store, canvas, "demo", until=until)
        assert (found.reports, found.new_alerts, found.open_alerts) == ((), (), ())
    assert (all_windows(store, "demo"), all_alerts(store, "demo"), open_alerts(store, "demo")) == ((), (), ())


def test_windows_and_alerts_are_kept_with_their_events(store, gap, task):
    reports = [gap(day, -0.2) for day in range(10)]
    decision = decide(reports, Watching(min_rows=500), task)
    assert memory.save(store, "demo", (), reports, decision, "2026-01-01")
    assert all_windows(store, "demo") == tuple(reports)
    assert all_alerts(store, "demo") == open_alerts(store, "demo") == decision.opened
    with store.read() as connection:
        told = [(event.kind, event.subject) for event in events.read(connection)][1:]
    assert told == [("alert.opened", "endpoint demo"), ("windows.judged", "endpoint demo")]


def test_of_two_who_judge_the_same_window_only_the_first_is_kept(store, gap, task):
    reports = [gap(day, -0.2) for day in range(10)]
    decision = decide(reports, Watching(min_rows=500), task)
    assert memory.save(store, "demo", (), reports, decision, "2026-01-01")
    assert not memory.save(store, "demo", (), reports, decision, "2026-01-02")
    assert len(all_alerts(store, "demo")) == 1


def test_a_window_that_is_stated_again_replaces_what_was_said(store, gap, task):
    early, late = gap(0, -0.2, labelled=100), gap(0, -0.1)
    nothing = decide([], Watching(), task)
    memory.save(store, "demo", (), [early], nothing, "2026-01-01")
    marks = memory.read_marks(store, "demo")
    assert [(mark.rows, mark.labelled) for mark in marks] == [(900, 100)]
    assert memory.save(store, "demo", marks, [late], nothing, "2026-01-02")
    assert all_windows(store, "demo") == (late,)


def test_a_closed_alert_is_no_longer_open_and_stays_in_the_list(store, gap, task):
    reports = [gap(day, -0.2 if day < 10 else 0.0) for day in range(30)]
    decision = decide(reports, Watching(min_rows=500), task)
    memory.save(store, "demo", (), reports, decision, "2026-01-01")
    assert open_alerts(store, "demo") == ()
    assert len(all_alerts(store, "demo")) == 1
    with store.read() as connection:
        (closed,) = events.read(connection, kind="alert.closed")
    assert closed.body["reason"] == "calm for 3 windows"


def test_the_windows_of_one_endpoint_are_not_those_of_another(store, gap, task):
    memory.save(store, "demo", (), [gap(0, 0.0)], decide([], Watching(), task), "2026-01-01")
    assert all_windows(store, "other") == ()


def test_late_labels_may_change_what_five_weeks_said_and_at_least_sixty_windows():
    assert memory.shelf_life(timedelta(days=7)) == 60
    assert memory.shelf_life(timedelta(hours=1)) == 35 * 24


def test_a_record_of_an_impossible_time_does_not_stop_the_watch(store, canvas):
    writer = LogWriter(log_folder(store.root, "demo"))
    year_10000, day = 253_402_300_800_000_000, 86_400_000_000
    for name, time in (("a", 15_000 * day), ("bad", year_10000), ("b", 15_001 * day)):
        row = Inference(0, name, 1, [name], [time], b"", [], [1], ["none"], [0.5], 1, b"\xff" * 8)
        writer.predictions(row, Columns((), ()))
    found = watch(store, canvas, "demo", until=datetime(2012, 1, 1))
    writer.close()
    assert sum(one.rows for one in found.reports) == 2
