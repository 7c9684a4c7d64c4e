"""Files that code reads without declaring them: they count from the run that was seen to read them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from threefold.design.frozen import Imported
from threefold.pipeline.engine import plan
from threefold.pipeline.step import Step

CODE = """
import functools
import json
from pathlib import Path

HERE = Path(__file__).parent

def limit():
    return json.loads((HERE / "limits.json").read_text())["limit"]

@functools.cache
def kept_limit():
    return limit()

def first(n):
    return n + kept_limit()

def second(n):
    return n * kept_limit()

def tries(n):
    try:
        return n + int((HERE / "lookup.txt").read_text())
    except FileNotFoundError:
        return n

def makes(n):
    (HERE / "made.txt").write_text(str(n))
    return int((HERE / "made.txt").read_text())

def disturbs(n):
    text = (HERE / "limits.json").read_text()
    (HERE / "other.txt").write_text(text)
    (HERE / "other.txt").rename(HERE / "limits.json")
    return text

def chooses(n):
    return (HERE / (HERE / "which.txt").read_text()).read_text()
"""


@pytest.fixture
def rules(project: Any) -> Any:
    project.write("rules.py", CODE)
    project.write("limits.json", '{"limit": 2}')
    return project


def step(project: Any, name: str, n: int = 1) -> Step:
    return Step(name, getattr(project.module("rules"), name), params={"n": n})


def run(project: Any, name: str, n: int = 1) -> Any:
    return project.run([step(project, name, n)]).executions[0]


def test_a_file_that_a_step_was_seen_to_read_counts_from_then_on(rules: Any) -> None:
    first = run(rules, "first")
    assert first.note == "it reads limits.json without declaring it: from now on that counts"
    again = run(rules, "first")
    assert (again.status, again.note) == ("reused", "")
    rules.edit("limits.json", "2", "3")
    changed = run(rules, "first")
    assert (changed.status, changed.reason) == ("ran", "file 'limits.json', which it reads, changed")
    assert changed.note == ""
    rules.edit("limits.json", "3", "2")
    assert run(rules, "first").status == "reused"


def test_a_plan_says_which_undeclared_files_were_counted(rules: Any) -> None:
    run(rules, "first")
    decision = plan(rules.store, [step(rules, "first")], root=rules.root)[0]
    assert decision.reason == "nothing it depends on changed (it reads limits.json undeclared: counted too)"
    rules.edit("limits.json", "2", "3")
    assert plan(rules.store, [step(rules, "first")], root=rules.root)[0].action == "run"


def test_what_one_step_has_read_and_a_function_kept_counts_for_the_next(rules: Any) -> None:
    imported = Imported({file: file.read_bytes() for file in rules.root.glob("*.py")})

    def both() -> list[str]:
        code = rules.module("rules")
        steps = [Step("first", code.first, params={"n": 1}), Step("second", code.second, params={"n": 1})]
        return [one.status for one in rules.run(steps, imported=imported).executions]

    assert both() == ["ran", "ran"]
    imported = Imported(imported.sources)
    assert both() == ["reused", "reused"]
    rules.edit("limits.json", "2", "3")
    assert both() == ["ran", "ran"]


def test_a_file_that_was_looked_for_in_vain_counts_when_it_comes(rules: Any) -> None:
    run(rules, "tries")
    assert run(rules, "tries").status == "reused"
    rules.write("lookup.txt", "5")
    assert run(rules, "tries").status == "ran"
    assert run(rules, "tries").status == "reused"


def test_what_a_step_writes_itself_is_not_its_input(rules: Any) -> None:
    assert run(rules, "makes").note == ""
    assert run(rules, "makes").status == "reused"


def test_a_step_whose_undeclared_file_changed_while_it_ran_is_not_reused(rules: Any) -> None:
    assert run(rules, "disturbs").note == "limits.json changed while it ran, so it runs again the next time"
    assert run(rules, "disturbs").status == "ran"


def test_another_file_by_another_road_is_another_result(rules: Any) -> None:
    for name in ("a", "b"):
        rules.write(name, name)
    for name in ("a", "b"):
        rules.write("which.txt", name)
        assert rules.run([step(rules, "chooses")]).value("chooses") == name
    rules.write("which.txt", "a")
    assert run(rules, "chooses").status == "reused"
    rules.write("a", "other")
    assert run(rules, "chooses").status == "ran"


def test_a_table_that_is_watched_from_outside_is_not_told_twice(rules: Any, tmp_path: Path) -> None:
    code = rules.module("rules")
    watched = Step("first", code.first, params={"n": 1}, observe=lambda: 1)
    assert rules.run([watched]).executions[0].note == ""


POLARS = """
from pathlib import Path
import polars as pl

LOOKUP = Path(__file__).parent / "lookup.csv"

def joined(n):
    pl.DataFrame({"n": [n]}).write_csv(Path(__file__).parent / "written.csv")
    return pl.read_csv(LOOKUP)["n"].sum() + n

def named(n):
    return f"{n} lookup.csv"
"""


def test_a_file_that_is_named_where_polars_reads_counts_without_being_heard(project: Any) -> None:
    project.write("rules.py", POLARS)
    project.write("lookup.csv", "n\n1\n")
    assert run(project, "joined").status == "ran"
    assert run(project, "joined").status == "reused"
    assert run(project, "named").status == "ran"
    project.write("lookup.csv", "n\n2\n")
    again = run(project, "joined")
    assert (again.status, again.reason) == ("ran", "file 'lookup.csv' changed")
    assert run(project, "named").status == "reused"
