from typing import Any

import pytest

from threefold.pipeline.reasons import MOST, differences

BEFORE: dict[str, Any] = {
    "format": 1,
    "code": {"features.py: function late_rate": "a", "features.py: constant LIMIT": "b"},
    "inputs": {"flights": "c"},
    "params": {"seed": 7, "task": {"$record": "x", "name": "late", "folds": 3}},
    "environment": "old",
}
VERSIONS = {"old": {"python": "3.11", "polars": "2.0", "threefold": "0.1.0 source aa"}, "new": {"python": "3.11"}}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            {"code": {**BEFORE["code"], "features.py: function late_rate": "z"}},
            "function 'late_rate' in features.py changed",
        ),
        ({"code": {"features.py: function late_rate": "a"}}, "constant 'LIMIT' in features.py is gone from it"),
        ({"code": {**BEFORE["code"], "b.py: class C": "z"}}, "class 'C' in b.py is new to it"),
        ({"inputs": {"flights": "z"}}, "input 'flights' changed"),
        ({"inputs": {"flights": "c", "weather": "z"}}, "input 'weather' is new"),
        ({"params": {**BEFORE["params"], "seed": 8}}, "parameter 'seed' 7 -> 8"),
        ({"params": {"seed": 7}}, "parameter 'task' is gone"),
        (
            {"params": {**BEFORE["params"], "task": {"$record": "x", "name": "late", "folds": 4}}},
            "parameter 'task', folds 3 -> 4",
        ),
        ({"params": {**BEFORE["params"], "seed": {"$digest": "z"}}}, "parameter 'seed' changed"),
        ({"observed": {"rows": 1}}, "what it reads from outside changed"),
        ({"format": 2}, "a newer Threefold makes its keys in another way"),
    ],
)
def test_the_part_that_moved_is_named(change: dict[str, Any], sentence: str) -> None:
    assert differences(BEFORE, {**BEFORE, **change}, VERSIONS.__getitem__) == sentence


def test_versions_are_told_with_both_ends() -> None:
    versions = {"old": VERSIONS["old"], "new": {**VERSIONS["old"], "polars": "2.1"}}
    assert differences(BEFORE, {**BEFORE, "environment": "new"}, versions.__getitem__) == "polars 2.0 -> 2.1"


def test_an_edited_threefold_is_told_as_such() -> None:
    versions = {"old": VERSIONS["old"], "new": {**VERSIONS["old"], "threefold": "0.1.0 source bb"}}
    said = differences(BEFORE, {**BEFORE, "environment": "new"}, versions.__getitem__)
    assert said == "the source of threefold changed"


def test_many_differences_are_counted() -> None:
    after = {**BEFORE, "inputs": {f"t{n}": "x" for n in range(9)}}
    said = differences(BEFORE, after, VERSIONS.__getitem__)
    assert said.count(";") == MOST
    assert said.endswith("and 6 more")
