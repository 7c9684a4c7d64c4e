from datetime import date, datetime, timedelta

import polars as pl
import pytest

from threefold.design.canvas import Prediction, Source
from threefold.errors import DataError, StepFailed
from threefold.features import building
from threefold.features.views import View, collect, view


def miles(flights):
    return flights.select("miles", "origin", far=pl.col("miles") > 150)


@view(key="origin", known="seen")
def there(weather):
    return weather


@view(key="tail")
def aircraft(planes):
    return planes


# --------------------------------------------------------------------------------------------------- what comes out


def test_ids_and_moments_stand_before_the_features(project):
    frame = project.build(miles)
    assert frame.columns == ["_id", "_at", "miles", "origin", "far"]
    assert frame["_id"].to_list() == ["A", "B", "C"]
    assert frame["_at"][0] == datetime(2013, 1, 1, 6)


def test_numbers_are_float32_and_categories_are_text(project):
    frame = project.build(miles)
    assert frame.select("miles", "origin", "far").dtypes == [pl.Float32, pl.String, pl.Float32]
    assert frame["far"].to_list() == [0.0, 1.0, 1.0]


def test_infinite_and_undefined_numbers_are_missing(project):
    def ratio(flights):
        return flights.select(ratio=pl.col("miles") / (pl.col("miles") - 100), root=(100.5 - pl.col("miles")).sqrt())

    frame = project.build(ratio)
    assert frame["ratio"].to_list() == [None, 2.0, 1.5]
    assert frame["root"].to_list()[1:] == [None, None]


def test_a_view_gives_what_was_known_when_the_prediction_is_made(project):
    assert project.build(there)["temp"].to_list() == [4.0, 8.0, 1.0]  # at 4, 8 and 12 o'clock


def test_facts_are_joined_whatever_the_time_and_null_where_missing(project):
    assert project.build(aircraft)["seats"].to_list() == [55.0, 55.0, None]


def test_rows_may_come_in_any_order_and_one_by_one(project):
    together = project.build(miles, there, aircraft)
    flights = project.tables["flights"]
    backwards = project.build(miles, there, aircraft, rows=flights.reverse())
    assert backwards.equals(together.reverse())
    for row in range(3):
        assert project.build(miles, there, aircraft, rows=flights[row]).equals(together[row])


def test_a_request_without_labels_gets_the_same_features(project):
    asked = project.tables["flights"].drop("left", "delay", "landed", "late")
    assert project.build(miles, there, rows=asked).equals(project.build(miles, there))


def test_the_label_stands_beside_the_features_and_rows_without_one_are_dropped(project):
    rows = project.tables["flights"].with_columns(late=pl.Series([1, None, 0]))
    frame = project.training(miles, rows=rows)
    assert frame["_id"].to_list() == ["A", "C"]
    assert frame["_target"].to_list() == [1, 0]


def test_every_feature_knows_its_kind_and_its_view(project):
    frame = project.training(miles, there)
    views = project.views(miles, there)
    found = {spec.name: (spec.kind, spec.view, spec.source) for spec in building.specs(frame, views)}
    assert found["miles"] == ("number", "miles", "flights")
    assert found["origin"] == ("category", "miles", "flights")
    assert found["temp"] == ("number", "", "")  # the view returns the table as it is: its source names no column


def test_without_views_every_permitted_column_is_a_feature():
    rows = pl.DataFrame(
        {
            "number": [7, 8], "day": [date(2013, 3, 5), date(2013, 4, 6)], "price": [1.0, 2.0], "colour": ["r", "g"],
            "secret": [1, 2], "churned": [True, False], "left": [date(2013, 5, 5), None],
        }
    )  # fmt: skip
    prediction = Prediction("customers", "churned", id="number", leave_out=("secret",))
    sources = {"customers": Source("customers", "", later={"left": ("churned",)})}
    frame = building.build(collect({}, prediction, sources), {}, rows, prediction, sources)
    assert frame.columns == ["_id", "_at", "day_month", "day_weekday", "price", "colour"]
    assert frame["_id"].to_list() == ["7", "8"]
    assert frame["_at"].null_count() == 2


# --------------------------------------------------------------------------------------------------------- refusals


def test_a_target_that_is_absent_is_answered_with_the_nearest(project):
    with pytest.raises(DataError, match="the target 'late' is not in table 'flights'") as caught:
        project.training(miles, rows=project.tables["flights"].rename({"late": "lat"}))
    assert "did you mean 'lat'?" in caught.value.do


def test_a_target_that_is_nowhere_filled_is_refused(project):
    with pytest.raises(DataError, match="no row of table 'flights' has a value of the target"):
        project.training(miles, rows=project.tables["flights"].with_columns(late=pl.lit(None, pl.Int64)))


def test_a_feature_without_any_value_is_refused(project):
    def nothing(flights):
        return flights.select(void=pl.when(pl.col("miles") < 0).then("miles"))

    with pytest.raises(DataError, match="feature 'void' has no value in any of 3 rows"):
        project.training(miles, nothing)


def test_an_empty_column_without_views_is_to_be_left_out(project):
    with pytest.raises(DataError, match="`leave out`"):
        project.training(rows=project.tables["flights"].with_columns(void=pl.lit(None, pl.String)))


def test_a_label_known_before_its_prediction_is_refused(project):
    early = project.tables["flights"].with_columns(landed=pl.col("planned") - timedelta(hours=3))
    with pytest.raises(DataError, match="know their label 'late' before the prediction is made"):
        project.training(miles, rows=early)


def test_a_view_that_raises_is_answered_with_its_line(project):
    def broken(flights):
        return {}["nothing"]

    with pytest.raises(StepFailed, match="view 'broken' raised KeyError") as caught:
        project.build(broken)
    assert caught.value.where.endswith(f"test_building.py:{broken.__code__.co_firstlineno + 1}")


def test_a_view_that_returns_no_table_is_refused(project):
    def column(flights):
        return flights["miles"]

    with pytest.raises(StepFailed, match="returned a Series, not a table"):
        project.build(column)


def test_a_view_of_the_row_that_drops_rows_is_refused(project):
    def some(flights):
        return flights.filter(pl.col("miles") > 150).select("miles")

    with pytest.raises(StepFailed, match="returned 2 rows for 3 rows"):
        project.build(some)


def test_a_column_that_does_not_exist_is_answered_with_the_nearest(project):
    def typo(flights):
        return flights.select("mile")

    with pytest.raises(StepFailed, match="reads column 'mile', which table 'flights' does not have") as caught:
        project.build(typo)
    assert "did you mean 'miles'?" in caught.value.do


def test_a_time_is_no_feature(project):
    def when(flights):
        return flights.select("planned")

    with pytest.raises(DataError, match="feature 'planned' is a Datetime"):
        project.build(when)


def test_two_views_may_not_make_the_same_feature(project):
    def again(flights):
        return flights.select("miles")

    with pytest.raises(DataError, match="'miles' and 'again' both make a feature 'miles'"):
        project.build(miles, again)


def test_no_feature_at_all_is_refused(project):
    def none(flights):
        return flights.select()

    with pytest.raises(StepFailed, match="view 'none' returned no column"):
        project.training(none)


def test_a_value_beyond_a_models_numbers_is_refused_and_not_taken_for_missing():
    with pytest.raises(DataError, match=r"'big' holds 1e\+300, and a model's numbers end at 3\.4e38"):
        building.as_feature(pl.Series("big", [1.0, 1e300]), View("columns", None, "orders"))
