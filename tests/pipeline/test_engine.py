"""Runs, plans and results, with a real store and real edits."""

import importlib
from typing import Any

import polars as pl
import pytest
from sqlalchemy import func, select

from threefold.design.frozen import Imported
from threefold.errors import Conflict, NotFound, Refused, StepFailed, StoreError, ThreefoldError
from threefold.pipeline import runs
from threefold.pipeline.engine import plan
from threefold.pipeline.step import Step
from threefold.records import Gate
from threefold.store import schema
from threefold.store.events import read, verify

CODE = """
import polars as pl

CALLS = []

def flights():
    CALLS.append("flights")
    return pl.DataFrame({"delay": [1, 20, 30], "carrier": ["AA", "AA", "UA"]})

def late(flights, limit):
    CALLS.append("late")
    return flights.filter(pl.col("delay") > limit)

def summary(late):
    CALLS.append("summary")
    return {"rows": late.height, "carriers": sorted(set(late["carrier"]))}

def fails(late):
    missing = {}
    return missing["row"]
"""


def graph(project: Any, limit: int = 15) -> list[Step]:
    project.write("steps.py", CODE)
    code = project.module("steps")
    return [
        Step("flights", code.flights, stage="data"),
        Step("late", code.late, inputs={"flights": "flights"}, params={"limit": limit}, stage="features"),
        Step("summary", code.summary, inputs={"late": "late"}, outputs=("rows", "carriers"), stage="train"),
    ]


def said(outcome: Any) -> list[tuple[str, str, str]]:
    return [(one.step, one.status, one.reason) for one in outcome.executions]


def test_the_first_run_executes_every_step_in_order(project: Any) -> None:
    outcome = project.run(graph(project))
    assert outcome.status == "done"
    assert said(outcome) == [(name, "ran", "it never ran") for name in ("flights", "late", "summary")]
    assert outcome.value("summary.rows") == 2
    assert outcome.value("summary.carriers") == ["AA", "UA"]
    assert outcome.value("late").equals(pl.DataFrame({"delay": [20, 30], "carrier": ["AA", "UA"]}))


def test_an_unchanged_run_executes_nothing_and_gives_the_same(project: Any) -> None:
    first = project.run(graph(project))
    steps = graph(project)
    again = project.run(steps)
    assert {status for _, status, _ in said(again)} == {"reused"}
    assert again.digest("late") == first.digest("late")
    assert again.value("summary.rows") == 2
    assert project.module("steps").CALLS == []


def test_a_parameter_that_moved_is_named_with_both_values(project: Any) -> None:
    project.run(graph(project, limit=15))
    assert said(project.run(graph(project, limit=25))) == [
        ("flights", "reused", "nothing it depends on changed"),
        ("late", "ran", "parameter 'limit' 15 -> 25"),
        ("summary", "ran", "input 'late' changed"),
    ]


def test_the_field_of_a_record_that_moved_is_named(project: Any) -> None:
    def step(limit: float) -> list[Step]:
        return [Step("gate", str, params={"object": Gate("auc", "auc", ">=", limit)})]

    project.run(step(0.5))
    assert said(project.run(step(0.7))) == [("gate", "ran", "parameter 'object', limit 0.5 -> 0.7")]


def test_equal_output_of_a_step_that_ran_again_stops_the_change(project: Any) -> None:
    project.run(graph(project, limit=15))
    outcome = project.run(graph(project, limit=16))
    assert [status for _, status, _ in said(outcome)] == ["reused", "ran", "reused"]


def test_a_value_taken_back_is_reused(project: Any) -> None:
    for limit in (15, 25):
        project.run(graph(project, limit=limit))
    assert {status for _, status, _ in said(project.run(graph(project, limit=15)))} == {"reused"}


def test_true_one_and_one_point_zero_are_three_parameters(project: Any) -> None:
    keys = {project.run([Step("s", str, params={"object": value})]).executions[0].status for value in (1, 1.0, True)}
    assert keys == {"ran"}


def test_what_a_step_observes_outside_counts(project: Any) -> None:
    state = {"rows": 1}
    step = Step("source", dict, observe=lambda: state)
    assert project.run([step]).executions[0].status == "ran"
    assert project.run([step]).executions[0].status == "reused"
    state["rows"] = 2
    assert said(project.run([step])) == [("source", "ran", "what it reads from outside changed")]


