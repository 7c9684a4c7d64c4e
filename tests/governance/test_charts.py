"""What the charts hold."""

from dataclasses import replace
from datetime import UTC, datetime

from threefold.governance.charts import curve_charts, drift_chart, month_charts, release_marks
from threefold.governance.story import Story


def test_there_is_a_chart_for_each_measure_and_one_for_the_cost(story: Story) -> None:
    assert [chart.id for chart in month_charts(story)] == ["roc-auc", "log-loss", "calibration-gap", "cost"]


def test_a_month_stands_at_its_middle(story: Story) -> None:
    chart = month_charts(story)[0]
    assert datetime.fromtimestamp(chart.x[0], UTC) == datetime(2013, 4, 16, tzinfo=UTC)
    assert chart.labels[0] == "Apr"


def test_the_series_hold_the_numbers_as_they_are(story: Story) -> None:
    frozen, live = month_charts(story)[0].lines
    assert (frozen.values[2], live.values[2]) == (0.758, 0.781)


def test_releases_and_rollbacks_stand_on_the_time_axis_in_order(story: Story) -> None:
    assert [mark.label for mark in release_marks(story)] == ["v1", "v2", "v4", "v5", "v6", "↩v5"]


def test_the_drift_chart_shows_the_features_that_moved_most(story: Story) -> None:
    chart = drift_chart(story)
    assert chart is not None
    assert [line.label for line in chart.lines][:2] == ["month", "temperature"]
    assert "distance" not in [line.label for line in chart.lines]


def test_digest_lines_put_no_mark_on_the_drift_chart(story: Story) -> None:
    chart = drift_chart(story)
    assert chart is not None
    assert len(chart.marks) == 5


def test_curves_of_all_candidates_share_one_axis(story: Story) -> None:
    roc = curve_charts(story.candidates)[0]
    assert [line.label for line in roc.lines] == ["linear", "boosting", "chance"]
    assert all(len(line.values) == len(roc.x) for line in roc.lines)


def test_a_long_curve_is_thinned_and_keeps_its_end(story: Story) -> None:
    long = tuple((i / 10_000, (i / 10_000) ** 0.5) for i in range(10_001))
    roc = curve_charts([replace(story.candidates[0], curves={"roc": long})])[0]
    assert len(roc.x) < 100
    assert roc.lines[0].values[-1] == 1.0


def test_an_empty_story_has_no_chart() -> None:
    empty = Story("nothing yet", datetime(2026, 1, 1, tzinfo=UTC))
    assert (month_charts(empty), curve_charts(empty.candidates), drift_chart(empty)) == ((), (), None)
