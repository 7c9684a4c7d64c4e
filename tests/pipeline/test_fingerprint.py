import functools
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from threefold.pipeline.fingerprint import Fingerprint, Fingerprints
from threefold.pipeline.step import Step


def own(n: int = 1) -> int:
    return n


class Counter:
    """Holds a number."""

    def __init__(self, n: int) -> None:
        self.n = n

    def __call__(self) -> int:
        return self.n

    def read(self) -> int:
        return self.n


def of(root: Path, run: Callable[..., Any], **more: Any) -> Fingerprint:
    return Fingerprints(root).of(Step("step", run, **more), {})


SAME = [
    ("a function", lambda: own, True),
    ("a partial with equal arguments", lambda: functools.partial(own, 1), True),
    ("a partial with other arguments", lambda: functools.partial(own, next(NUMBERS)), False),
    ("an object that holds the same", lambda: Counter(1), True),
    ("an object that holds something else", lambda: Counter(next(NUMBERS)), False),
    ("a method of an object that holds something else", lambda: Counter(next(NUMBERS)).read, False),
    ("a builtin", lambda: math.floor, True),
    ("a class", lambda: Counter, True),
    ("a cached function", lambda: functools.cache(own), True),
]
NUMBERS = iter(range(100))


@pytest.mark.parametrize(("name", "make", "same"), SAME, ids=[name for name, _, _ in SAME])
def test_what_is_called_counts_with_what_it_holds(
    tmp_path: Path, name: str, make: Callable[[], Any], same: bool
) -> None:
    first, second = of(tmp_path, make()), of(tmp_path, make())
    assert (first.key == second.key) is same
    assert first.doubts == second.doubts == ()


def test_each_part_moves_the_key(tmp_path: Path) -> None:
    prints = Fingerprints(tmp_path)
    keys = {
        prints.of(step, inputs).key
        for step, inputs in [
            (Step("a", own), {}),
            (Step("b", own), {}),
            (Step("a", own), {"n": "digest"}),
            (Step("a", own, params={"n": 1}), {}),
            (Step("a", own, outputs=("x",)), {}),
            (Step("a", own, observe=lambda: 1), {}),
            (Step("a", own, code=(Counter,)), {}),
        ]
    }
    assert len(keys) == 7


def test_files_and_folders_named_as_code_count_by_content(tmp_path: Path) -> None:
    (tmp_path / "sql").mkdir()
    (tmp_path / "sql" / "one.sql").write_text("select 1")
    for path in (Path("sql/one.sql"), Path("sql")):
        before = of(tmp_path, own, code=(path,)).key
        (tmp_path / "sql" / "one.sql").write_text(f"select {before}")
        assert of(tmp_path, own, code=(path,)).key != before


def test_a_long_parameter_is_kept_as_its_digest(tmp_path: Path) -> None:
    long = list(range(2000))
    parts = of(tmp_path, own, params={"n": long}).parts
    assert set(parts["params"]["n"]) == {"$digest"}
    assert of(tmp_path, own, params={"n": [*long, 1]}).key != of(tmp_path, own, params={"n": long}).key


def test_a_function_nobody_has_a_file_of_is_doubted(tmp_path: Path) -> None:
    scope: dict[str, Any] = {"__name__": "__main__"}
    exec(compile("def typed(): ...", "/tmp/notebook/cell-1.py", "exec"), scope)
    assert of(tmp_path, scope["typed"]).doubts
