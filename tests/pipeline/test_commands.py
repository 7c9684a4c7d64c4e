import sys
from typing import Any

import polars as pl
import pytest

from threefold.design.canvas import CommandStep
from threefold.errors import NotFound, StepFailed
from threefold.pipeline.step import Step

SCRIPT = """
import csv, sys
import helper
rows = list(csv.DictReader(open(sys.argv[1])))
with open(sys.argv[2], "w") as out:
    out.write("late\\n")
    for row in rows:
        out.write(f"{helper.late(float(row['delay']))}\\n")
"""


@pytest.fixture
def flights(project: Any) -> Any:
    project.write("prepare.py", SCRIPT)
    project.write("helper.py", "def late(delay):\n    return int(delay > 15)\n\ndef spare():\n    return 0\n")
    project.write("flights.csv", "delay\n10\n20\n")
    return project


def prepare(**changes: Any) -> Step:
    command = CommandStep(
        **{
            "name": "prepare",
            "run": f"{sys.executable} prepare.py {{flights.csv}} {{rows.csv}}",
            "inputs": ("flights.csv",),
            "outputs": ("rows.csv",),
            "table": "rows: rows.csv",
            **changes,
        }
    )
    return Step("prepare", command)


def said(outcome: Any) -> list[tuple[str, str]]:
    return [(one.status, one.reason) for one in outcome.executions]


def test_a_command_makes_a_file_and_a_table(flights: Any) -> None:
    outcome = flights.run([prepare()])
    assert outcome.value("prepare.rows.csv") == b"late\n0\n1\n"
    assert outcome.value("prepare.rows").equals(pl.DataFrame({"late": [0, 1]}))
    assert list((flights.store.root / "tmp").iterdir()) == []


@pytest.mark.parametrize(
    ("file", "old", "new", "reason"),
    [
        ("flights.csv", "20", "15", "file 'flights.csv' changed"),
        ("helper.py", "> 15", "> 30", "function 'late' in helper.py changed"),
        ("helper.py", "return 0", "return 1", None),
        ("prepare.py", "late\\n", "late2\\n", "file 'prepare.py' changed"),
    ],
)
def test_a_command_runs_again_when_a_file_or_the_code_it_starts_changed(
    flights: Any, file: str, old: str, new: str, reason: str | None
) -> None:
    flights.run([prepare()])
    assert said(flights.run([prepare()])) == [("reused", "nothing it depends on changed")]
    flights.edit(file, old, new)
    status, why = said(flights.run([prepare()]))[0]
    if reason is None:
        assert status == "reused"
    else:
        assert (status, reason in why) == ("ran", True)


def test_another_command_line_is_a_change(flights: Any) -> None:
    flights.run([prepare()])
    again = flights.run([prepare(run=f"{sys.executable}  prepare.py {{flights.csv}} {{rows.csv}}")])
    assert said(again) == [("ran", "its command line changed")]


def test_a_table_of_another_step_is_written_for_the_command(flights: Any) -> None:
    table = Step("table", lambda: pl.DataFrame({"delay": [99, 1]}))
    step = prepare(inputs=("flights",))
    joined = Step("prepare", step.run, inputs={"flights": "table"})
    assert flights.run([table, joined]).value("prepare.rows")["late"].to_list() == [1, 0]
    flights.write("flights.csv", "no matter")
    assert said(flights.run([table, joined]))[1][0] == "reused"


def test_parquet_is_handed_over_where_the_command_asks_for_it(flights: Any) -> None:
    command = CommandStep(
        "copy", "cp {table} {copy.parquet}", ("table",), ("copy.parquet",), table="copy: copy.parquet"
    )
    steps = [Step("table", lambda: pl.DataFrame({"n": [1]})), Step("copy", command, inputs={"table": "table"})]
    assert flights.run(steps).value("copy.copy")["n"].to_list() == [1]


def test_a_command_that_fails_is_answered_with_its_last_words(flights: Any) -> None:
    with pytest.raises(StepFailed) as error:
        flights.run([prepare(run="echo first; echo no such column: delay >&2; exit 3")])
    assert error.value.what.startswith("step 'prepare' failed: the command returned 3")
    assert error.value.what.endswith("no such column: delay")
    assert list((flights.store.root / "tmp").iterdir()) == []


def test_an_output_that_was_not_written_is_missed(flights: Any) -> None:
    with pytest.raises(StepFailed) as error:
        flights.run([prepare(run="true")])
    assert error.value.what == "step 'prepare' did not write rows.csv"


def test_a_misspelt_placeholder_is_answered_with_the_nearest(flights: Any) -> None:
    with pytest.raises(NotFound) as error:
        flights.run([prepare(run="cat {flihgts.csv} > {rows.csv}")])
    assert error.value.do == "did you mean 'flights.csv'?"


def test_braces_that_name_nothing_stay(flights: Any) -> None:
    outcome = flights.run(
        [prepare(run="awk '{print $1}' {flights.csv} > {rows.csv}; x=1; echo ${x} {{x}} >> {rows.csv}")]
    )
    assert outcome.value("prepare.rows.csv") == b"delay\n10\n20\n1 {x}\n"


def test_a_declared_input_that_is_missing_is_answered(flights: Any) -> None:
    with pytest.raises(NotFound) as error:
        flights.run([prepare(inputs=("gone.csv",))])
    assert "input 'gone.csv' of step 'prepare'" in error.value.what


def test_files_named_under_code_count(flights: Any) -> None:
    flights.write("sql/one.sql", "select 1")
    flights.run([prepare(code=("sql/*.sql",))])
    flights.write("sql/one.sql", "select 2")
    assert said(flights.run([prepare(code=("sql/*.sql",))])) == [("ran", "file 'sql/one.sql' changed")]
