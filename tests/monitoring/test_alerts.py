from dataclasses import replace
from datetime import timedelta

import pytest

from threefold.design.canvas import Watching
from threefold.monitoring.alerts import decide

WATCHING = Watching(drops={"roc_auc": 0.08, "log_loss": 0.1}, calibration=0.1, min_rows=500)
WEEKLY = replace(WATCHING, window=timedelta(days=7))


@pytest.fixture
def told(task):
    """What one walk over some reports opens and closes: causes, or causes with the start of their last window."""

    def walk(reports, watching=WATCHING, **more):
        return decide(reports, watching, task, **more)

    return walk


def causes(alerts):
    return [alert.cause for alert in alerts]


def auc(report, day, value, **more):
    return report(day, roc_auc=value, roc_auc__expected=0.75, roc_auc__error=0.02, **more)


def test_calm_windows_say_nothing(told, gap):
    assert told([gap(day, 0.01) for day in range(30)]).opened == ()


def test_a_gap_that_persists_pages_once(told, gap):
    found = told([gap(day, -0.2) for day in range(60)])
    assert causes(found.opened) == ["calibration"]
    assert found.open == found.opened
    assert found.closed == ()


@pytest.mark.parametrize("days", [1, 2])
def test_a_storm_pages_nobody(told, gap, days):
    assert told([gap(day, -0.25 if 10 <= day < 10 + days else 0.01, error=0.03) for day in range(30)]).opened == ()


def test_bad_days_on_both_sides_are_no_bias(told, gap):
    assert told([gap(day, 0.15 if day % 2 else -0.15, error=0.03) for day in range(30)]).opened == ()


def test_a_gap_over_the_limit_that_may_be_chance_pages_nobody(told, gap):
    assert told([gap(day, -0.12, error=0.25) for day in range(30)]).opened == ()


def test_an_alert_closes_after_a_calm_week_and_may_open_again(told, gap):
    found = told([gap(day, -0.2 if day < 12 or day > 40 else 0.0) for day in range(60)])
    assert causes(found.opened) == ["calibration", "calibration"]
    assert [(one.alert.cause, one.reason) for one in found.closed] == [("calibration", "calm for 3 windows")]
    assert len(found.open) == 1


def test_weekly_windows_need_two_of_three(told, gap):
    weeks = [gap(7 * week, size, days=7) for week, size in enumerate((0.0, -0.3, 0.0, 0.0, -0.2, -0.2, -0.2))]
    assert told(weeks[:4], WEEKLY).opened == ()
    assert causes(told(weeks, WEEKLY).opened) == ["calibration"]


def test_decay_is_a_drop_and_never_a_gain(told, report):
    assert told([auc(report, day, 0.95) for day in range(30)]).opened == ()
    found = told([auc(report, day, 0.62) for day in range(30)])
    assert causes(found.opened) == ["decay"]
    assert "roc_auc is 0.620" in found.opened[0].sentence


def test_a_model_that_answers_upside_down_is_not_given_a_week(told, report):
    sound, inverted = [auc(report, day, 0.75) for day in range(10)], [auc(report, day, 0.25) for day in range(10, 13)]
    (alert,) = told(sound + inverted).opened
    assert alert.window_end <= inverted[2].end


def test_a_loss_that_falls_with_the_calibration_is_the_same_cause(told, gap):
    worse = {"log_loss": 0.7, "log_loss__expected": 0.45, "log_loss__error": 0.02}
    assert causes(told([gap(day, -0.2, **worse) for day in range(30)]).opened) == ["calibration"]


def test_the_loss_pages_where_the_calibration_holds(told, gap):
    worse = {"log_loss": 0.7, "log_loss__expected": 0.45, "log_loss__error": 0.02}
    assert causes(told([gap(day, 0.01, **worse) for day in range(30)]).opened) == ["decay"]


def test_two_causes_at_once_make_one_page_a_week(told, gap):
    worse = {"roc_auc": 0.55, "roc_auc__expected": 0.75, "roc_auc__error": 0.02}
    found = told([gap(day, -0.2, **worse) for day in range(30)])
    assert causes(found.opened) == ["calibration", "decay"]
    assert found.opened[1].window_end >= found.opened[0].window_end
    ends = [alert.window_end[:10] for alert in found.opened]
    assert int(ends[1][-2:]) - int(ends[0][-2:]) == 7


def test_features_that_move_are_one_digest_for_as_long_as_they_do(told, gap, moved):
    found = told([gap(day, 0.0, drift=[moved("temp", 0.9), moved("wind", 0.1, drifted=False)]) for day in range(200)])
    assert [(alert.cause, alert.severity) for alert in found.opened] == [("feature drift", "digest")]
    assert "temp (0.90)" in found.opened[0].sentence
    assert "wind" not in found.opened[0].sentence


