from datetime import timedelta

import pytest

from threefold.design.canvas import Prediction, Source
from threefold.errors import DataError
from threefold.features.views import collect, view

PREDICTION = Prediction("flights", "late", at="planned")
TABLES = {
    "flights": Source("flights", "", time="planned", later={"landed": ("late",)}),
    "weather": Source("weather", "", time="seen"),
    "planes": Source("planes", ""),
}


def refused(function, prediction=PREDICTION):
    with pytest.raises(DataError) as caught:
        collect({function.__name__: function}, prediction, TABLES)
    assert "test_views.py:" in caught.value.where
    return caught.value


def test_the_three_kinds_of_views_are_told_apart():
    def schedule(flights): ...

    @view(key=["origin"], known="seen", max_age=timedelta(hours=3), age="hours")
    def there(weather): ...

    @view(key="tail")
    def aircraft(planes): ...

    of_rows, as_of, facts = collect({"schedule": schedule, "there": there, "aircraft": aircraft}, PREDICTION, TABLES)
    assert of_rows.of_rows
    assert (as_of.key, as_of.known, as_of.max_age, as_of.age) == (("origin",), "seen", timedelta(hours=3), "hours")
    assert (facts.key, facts.known) == (("tail",), None)


def test_a_project_without_views_uses_every_column():
    (only,) = collect({}, PREDICTION, TABLES)
    assert (only.name, only.function, only.table) == ("columns", None, "flights")


def test_classes_in_the_module_are_no_views():
    assert collect({"Helper": object}, PREDICTION, TABLES)[0].function is None


def test_a_parameter_that_is_no_table_is_answered_with_the_nearest():
    def schedule(flight): ...

    assert "did you mean 'flights'?" in refused(schedule).do
    assert "underscore" in refused(schedule).do


def test_a_view_of_two_tables_is_refused():
    def both(flights, weather): ...

    assert "takes 2 parameters" in refused(both).what


def test_a_view_of_another_table_needs_a_key():
    def there(weather): ...

    assert "does not say how its rows are found" in refused(there).what


def test_a_table_that_changes_needs_a_moment():
    @view(key="origin")
    def there(weather): ...

    assert "known='seen'" in refused(there).do


def test_a_moment_needs_a_time_of_prediction():
    @view(key="origin", known="seen")
    def there(weather): ...

    assert "add `at" in refused(there, Prediction("flights", "late")).do


def test_facts_that_do_not_change_have_no_age():
    @view(key="tail", age="hours")
    def aircraft(planes): ...

    assert "has an age but no moment" in refused(aircraft).what
