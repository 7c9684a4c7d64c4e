"""What the watch as a whole promises, on a real store with a log as a server writes it."""

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from threefold.design.canvas import Canvas, Prediction, Retraining, Serving, Training, Value, Watching
from threefold.monitoring.reference import build_reference
from threefold.monitoring.watch import all_alerts, all_windows, open_alerts, watch
from threefold.packaging.bundles import pack
from threefold.records import ColumnRule, Contract, FeatureSpec, Lineage, TaskSpec
from threefold.registry import versions
from threefold.serving import log
from threefold.serving.journal import Columns, Feedback, Inference
from threefold.serving.log_writer import LogWriter
from threefold.store import Store, events
from threefold.training import metrics
from threefold.training.baselines import Lookup
from threefold.training.fitting import fit_candidate

ENDPOINT = "flights"
FIRST = datetime(2013, 4, 1)
COLUMNS = Columns(("temp", "wind"), ("carrier",))
TASK = TaskSpec(
    "binary",
    "late",
    (FeatureSpec("temp", "number", "v"), FeatureSpec("wind", "number", "v"), FeatureSpec("carrier", "category", "v")),
    ("false", "true"),
    "true",
    {"false_positive": 40.0, "false_negative": 250.0},
)
CONTRACT = Contract(
    "features",
    (
        ColumnRule("temp", "number", 0.0, -40.0, 40.0),
        ColumnRule("wind", "number", 0.5, 0.0, 200.0),
        ColumnRule("carrier", "category", 0.0, values=("AA", "UA", "DL")),
    ),
)
LINEAGE = Lineage({}, "t", "s", {}, "e", "run", "linear", None, "c", 7)
DAILY = Watching(window=timedelta(days=1), drift=0.25, drops={"roc_auc": 0.08}, calibration=0.1, notify=())


def winter(rng, rows):
    """Features of training, the scores of its model, and outcomes that keep what the scores promise."""
    frame = pl.DataFrame(
        {
            "temp": pl.Series(rng.normal(2, 6, rows), dtype=pl.Float32),
            "wind": pl.Series(np.where(rng.random(rows) < 0.02, np.nan, rng.gamma(3, 4, rows)), dtype=pl.Float32),
            "carrier": rng.choice(["AA", "UA", "DL"], rows, p=[0.5, 0.3, 0.2]),
        }
    ).fill_nan(None)
    scores = rng.beta(1.2, 3.6, rows)
    return frame, scores, rng.random(rows) < scores


