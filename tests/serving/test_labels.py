import pytest

from threefold.records import TaskSpec
from threefold.serving.labels import Outcomes, told

BINARY = TaskSpec("binary", "late", (), ("false", "true"), "true")
GRADES = TaskSpec("multiclass", "grade", (), ("1", "2", "3"))
VALUE = TaskSpec("regression", "price", ())


@pytest.mark.parametrize(
    ("task", "value", "fits"),
    [
        (BINARY, "True", True),
        (BINARY, "1", True),
        (BINARY, "2", False),
        (BINARY, "", False),
        (GRADES, "3.0", True),
        (GRADES, "4", False),
        (VALUE, "-3.5e2", True),
        (VALUE, "banana", False),
        (VALUE, "nan", False),
        (VALUE, "inf", False),
    ],
)
def test_a_label_fits_as_training_would_read_it(task, value, fits):
    understood, refused = Outcomes([task]).sorted([("a", value, None)])
    assert (len(understood), len(refused)) == ((1, 0) if fits else (0, 1))


def test_the_classes_of_every_loaded_version_are_outcomes():
    understood, _ = Outcomes([BINARY, GRADES]).sorted([("a", "true", None), ("b", "2", None)])
    assert len(understood) == 2


def test_a_regression_asks_for_numbers():
    _, refused = Outcomes([VALUE]).sorted([("a", "banana", None)])
    assert refused == [{"id": "a", "error": "'banana' is no number"}]


def test_an_answer_without_refusals_is_one_number():
    assert told(3, []) == {"accepted": 3}
