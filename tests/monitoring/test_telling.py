import pytest

from threefold.design.canvas import Watching
from threefold.monitoring.alerts import decide

WATCHING = Watching(drops={"roc_auc": 0.08}, calibration=0.1, min_rows=500)


@pytest.fixture
def first(task):
    def find(reports, cause, weights=None):
        found = decide(reports, WATCHING, task, importances={1: weights or {}})
        return next(alert for alert in found.opened if alert.cause == cause)

    return find


def test_a_calibration_is_told_with_both_numbers_the_rows_and_the_time(first, gap):
    alert = first([gap(day, -0.15) for day in range(7)], "calibration")
    assert alert.sentence.startswith("late: 5.0% was predicted on average and 20.0% came true, 15.0 points apart")
    assert "limit 10;" in alert.sentence
    assert "from 2013-01-07 to 2013-01-" in alert.sentence
    assert (alert.value, alert.limit) == (-0.15, 0.1)


def test_the_probable_cause_names_the_features_that_moved_most_by_what_hangs_on_them(first, gap, moved):
    drift = [moved("temp", 0.9), moved("carrier", 0.4), moved("wind", 0.3, drifted=False)]
    days = [gap(day, -0.2, drift=drift) for day in range(7)]
    alert = first(days, "calibration", {"temp": 0.01, "carrier": 0.5})
    assert "carrier (0.40), temp (0.90)" in alert.probable
    assert "wind" not in alert.probable


def test_values_that_went_missing_are_named_first(first, gap, moved):
    drift = [moved("temp", 0.9, before=0.02, after=0.8)]
    more = {"checks": {"missing:temp": 720}, "missing:temp__limit": 0.3}
    days = [gap(day, -0.2, drift=drift, **more) for day in range(7)]
    assert first(days, "calibration").probable.startswith("temp went missing (2% → 80%)")


def test_a_share_that_changed_itself_is_named(first, gap):
    alert = first([gap(day, -0.2, share__true__expected=0.08) for day in range(7)], "calibration")
    assert "the share itself went from 8% in training to 20%" in alert.probable


def test_where_no_input_moved_the_outcome_did(first, gap):
    assert "no input moved" in first([gap(day, -0.2) for day in range(7)], "calibration").probable


def test_every_alert_says_what_to_do(first, gap):
    assert "threefold watch --retrain" in first([gap(day, -0.2) for day in range(7)], "calibration").do