def test_a_step_that_is_not_cached_runs_every_time_and_its_followers_only_if_it_gives_something_else(
    project: Any,
) -> None:
    steps = [Step("clock", lambda: 1, cache=False), Step("next", lambda n: n + 1, inputs={"n": "clock"})]
    project.run(steps)
    assert said(project.run(steps)) == [
        ("clock", "ran", "it runs every time"),
        ("next", "reused", "nothing it depends on changed"),
    ]


def test_a_forced_step_or_stage_runs(project: Any) -> None:
    project.run(graph(project))
    assert said(project.run(graph(project), force=["late"]))[1] == ("late", "ran", "you asked for it")
    assert said(project.run(graph(project), force=["train"]))[2] == ("summary", "ran", "you asked for it")


def test_targets_run_with_what_they_need_and_nothing_else(project: Any) -> None:
    assert [step for step, _, _ in said(project.run(graph(project), targets=["features"]))] == ["flights", "late"]
    with pytest.raises(NotFound) as error:
        project.run(graph(project), targets=["feature"])
    assert error.value.do == "did you mean 'features'?"


def test_a_plan_tells_what_would_happen_and_changes_nothing(project: Any) -> None:
    project.run(graph(project, limit=15))
    before = project.store.root.joinpath("objects").stat().st_mtime_ns
    decisions = plan(project.store, graph(project, limit=25), root=project.root)
    assert [(one.step, one.action, one.reason) for one in decisions] == [
        ("flights", "reuse", "nothing it depends on changed"),
        ("late", "run", "parameter 'limit' 15 -> 25"),
        ("summary", "unknown until late ran", "it needs what late gives"),
    ]
    assert project.module("steps").CALLS == []
    assert project.store.root.joinpath("objects").stat().st_mtime_ns == before
    assert len(runs.list_runs(project.store)) == 1


def test_a_project_function_that_raises_is_answered_with_its_line(project: Any) -> None:
    steps = graph(project)
    fails = Step("fails", project.module("steps").fails, inputs={"late": "late"})
    with pytest.raises(StepFailed) as error:
        project.run([*steps, fails])
    line = CODE.splitlines().index('    return missing["row"]') + 1
    assert error.value.what == "step 'fails' raised KeyError: 'row'"
    assert error.value.where == f"steps.py:{line}"
    assert isinstance(error.value.__cause__, KeyError)
    run = runs.list_runs(project.store)[0]
    assert (run.status, run.error) == (
        "failed",
        {"what": error.value.what, "where": error.value.where, "do": error.value.do},
    )
    assert [row.status for row in runs.executions_of(project.store, run.id)][-1] == "failed"


def test_a_failure_is_tried_again(project: Any) -> None:
    def fails() -> None:
        raise ValueError("no")

    for reason in ("it never ran", "it failed the last time"):
        with pytest.raises(StepFailed):
            project.run([Step("fails", fails)])
        run = runs.list_runs(project.store)[0]
        assert [row.reason for row in runs.executions_of(project.store, run.id)] == [reason]


def test_a_refusal_of_ours_goes_through_as_it_is(project: Any) -> None:
    def refuses() -> None:
        raise Refused("it leaks", "features.py:1", "take it out")

    with pytest.raises(Refused) as error:
        project.run([Step("refuses", refuses)])
    assert error.value.what == "it leaks"
    assert runs.list_runs(project.store)[0].status == "refused"


def test_an_interruption_by_the_user_is_recorded(project: Any) -> None:
    def before() -> int:
        return 1

    def interrupted() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        project.run([Step("before", before), Step("stop", interrupted)])
    assert runs.list_runs(project.store)[0].status == "interrupted"
    assert project.run([Step("before", before)]).executions[0].status == "reused"


def test_outputs_under_other_names_are_refused(project: Any) -> None:
    with pytest.raises(StepFailed) as error:
        project.run([Step("two", lambda: {"a": 1}, outputs=("a", "b"))])
    assert error.value.what == "step 'two' returned a mapping of a instead of a mapping of a, b"


def test_a_parameter_that_cannot_be_part_of_a_key_is_refused(project: Any) -> None:
    with pytest.raises(ThreefoldError) as error:
        project.run([Step("odd", str, params={"object": object()})])
    assert "parameter 'object' of step 'odd' has no place in a key" in error.value.what


def test_what_is_given_is_handed_over_and_does_not_count(project: Any) -> None:
    def measure(n: int, tool: Any) -> int:
        return n + len(tool)

    def step(tool: Any) -> list[Step]:
        return [Step("measure", measure, params={"n": 1}, given={"tool": tool})]

    assert project.run(step([1])).value("measure") == 2
    assert project.run(step([1, 2])).value("measure") == 2


