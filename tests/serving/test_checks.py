import numpy as np
import pytest

from threefold.records import ColumnRule, Contract, TaskSpec
from threefold.serving.checks import InputChecks, OutputChecks
from threefold.serving.journal import Columns

CONTRACT = Contract(
    "rows",
    (
        ColumnRule("temp", "number", 0.0, -10.0, 10.0),
        ColumnRule("wind", "number", 0.1, 0.0, None),
        ColumnRule("carrier", "category", 0.0, values=("AA",)),
        ColumnRule("tail", "category", 0.2, values=("N1",), max_unseen_share=0.1),
    ),
)
CHECKS = InputChecks(CONTRACT, Columns(("temp", "wind"), ("carrier", "tail")))


@pytest.mark.parametrize(
    ("row", "failed"),
    [
        ((0.0, 1e9, "AA", "N1"), []),
        ((10.0, 0.0, "AA", "N9"), []),  # training met new tails all the time
        ((10.1, -0.1, "AA", "N1"), ["input:range:temp", "input:range:wind"]),
        ((np.nan, np.nan, "AA", ""), ["input:null:temp"]),
        ((0.0, 1.0, "", "N1"), ["input:null:carrier"]),
        ((0.0, 1.0, "UA", "N1"), ["input:values:carrier"]),
    ],
)
def test_a_row_is_flagged_for_each_promise_it_breaks(row, failed):
    numbers = np.array([[0.0, row[0]], [1.0, row[1]]], np.float32)
    assert CHECKS.flags(numbers, [["AA", row[2]], ["N1", row[3]]]) == ([[], failed] if failed else None)
    assert CHECKS.flags(numbers[:, 1:], [[row[2]], [row[3]]]) == ([failed] if failed else None)  # and alone


def test_a_feature_without_a_rule_is_not_checked():
    checks = InputChecks(Contract("rows", ()), Columns(("temp",), ("carrier",)))
    assert checks.flags(np.array([[1e30]], np.float32), [["anything"]]) is None


@pytest.mark.parametrize(
    ("problem", "scores", "failed"),
    [
        ("binary", [[0.0], [1.0000001]], {}),
        ("binary", [[np.nan], [0.5]], {0: "output:not finite"}),
        ("binary", [[0.5], [1.2]], {1: "output:range"}),
        ("binary", [[np.inf]], {0: "output:not finite"}),
        ("multiclass", [[0.2, 0.3, 0.5]], {}),
        ("multiclass", [[0.2, 0.3, 0.5], [0.2, 0.2, 0.2]], {1: "output:sum"}),
        ("multiclass", [[1.2, -0.2, 0.0]], {0: "output:range"}),
        ("regression", [[-1e9], [3.0]], {}),
        ("regression", [[3.0], [-np.inf]], {1: "output:not finite"}),
    ],
)
def test_a_score_that_cannot_be_is_found(problem, scores, failed):
    classes = ("a", "b", "c") if problem == "multiclass" else ()
    assert OutputChecks(TaskSpec(problem, "y", (), classes)).flags(np.array(scores)) == failed
