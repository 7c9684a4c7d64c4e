import pytest

from threefold.design.canvas import Watching
from threefold.monitoring import rules

WATCHING = Watching(drops={"roc_auc": 0.08, "rmse": 0.5}, calibration=0.1, min_rows=500)


@pytest.mark.parametrize(
    ("metric", "now", "expected", "drop"),
    [("roc_auc", 0.7, 0.75, 0.05), ("rmse", 2.5, 2.0, 0.5), ("rmse", 1.5, 2.0, -0.5)],
)
def test_a_drop_is_positive_where_the_metric_got_worse(report, task, metric, now, expected, drop):
    told = {metric: now, f"{metric}__expected": expected, f"{metric}__error": 0.01}
    assert rules.decay_of(metric)(report(0, **told), WATCHING, task).value == pytest.approx(drop)


def test_a_metric_without_an_interval_is_not_read(report, task):
    assert rules.decay_of("roc_auc")(report(0, roc_auc=0.5, roc_auc__expected=0.75), WATCHING, task) is None


def test_the_gap_keeps_its_sign(gap, task):
    read = [rules.calibration(gap(0, size), WATCHING, task) for size in (-0.2, 0.05, 0.2)]
    assert [round(one.value, 6) for one in read] == [-0.2, 0.05, 0.2]
    assert [one.over for one in read] == [True, False, True]


@pytest.mark.parametrize("rule", rules.rules(WATCHING), ids=lambda rule: rule.cause)
def test_no_rule_pages_on_a_window_without_rows_of_a_model(report, task, rule):
    reading = rule.read(report(0, rows=10, version=0), WATCHING, task)
    assert reading is None or rule.severity == "digest"


def test_the_causes_come_before_their_consequences():
    causes = [rule.cause for rule in rules.rules(WATCHING)]
    assert causes.index("calibration") < causes.index("decay") < causes.index("prediction drift")
    assert [rule.cause for rule in rules.rules(WATCHING) if rule.severity == "digest"] == [
        "feature drift",
        "too few rows",
    ]
