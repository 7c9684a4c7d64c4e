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
        ({"code": {"features.py: function late_rate": "a"}}, "it no longer uses constant 'LIMIT' in features.py"),
        ({"code": {**BEFORE["code"], "b.py: class C": "z"}}, "it uses class 'C' in b.py now"),
        ({"inputs": {"flights": "z"}}, "input 'flights' changed"),
        ({"inputs": {"flights": "c", "weather": "z"}}, "input 'weather' is new"),
        ({"params": {**BEFORE["params"], "seed": 8}}, "parameter 'seed' 7 -> 8"),
        ({"params": {"seed": 7}}, "parameter 'task' is gone"),
        (
            {"params": {**BEFORE["params"], "task": {"$record": "x", "name": "late", "folds": 4}}},
            "parameter 'task', folds 3 -> 4",
        ),
        ({"params": {**BEFORE["params"], "seed": {"$digest": "z"}}}, "parameter 'seed' changed"),
        ({"code": {**BEFORE["code"], "start rate": "named"}}, "it uses 'rate' now"),
        (
            {"code": {**BEFORE["code"], "c.py: function rate": "z", "start rate": "named"}},
            "it uses function 'rate' in c.py now",
        ),
        ({"code": {**BEFORE["code"], "file limits.json": "z"}}, "it uses file 'limits.json' now"),
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


def test_a_parameter_is_called_as_people_call_it() -> None:
    words = {"task": "`predict` in threefold.yaml", "champion": "the version in production"}

    def said(**params: Any) -> str:
        return differences(BEFORE, {**BEFORE, "params": {**BEFORE["params"], **params}}, VERSIONS.__getitem__, words)

    task = {"$record": "x", "name": "late", "folds": 4}
    assert said(task=task) == "`predict` in threefold.yaml, folds 3 -> 4"
    assert said(champion="abc") == "the version in production is new"
    assert said(task=None) == "`predict` in threefold.yaml is gone"
