from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from threefold.design.canvas import Watching
from threefold.monitoring.backtest import GAP
from threefold.monitoring.reference import build_reference, read_reference
from threefold.monitoring.windows import (
    Judged,
    judged_rows,
    judged_version,
    labelled_share,
    main_version,
    relabel,
    summarise,
)
from threefold.serving.log import PREDICTIONS

DAY = datetime(2013, 4, 1)
WATCHING = Watching(drops={"roc_auc": 0.1}, min_rows=200)


def log_rows(scores, labels, *, version=1, source="model", checks=(), temp=None, scores_of_classes=None):
    """A day of the log, as `read_predictions` returns it, with labels."""
    rng, size = np.random.default_rng(3), len(scores)
    usual = {
        "prediction_id": [f"{version}/{row}" for row in range(size)], "request_id": ["r"] * size,
        "time": [DAY + timedelta(seconds=row * 86_400 // size) for row in range(size)],
        "received_at": [datetime(2026, 1, 1, tzinfo=UTC)] * size, "version": [version] * size,
        "source": [source] * size, "status": ["ok"] * size, "checks": [list(checks)] * size,
        "latency_ms": np.linspace(1, 3, size).tolist(), "score": list(scores),
        "scores": scores_of_classes or [[score] for score in scores],
    }  # fmt: skip
    return pl.DataFrame(usual, schema=PREDICTIONS).with_columns(
        pl.Series("x.temp", rng.normal(0, 6, size) if temp is None else temp, dtype=pl.Float32),
        pl.Series("x.carrier", rng.choice(["AA", "UA", "DL"], size).tolist()),
        pl.Series("x.note", ["short"] * size),
        pl.Series("label", [None if one is None else str(bool(one)).lower() for one in labels], dtype=pl.String),
    )


def told(rows, judged, watching=WATCHING):
    return summarise(rows, judged, DAY, DAY + timedelta(days=1), endpoint="demo", watching=watching)


@pytest.fixture(scope="module")
def judged(training):
    from threefold.records import FeatureSpec, TaskSpec  # a fixture of one module cannot ask for a function's fixture

    kinds = (("temp", "number"), ("carrier", "category"), ("note", "text"))
    task = TaskSpec("binary", "late", tuple(FeatureSpec(n, k, "v") for n, k in kinds), ("false", "true"), "true")
    reference = read_reference(build_reference(training[0], task, training[1], {}))
    return Judged(1, task, reference, 0.5, {"roc_auc": 0.75}, {"roc_auc": 0.01})


@pytest.fixture
def day():
    rng = np.random.default_rng(5)
    scores = rng.beta(1.2, 3.6, 900)
    return scores, rng.random(900) < scores


def test_a_window_worked_by_hand(judged):
    found = told(log_rows([0.9, 0.1, 0.8, 0.2] * 20, [True, False, False, True] * 20), judged)
    assert (found.rows, found.labelled, found.versions) == (80, 80, {"1": 80})
    assert found.metrics["roc_auc"] == 0.75
    assert found.metrics["accuracy"] == 0.5
    assert (found.metrics["mean prediction"], found.metrics["share true"]) == (0.5, 0.5)
    assert found.latency_ms == {"p50": pytest.approx(2, abs=0.05), "p99": pytest.approx(3, abs=0.05)}


def test_the_expected_value_is_that_of_acceptance_less_what_days_fall_short_of_weeks(judged, day):
    found = told(log_rows(*day), judged)
    day_scale, week_scale = judged.reference.scales
    short = week_scale.mean["roc_auc"] - day_scale.mean["roc_auc"]
    assert found.metrics["roc_auc expected"] == pytest.approx(0.75 - short, abs=1e-5)


def test_the_error_is_never_less_than_what_days_of_training_differ(judged, day):
    found = told(log_rows(*day), judged)
    assert found.metrics[f"{GAP} error"] >= judged.reference.scales[0].spread[GAP] - 1e-6
    assert found.metrics["roc_auc error"] >= judged.reference.scales[0].spread["roc_auc"]


def test_rows_without_a_label_count_for_drift_and_not_for_metrics(judged, day):
    scores, late = day
    half = [value if row % 2 else None for row, value in enumerate(late)]
    found = told(log_rows(scores, half), judged)
    assert (found.rows, found.labelled, labelled_share(found)) == (900, 450, 0.5)
    assert found.metrics["share true"] == pytest.approx(np.mean(late[1::2]), abs=1e-6)


def test_a_window_without_labels_has_no_metrics(judged, day):
    found = told(log_rows(day[0], [None] * 900), judged)
    assert found.metrics == {}
    assert len(found.drift) == 4


def test_a_canary_does_not_blur_the_picture(judged, day):
    scores, late = day
    canary = log_rows(1 - scores[:200], late[:200], version=2)
    both = pl.concat([log_rows(scores, late), canary])
    assert main_version(both) == 1
    mixed, alone = told(both, judged), told(log_rows(scores, late), judged)
    assert (mixed.versions, judged_version(mixed), judged_rows(mixed)) == ({"1": 900, "2": 200}, 1, 900)
    assert (mixed.metrics, mixed.drift) == (alone.metrics, alone.drift)


def test_rows_the_model_did_not_answer_are_counted_and_not_judged(judged, day):
    scores, late = day
    fallback = log_rows(scores[:100], late[:100], source="fallback", checks=["model:raised"])
    found = told(pl.concat([log_rows(scores, late), fallback]), judged)
    assert found.checks == {"fallback": 100, "model:raised": 100}
    assert judged_rows(found) == 900


def test_a_stopped_model_is_no_outage(judged, day):
    found = told(log_rows(*day, source="fallback", checks=["model:stopped"]), None)
    assert found.checks == {"model:stopped": 900, "stopped": 900}
    assert (found.versions, found.drift, found.metrics) == ({}, (), {})


def test_rows_that_break_the_promises_of_the_inputs_are_counted_once_each(judged, day):
    rows = log_rows(*day, checks=["input:null:temp", "input:values:carrier", "input:range:temp"])
    assert told(rows, judged).checks["broken inputs"] == 900


def test_numbers_out_of_range_break_no_promise_because_seasons_do_that(judged, day):
    assert "broken inputs" not in told(log_rows(*day, checks=["input:range:temp"]), judged).checks


def test_a_feature_that_went_missing_is_a_check_with_its_limit(judged, day):
    found = told(log_rows(*day, temp=[None] * 900), judged)
    assert found.checks["missing:temp"] == 900
    assert found.metrics["missing:temp limit"] == pytest.approx(0.25)


def test_later_labels_change_the_metrics_and_nothing_else(judged, day):
    scores, late = day
    early = told(log_rows(scores, [None] * 900), judged)
    later = relabel(early, log_rows(scores, late), judged, WATCHING)
    assert later == told(log_rows(scores, late), judged)


def test_a_bundle_without_a_reference_still_gets_its_metrics(judged, day):
    found = told(log_rows(*day), Judged(1, judged.task, None, 0.5, {"roc_auc": 0.75}))
    assert found.drift == ()
    assert 0 < found.metrics["roc_auc error"] < 0.1


def test_classes_are_judged_by_the_class_that_was_named(training):
    from threefold.records import FeatureSpec, TaskSpec

    rng = np.random.default_rng(7)
    task = TaskSpec("multiclass", "y", (FeatureSpec("temp", "number", "v"),), ("a", "b", "c"))
    frame, chances = (
        training[0].with_columns(_target=pl.Series(rng.choice(["a", "b", "c"], 6_000))),
        rng.dirichlet([1, 1, 1], 6_000),
    )
    reference = read_reference(build_reference(frame, task, chances, {}))
    all_a = [[0.8, 0.1, 0.1]] * 900
    rows = log_rows([0.8] * 900, [None] * 900, scores_of_classes=all_a).with_columns(
        label=pl.Series(["a", "b", "a"] * 300)
    )
    found = told(rows, Judged(1, task, reference))
    assert found.metrics["accuracy"] == pytest.approx(2 / 3, abs=1e-6)
    assert next(one for one in found.drift if one.column == "the prediction").drifted
    assert "mean prediction" not in found.metrics


def test_values_are_judged_in_the_unit_of_the_target(training):
    from threefold.records import FeatureSpec, TaskSpec

    task = TaskSpec("regression", "y", (FeatureSpec("temp", "number", "v"),))
    rows = log_rows([10.0] * 900, [None] * 900).with_columns(label=pl.Series(["12", "8.0", "10"] * 300))
    found = told(rows, Judged(1, task, None, None, {"rmse": 1.0}), Watching(drops={"rmse": 0.5}, min_rows=200))
    assert found.metrics["rmse"] == pytest.approx((8 / 3) ** 0.5, abs=1e-5)
    assert found.metrics["rmse expected"] == 1.0
