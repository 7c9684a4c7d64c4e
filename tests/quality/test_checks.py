from __future__ import annotations

import inspect

import numpy as np
import polars as pl
import pytest

from threefold.errors import DataError, NotFound, StepFailed
from threefold.quality.checks import run_checks

AVAILABLE = {
    "y": np.array([1.0, 0.0]),
    "scores": np.array([0.9, 0.1]),
    "test": pl.DataFrame({"x": [1.0, 2.0]}),
    "training": pl.DataFrame({"x": [3.0]}),
}


def one(function, **available):
    (result,) = run_checks({function.__name__: function}, {**AVAILABLE, **available})
    return result


def test_a_check_that_holds_says_its_promise():
    def no_month_forgotten(test):
        """Every month of the year is served.

        Further lines are for the reader of the code.
        """
        return test.height == 2

    result = one(no_month_forgotten)
    assert result.passed
    assert result.gate == "check no month forgotten"
    assert result.sentence == "Every month of the year is served"
    assert result.details["n"] == 2


def test_a_check_that_does_not_hold_says_what_is_not_so():
    def same_mean(y, scores):
        """The mean score is the mean outcome."""
        return np.mean(scores) > 2 * np.mean(y)  # a NumPy boolean

    result = one(same_mean)
    assert not result.passed
    assert result.sentence == "not so: The mean score is the mean outcome"


def test_a_complaint_is_the_sentence():
    def carriers(test):
        return "carrier HA has no rows"

    result = one(carriers)
    assert not result.passed
    assert result.sentence == "carrier HA has no rows"


@pytest.mark.parametrize("calm", [None, "", True])
def test_nothing_to_complain_about_passes(calm):
    def quiet():
        return calm

    assert one(quiet).passed


def test_a_number_is_kept_for_the_limit_in_the_canvas():
    def mean_score(scores):
        return scores.mean()

    result = one(mean_score)
    assert result.passed
    assert result.value == 0.5
    assert result.details["function"] == "mean_score"


def test_a_number_that_is_not_finite_does_not_pass():
    def ratio():
        return float("nan")

    result = one(ratio)
    assert not result.passed
    assert result.value is None


def test_a_check_that_raises_stops_with_the_line_of_the_users_code():
    def divides(y):
        nothing = 0
        return y.size // nothing

    with pytest.raises(StepFailed, match="check divides raised ZeroDivisionError") as caught:
        one(divides)
    line = inspect.getsourcelines(divides)[1] + 2
    assert caught.value.where.endswith(f"test_checks.py:{line}")
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_our_own_refusals_pass_through():
    def refuses():
        raise DataError("a", "b", "c")

    with pytest.raises(DataError):
        one(refuses)


def test_a_check_cannot_ask_for_what_there_is_not_and_nothing_has_run_before_that_is_said():
    ran = []

    def first(y):
        ran.append("first")

    def second(tests):
        return True

    with pytest.raises(NotFound, match="did you mean 'test'"):
        run_checks({"first": first, "second": second}, AVAILABLE)
    assert ran == []


def test_a_parameter_with_a_default_need_not_be_there():
    def lenient(y, share=0.5, **others):
        return share == 0.5 and not others

    assert one(lenient).passed


def test_a_check_cannot_change_what_the_other_gates_judge():
    def meddles(scores):
        scores[:] = 1.0

    with pytest.raises(StepFailed, match="read-only"):
        one(meddles)
    assert AVAILABLE["scores"].tolist() == [0.9, 0.1]

    def adds(test):
        test.insert_column(0, pl.Series("z", [0, 0]))

    assert one(adds).passed
    assert AVAILABLE["test"].columns == ["x"]


def test_an_answer_that_is_no_verdict_is_refused():
    def lists():
        return {"a": 1}

    with pytest.raises(StepFailed, match="check lists returned a dict"):
        one(lists)


def test_a_class_in_checks_is_a_part_and_no_check():
    class Limits:
        pass

    def fine():
        return True

    results = run_checks({"Limits": Limits, "fine": fine}, AVAILABLE)
    assert [result.gate for result in results] == ["check fine"]