def test_project_code_named_beside_the_function_counts(project: Any) -> None:
    project.write("model.py", "def mine():\n    return 1\n")

    def call(function: Any) -> int:
        result: int = function()
        return result

    def step() -> list[Step]:
        mine = project.module("model").mine
        return [Step("fit", call, given={"function": mine}, code=(mine,))]

    assert project.run(step()).value("fit") == 1
    project.edit("model.py", "return 1", "return 2")
    outcome = project.run(step())
    assert said(outcome) == [("fit", "ran", "function 'mine' in model.py changed")]
    assert outcome.value("fit") == 2


def test_a_function_that_holds_a_value_counts_the_value(project: Any) -> None:
    def make(n: int) -> Any:
        return lambda: n

    assert project.run([Step("made", make(1))]).value("made") == 1
    assert project.run([Step("made", make(1))]).executions[0].status == "reused"
    assert project.run([Step("made", make(2))]).value("made") == 2


def test_a_function_that_holds_something_untellable_runs_every_time(project: Any) -> None:
    def make(thing: object) -> Any:
        return lambda: str(type(thing))

    for _ in range(2):
        one = project.run([Step("made", make(object()))]).executions[0]
        assert (one.status, one.reason.partition(":")[0]) == ("ran", "what it depends on cannot be told")


def test_code_made_from_text_runs_every_time(project: Any) -> None:
    scope: dict[str, Any] = {}
    exec("def made():\n    return 1", scope)
    for _ in range(2):
        one = project.run([Step("made", scope["made"])]).executions[0]
        assert (one.status, one.reason.partition(":")[0]) == ("ran", "what it depends on cannot be told")


def test_a_class_inside_an_unpickled_input_counts(project: Any) -> None:
    project.write("model.py", "class Mine:\n    def score(self):\n        return 1\n\ndef fit():\n    return Mine()\n")
    project.write("use.py", "def use(model):\n    return model.score()\n")

    outcome = project.run(fit_and_use(project))
    assert outcome.value("use") == 1
    project.edit("model.py", "return 1", "return 2")
    outcome = project.run(fit_and_use(project))
    assert said(outcome)[1] == ("use", "ran", "class 'Mine' in model.py changed")
    assert outcome.value("use") == 2


def fit_and_use(project: Any) -> list[Step]:
    use = project.module("use")
    model = importlib.import_module("model")
    return [Step("fit", model.fit), Step("use", use.use, inputs={"model": "fit"})]


def test_what_one_step_does_to_its_input_is_not_seen_by_another(project: Any) -> None:
    def spoil(rows: list[int], table: pl.DataFrame) -> int:
        rows.append(9)
        table.insert_column(0, pl.Series("spoilt", [1]))
        return 0

    def look(rows: list[int], table: pl.DataFrame, after: int) -> list[Any]:
        return [rows, table.columns]

    steps = [
        Step("rows", lambda: [1]),
        Step("table", lambda: pl.DataFrame({"a": [1]})),
        Step("spoil", spoil, inputs={"rows": "rows", "table": "table"}),
        Step("look", look, inputs={"rows": "rows", "table": "table", "after": "spoil"}),
    ]
    assert project.run(steps).value("look") == [[1], ["a"]]


def test_an_output_that_is_gone_from_the_store_is_made_again(project: Any) -> None:
    outcome = project.run(graph(project))
    project.store.objects.path(outcome.digest("late")).unlink()
    again = project.run(graph(project))
    assert said(again)[1] == ("late", "ran", "its output is missing from the store")
    assert [status for _, status, _ in said(again)] == ["reused", "ran", "reused"]
    assert again.value("late").height == 2


def test_an_output_that_was_cut_short_is_made_again(project: Any) -> None:
    outcome = project.run(graph(project))
    path = project.store.objects.path(outcome.digest("late"))
    path.write_bytes(path.read_bytes()[:-1])
    again = project.run(graph(project))
    assert said(again)[1] == ("late", "ran", "its output is damaged in the store")
    assert again.value("late").height == 2


def test_an_output_with_altered_bytes_is_refused_when_it_is_read(project: Any) -> None:
    outcome = project.run(graph(project))
    path = project.store.objects.path(outcome.digest("late"))
    path.write_bytes(bytes(len(path.read_bytes())))
    with pytest.raises(StoreError) as error:
        outcome.value("late")
    assert "damaged" in error.value.what