class World:
    """An endpoint with one model version, and days of traffic to it."""

    def __init__(self, root: Path, watching: Watching = DAILY, seed: int = 7) -> None:
        self.rng = np.random.default_rng(seed)
        self.store = Store.open(root / "store")
        self.canvas = Canvas(
            root, root / "threefold.yaml", "digest", ENDPOINT, Value(), {}, Prediction("flights", "late"), Training(),
            (), Serving(), watching, Retraining(),
        )  # fmt: skip
        self.writer = LogWriter(log.log_folder(self.store.root, ENDPOINT))
        self.release("run 1")

    def release(self, run):
        """Register a version that was trained on sixty days of winter; returns its number."""
        frame, scores, late = winter(np.random.default_rng(11), 24_000)
        moments = [FIRST - timedelta(days=60) + timedelta(minutes=3.6 * row) for row in range(frame.height)]
        training = frame.with_columns(
            pl.Series("_id", [str(row) for row in range(frame.height)]), pl.Series("_at", moments),
            pl.Series("_target", late),
        )  # fmt: skip
        told = metrics.compute(None, late.astype(float), scores, TASK)
        model, _ = fit_candidate("linear", training.head(400), TASK, Training(candidates=("linear",)), 1.0)
        reference = build_reference(training, TASK, scores, told)
        bundle = pack(
            self.store, ENDPOINT, model, contract=CONTRACT, fallback=Lookup(None, [0.3], {}), reference=reference
        )
        return versions.register(self.store, ENDPOINT, bundle, run, told, LINEAGE).number

    def answer(self, day, *, rows=900, change=None, version=1, source="model", labels=True):
        """A day of predictions; `change(frame, scores, late)` says how it differs from training."""
        told = winter(self.rng, rows)
        frame, scores, late = change(*told) if change else told
        start = FIRST + timedelta(days=day)
        times = [start + timedelta(seconds=row * 86_400 // rows) for row in range(rows)]
        ids = [f"{day}/{row}" for row in range(rows)]
        self.writer.predictions(
            Inference(
                columns=0, request_id=f"day {day}", received_us=micros(start), ids=ids,
                times_us=[micros(time) for time in times],
                numbers=np.array([frame[name].fill_null(np.nan).to_numpy() for name in COLUMNS.numbers], np.float32).tobytes(),
                texts=[[value or "" for value in frame["carrier"]]], versions=[version], sources=[source],
                latency_ms=[0.5], width=1, scores=np.asarray(scores, np.float64).tobytes(),
            ),
            COLUMNS,
        )  # fmt: skip
        outcomes = (ids, ["true" if one else "false" for one in late], times)
        if labels:
            self.label(*outcomes)
        return outcomes

    def label(self, ids, values, times):
        """Outcomes that became known three hours after the time they are about."""
        known = [micros(time + timedelta(hours=3)) for time in times]
        self.writer.feedback(Feedback(known[0], list(ids), list(values), known))

    def look(self, day):
        """The watch on the evening of a day."""
        return watch(self.store, self.canvas, ENDPOINT, until=FIRST + timedelta(days=day + 1))

    def live(self, days, change_on=lambda day: None, **more):
        """Answer and look, day after day; returns the pages with the day on which each came."""
        pages = []
        for day in days:
            self.answer(day, change=change_on(day), **more)
            pages += [(day, alert) for alert in self.look(day).new_alerts if alert.severity == "page"]
        return pages

    def close(self):
        self.writer.close()
        self.store.close()


def micros(moment):
    return int((moment - datetime(1970, 1, 1)).total_seconds() * 1e6)


@pytest.fixture
def world(tmp_path):
    world = World(tmp_path)
    yield world
    world.close()


def drift_of(report, column):
    return next(drift for drift in report.drift if drift.column == column)


# ------------------------------------------------------------------------------------------------ seeded changes


def promises_too_little(frame, scores, late):
    return frame, scores * 0.35, late


def comes_true_more_often(frame, scores, late):
    return frame, scores, np.random.default_rng(len(late) + int(late.sum())).random(len(late)) < scores**0.55


def knows_nothing(frame, scores, late):
    return frame, np.random.default_rng(3).permutation(scores), late


def wind_goes_missing(frame, scores, late):
    gone = np.random.default_rng(5).random(frame.height) < 0.15
    return frame.with_columns(wind=pl.when(pl.Series(gone)).then(None).otherwise(pl.col("wind"))), scores, late


def new_carrier(frame, scores, late):
    new = np.random.default_rng(5).random(frame.height) < 0.2
    return (
        frame.with_columns(carrier=pl.when(pl.Series(new)).then(pl.lit("B6")).otherwise(pl.col("carrier"))),
        scores,
        late,
    )


def season(day):
    """Temperature as the year has it: 25 degrees up until July, and down again, with a weather of its own each day."""
    level = 25 * np.sin(np.pi * day / 270) + np.random.default_rng(day).normal(0, 3)
    return lambda frame, scores, late: (
        frame.with_columns(temp=(pl.col("temp") + level).cast(pl.Float32)),
        scores,
        late,
    )


# --------------------------------------------------------------------------------------------------------- tests


def test_sixty_days_like_training_wake_nobody(world):
    world.live(range(60))
    assert all_alerts(world.store, ENDPOINT) == ()
    assert len(all_windows(world.store, ENDPOINT)) == 60


@pytest.mark.slow
def test_nine_months_of_seasons_send_no_page_and_at_most_a_few_digests(world):
    assert world.live(range(270), season) == []
    told = all_alerts(world.store, ENDPOINT)
    assert 1 <= len(told) <= 3
    assert {alert.severity for alert in told} == {"digest"}
    assert any("temp" in alert.sentence for alert in told)


def test_a_broken_calibration_is_paged_once_and_closed_when_it_is_mended(world):
    pages = world.live(range(60), lambda day: promises_too_little if 20 <= day < 40 else None)
    assert [alert.cause for _, alert in pages] == ["calibration"]
    assert 20 < pages[0][0] <= 28
    assert open_alerts(world.store, ENDPOINT) == ()


def test_an_alert_has_a_number_a_limit_and_what_to_do(world):
    ((_, alert),) = world.live(range(15), lambda day: promises_too_little if day >= 5 else None)
    assert abs(alert.value) > alert.limit == 0.1
    assert any(letter.isdigit() for letter in alert.sentence)
    assert alert.probable
    assert alert.do


def test_a_model_that_lost_its_ranking_is_called_decayed(world):
    pages = world.live(range(30), lambda day: knows_nothing if day >= 10 else None)
    assert [alert.cause for _, alert in pages] == ["decay"]
    assert "roc_auc" in pages[0][1].sentence


def test_one_bad_day_wakes_nobody(world):
    assert world.live(range(20), lambda day: promises_too_little if day == 10 else None) == []


@pytest.mark.parametrize("labels", [True, False])
def test_one_bad_week_wakes_nobody_labelled_or_not(tmp_path, labels):
    world = World(tmp_path, replace(DAILY, window=timedelta(days=7)))
    pages = world.live(range(42), lambda day: promises_too_little if 21 <= day < 28 else None, rows=200, labels=labels)
    assert pages == []
    world.close()


def test_values_that_go_missing_are_found(tmp_path):
    world = World(tmp_path, replace(DAILY, drift=0.2, window=timedelta(days=7)))
    world.live(range(7), lambda day: wind_goes_missing)
    drift = drift_of(all_windows(world.store, ENDPOINT)[0], "wind")
    assert drift.nulls_before == pytest.approx(0.02, abs=0.01)
    assert drift.nulls_after == pytest.approx(0.16, abs=0.03)
    assert drift.drifted
    world.close()


def test_a_category_that_training_never_saw_is_found(world):
    world.live(range(3), lambda day: new_carrier)
    drift = drift_of(all_windows(world.store, ENDPOINT)[-1], "carrier")
    assert drift.unseen == pytest.approx(0.2, abs=0.05)
    assert drift.drifted


def test_windows_that_are_too_small_page_nobody_whatever_they_hold(world):
    assert world.live(range(20), lambda day: promises_too_little, rows=60) == []


def test_an_outage_is_paged_while_no_label_is_there(world):
    world.live(range(5))
    pages = []
    for day in range(5, 10):
        world.answer(day, source="fallback", labels=False)
        pages += [one for one in world.look(day).new_alerts if one.severity == "page"]
    assert len(pages) == 1


def test_a_second_look_changes_nothing(world):
    world.live(range(15), lambda day: comes_true_more_often if day >= 5 else None)
    windows, alerts = all_windows(world.store, ENDPOINT), all_alerts(world.store, ENDPOINT)
    with world.store.read() as connection:
        before = len(list(events.read(connection)))
    again = world.look(14)
    assert (again.reports, again.new_alerts) == ((), ())
    assert len(again.open_alerts) == 1
    assert (all_windows(world.store, ENDPOINT), all_alerts(world.store, ENDPOINT)) == (windows, alerts)
    with world.store.read() as connection:
        assert len(list(events.read(connection))) == before


def test_one_look_at_the_end_tells_what_daily_looks_told(tmp_path):
    def change(day):
        return promises_too_little if 10 <= day < 25 else season(day)

    daily, late = World(tmp_path / "daily"), World(tmp_path / "late")
    daily.live(range(40), change)
    for day in range(40):
        late.answer(day, change=change(day))
    late.look(39)
    for told in (all_windows, all_alerts):
        each = [
            [
                (one.start, one.rows) if told is all_windows else (one.cause, one.window_end)
                for one in told(w.store, ENDPOINT)
            ]
            for w in (daily, late)
        ]
        assert sorted(each[0]) == sorted(each[1])
    daily.close()
    late.close()


def test_labels_that_come_later_state_the_window_again(world):
    outcomes = [world.answer(day, labels=False) for day in range(3)]
    world.look(2)
    assert [one.labelled for one in all_windows(world.store, ENDPOINT)] == [0, 0, 0]
    for told in outcomes:
        world.label(*told)
    world.look(2)
    again = all_windows(world.store, ENDPOINT)
    assert [one.labelled for one in again] == [900, 900, 900]
    assert all(0.6 < one.metrics["roc_auc"] < 0.9 for one in again)


def test_late_labels_still_page(world):
    outcomes = [world.answer(day, change=comes_true_more_often, labels=False) for day in range(5)]
    assert world.look(4).new_alerts == ()
    for told in outcomes:
        world.label(*told)
    assert [alert.cause for alert in world.look(4).new_alerts] == ["calibration"]


def test_a_new_version_closes_what_was_said_of_the_old_one(world):
    world.live(range(12), lambda day: comes_true_more_often)
    assert [alert.cause for alert in open_alerts(world.store, ENDPOINT)] == ["calibration"]
    number = world.release("run 2")
    assert number == 2
    assert world.live(range(12, 14), version=2) == []  # too few windows to be called calm
    assert open_alerts(world.store, ENDPOINT) == ()


def test_each_change_of_an_alert_is_an_event(world):
    world.live(range(30), lambda day: comes_true_more_often if 5 <= day < 15 else None)
    with world.store.read() as connection:
        kinds = [event.kind for event in events.read(connection) if event.kind.startswith("alert.")]
    assert kinds == ["alert.opened", "alert.closed"]


def test_a_channel_that_fails_does_not_stop_the_watch(tmp_path):
    world = World(tmp_path, replace(DAILY, notify=("nobody knows this one",)))
    assert len(world.live(range(12), lambda day: promises_too_little)) == 1
    world.close()


def test_labels_that_are_no_class_are_counted_as_such_also_when_they_come_late(world):
    ids, _, times = world.answer(0, labels=False)
    world.label(ids[:300], ["banana"] * 300, times[:300])
    (first,) = world.look(0).reports
    assert first.checks["label:no outcome"] == 300
    world.label(ids[300:310], ["apple"] * 10, times[300:310])
    (again,) = world.look(0).reports
    assert again.checks["label:no outcome"] == 310