def test_predictions_that_move_page_only_while_no_label_can_vouch_for_them(told, gap, report, moved):
    drift = [moved("the prediction", 0.6)]
    blind = told([report(day, labelled=0, drift=drift) for day in range(5)])
    assert "prediction drift" in causes(blind.opened)
    vouched = told([gap(day, 0.0, drift=drift) for day in range(5)])
    assert "prediction drift" not in causes(vouched.opened)


def test_labels_that_come_later_and_vouch_close_it(told, gap, report, moved):
    drift = [moved("the prediction", 0.6)]
    blind = [report(day, labelled=0, drift=drift) for day in range(14)]
    before = told(blind)
    after = [gap(day, 0.0, drift=drift) for day in range(14)]
    later = told(
        [*after, gap(14, 0.0, drift=drift)], open_alerts=before.open, recent=before.opened,
        before={**{one.start: one for one in blind}, gap(14, 0.0).start: None},
    )  # fmt: skip
    assert "prediction drift" in [one.alert.cause for one in later.closed]


def test_a_window_counts_for_quality_when_four_fifths_of_its_labels_are_in(told, gap):
    assert told([gap(day, -0.3, labelled=700) for day in range(20)]).opened == ()
    assert causes(told([gap(day, -0.3, labelled=730) for day in range(20)]).opened) == ["calibration"]


def test_labels_of_many_windows_at_once_still_open_the_alert(told, report, gap):
    blind = [report(day, labelled=0) for day in range(12)]
    full = [gap(day, -0.2) for day in range(12)]
    found = told(full, before={one.start: one for one in blind})
    assert causes(found.opened) == ["calibration"]


def test_the_same_windows_again_change_nothing(told, gap):
    reports = [gap(day, -0.2) for day in range(20)]
    first = told(reports)
    again = told(reports, open_alerts=first.open, recent=first.opened, before={one.start: one for one in reports})
    assert (again.opened, again.closed, again.open) == ((), (), first.open)


def test_day_by_day_and_all_at_once_tell_the_same(told, gap):
    sizes = [-0.2 if 10 <= day < 30 or day >= 50 else 0.02 for day in range(70)]
    reports = [gap(day, size) for day, size in enumerate(sizes)]
    open_, recent, opened, closed = (), (), [], []
    for end in range(1, len(reports) + 1):
        seen = reports[max(0, end - 25) : end]
        found = told(seen, open_alerts=open_, recent=recent, before={seen[-1].start: None})
        open_, recent = found.open, (*recent, *found.opened)
        opened += found.opened
        closed += found.closed
    whole = told(reports)
    assert [one.window_end for one in opened] == [one.window_end for one in whole.opened]
    assert [one.window_end for one in closed] == [one.window_end for one in whole.closed]


def test_another_version_closes_what_was_said_of_the_last_and_starts_afresh(told, gap):
    old, new = [gap(day, -0.2) for day in range(10)], [gap(day, 0.0, version=2) for day in range(10, 12)]
    found = told(old + new)
    assert [one.reason for one in found.closed] == ["version 2 answers instead of version 1"]
    assert found.open == ()


def test_a_new_version_that_is_as_bad_is_called_again(told, gap):
    found = told([gap(day, -0.2, version=1 if day < 15 else 2) for day in range(30)])
    assert causes(found.opened) == ["calibration", "calibration"]


def test_an_outage_pages_beside_what_is_already_open(told, gap):
    reports = [gap(day, -0.2) for day in range(8)]
    reports += [gap(day, -0.2, checks={"fallback": 600}) for day in range(8, 11)]
    assert causes(told(reports).opened) == ["calibration", "unanswered"]


def test_an_outage_of_a_model_that_somebody_stopped_is_none(told, report):
    assert told([report(day, version=0, checks={"stopped": 900}) for day in range(10)]).opened == ()


def test_a_source_that_stops_pages_by_its_name(told, report, moved):
    gone = moved("pressure", 0.7, before=0.1, after=1.0)
    days = [
        report(day, drift=[gone], checks={"missing:pressure": 900}, **{"missing:pressure__limit": 0.33})
        for day in range(5)
    ]
    alert = next(one for one in told(days).opened if one.cause == "input checks")
    assert (alert.severity, alert.value, alert.limit) == ("page", 1.0, 0.33)
    assert "pressure lacks its value in 100% of the rows, 10% in training" in alert.sentence


def test_windows_that_are_too_small_are_said_once_and_judged_never(told, gap):
    found = told([gap(day, -0.4, rows=60) for day in range(30)])
    assert [(alert.cause, alert.severity) for alert in found.opened] == [("too few rows", "digest")]
    assert "60 rows" in found.opened[0].sentence


def test_without_a_limit_for_the_calibration_nobody_is_told_of_it(told, gap):
    assert told([gap(day, -0.4) for day in range(30)], replace(WATCHING, calibration=None)).opened == ()