def test_lineage_joins_executions_by_the_digests_they_read_and_wrote(project: Any) -> None:
    outcome = project.run(graph(project))
    with project.store.read() as connection:
        rows = connection.execute(
            select(schema.executions.c.step, schema.edges.c.direction, schema.edges.c.name, schema.edges.c.digest).join(
                schema.edges, schema.edges.c.execution_id == schema.executions.c.id
            )
        ).all()
        artifacts = dict(connection.execute(select(schema.artifacts.c.digest, schema.artifacts.c.name)).all())
    late = outcome.digest("late")
    assert {("late", "output", "", late), ("summary", "input", "late", late)} <= {tuple(row) for row in rows}
    assert artifacts[late] == "late"


def test_an_unchanged_run_writes_a_handful_of_rows_in_two_transactions(project: Any) -> None:
    project.run(graph(project))
    with project.store.read() as connection:
        before = connection.execute(select(func.count()).select_from(schema.events)).scalar_one()
    outcome = project.run(graph(project))
    with project.store.read() as connection:
        new = [event.kind for event in read(connection)][before:]
        assert verify(connection)[1] is None
    assert new == ["run.started", "run.done"]
    assert [row.status for row in runs.executions_of(project.store, outcome.run_id)] == ["reused"] * 3


def test_a_run_inside_a_step_belongs_to_it_and_needs_no_lock_of_its_own(project: Any) -> None:
    def inner() -> str:
        return str(project.run([Step("leaf", lambda: 1)], kind="candidate").run_id)

    outcome = project.run([Step("outer", inner, cache=False)])
    assert runs.get(project.store, outcome.value("outer")).parent_id == outcome.run_id


def test_every_step_is_told_when_it_starts_and_when_it_is_done(project: Any) -> None:
    heard: list[tuple[str, str, int, int]] = []
    steps = graph(project)
    project.run(steps[:1])
    project.run(steps, on_step=lambda event: heard.append((event.step, event.status, event.index, event.total)))
    assert heard == [
        ("flights", "reused", 0, 3),
        ("late", "running", 1, 3),
        ("late", "ran", 1, 3),
        ("summary", "running", 2, 3),
        ("summary", "ran", 2, 3),
    ]


def test_an_unknown_result_is_answered_with_what_there_is(project: Any) -> None:
    outcome = project.run(graph(project))
    with pytest.raises(NotFound) as error:
        outcome.value("summary.column")
    assert error.value.do == "it has: flights, late, summary.rows, summary.carriers"


EDITED = """
from pathlib import Path

def rate(n):
    helper = Path(__file__).with_name("helper.py")
    helper.write_text(helper.read_text().replace("2.0", "9.0"))
    from helper import factor
    return n * factor()
"""


def frozen(project: Any) -> Imported:
    return Imported({file: file.read_bytes() for file in project.root.glob("*.py")})


def test_code_that_is_edited_while_a_run_goes_on_is_kept_under_the_key_of_what_was_imported(project: Any) -> None:
    project.write("helper.py", "def factor():\n    return 2.0\n")
    project.write("rates.py", "from helper import factor\n\ndef rate(n):\n    return n * factor()\n")

    def run(before: Any = lambda: 1) -> Any:
        imported, rate = frozen(project), project.module("rates").rate
        steps = [Step("before", before, cache=False), Step("rate", rate, inputs={"n": "before"})]
        return project.run(steps, imported=imported)

    def edit() -> int:
        project.edit("helper.py", "2.0", "9.0")
        return 1

    assert run(edit).value("rate") == 2.0
    assert run().value("rate") == 9.0
    project.edit("helper.py", "9.0", "2.0")
    assert said(run())[1][1:] == ("reused", "nothing it depends on changed")


def test_a_file_that_changes_while_a_step_reads_it_ends_the_run_and_poisons_nothing(project: Any) -> None:
    project.write("helper.py", "def factor():\n    return 2.0\n")
    project.write("rates.py", EDITED)
    with pytest.raises(Conflict, match=r"helper\.py changed while step 'rate' ran"):
        project.run([Step("rate", project.module("rates").rate, params={"n": 1})])
    assert project.run([Step("rate", project.module("rates").rate, params={"n": 1})]).value("rate") == 9.0
    project.edit("helper.py", "9.0", "3.0")
    assert said(project.run([Step("rate", project.module("rates").rate, params={"n": 1})]))[0][1] == "ran"
