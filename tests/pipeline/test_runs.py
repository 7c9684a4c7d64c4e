import math
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import insert, update

from threefold.errors import GateFailed, NotFound
from threefold.pipeline import runs
from threefold.store import Store, schema
from threefold.store.events import read

pytestmark = pytest.mark.engines


@pytest.fixture
def store(tmp_path: Path, catalogue: str | None) -> Iterator[Store]:
    found = Store.open(tmp_path, url=catalogue)
    yield found
    found.close()


def test_a_recorded_run_keeps_parameters_metrics_and_curves(store: Store) -> None:
    with runs.recorded(store, project="p", kind="candidate", name="linear", params={"a": 1}) as run:
        run.params({"depth": 3})
        run.metrics({"roc_auc": 0.75, "broken": math.nan})
        run.curves({"roc": [(0.0, 0.0), (0.5, 0.8), (1.0, 1.0)]})
    found = runs.get(store, run.id)
    assert (found.status, found.kind, found.params) == ("done", "candidate", {"a": 1, "depth": 3})
    measured = runs.metrics_of(store, run.id)
    assert measured["roc_auc"] == 0.75
    assert math.isnan(measured["broken"])
    assert runs.curves_of(store, run.id) == {"roc": [(0.0, 0.0), (0.5, 0.8), (1.0, 1.0)]}


def test_a_metric_that_is_written_twice_keeps_the_last_value(store: Store) -> None:
    run_id = runs.start(store, project="p")
    runs.log_metrics(store, run_id, {"loss": 2.0})
    runs.log_metrics(store, run_id, {"loss": 1.0})
    runs.log_metrics(store, run_id, {"loss": 0.5}, step=1)
    assert runs.metrics_of(store, run_id) == {"loss": 0.5}


def test_a_run_inside_a_run_is_its_child(store: Store) -> None:
    with (
        runs.recorded(store, project="p", kind="pipeline") as outer,
        runs.recorded(store, project="p", kind="candidate") as inner,
    ):
        pass
    assert runs.get(store, inner.id).parent_id == outer.id
    assert [run.id for run in runs.list_runs(store, parent_id=outer.id)] == [inner.id]


@pytest.mark.parametrize(
    ("error", "status"),
    [(ValueError("x"), "failed"), (GateFailed("a", "b", "c"), "refused"), (KeyboardInterrupt(), "interrupted")],
)
def test_a_run_that_raises_says_how_it_ended(store: Store, error: BaseException, status: str) -> None:
    with pytest.raises(type(error)), runs.recorded(store, project="p", kind="candidate"):
        raise error
    assert runs.list_runs(store)[0].status == status


def test_runs_are_listed_newest_first_and_narrowed(store: Store) -> None:
    ids = [runs.start(store, project="p", kind=kind) for kind in ("pipeline", "candidate", "pipeline")]
    assert [run.id for run in runs.list_runs(store)] == ids[::-1]
    assert [run.id for run in runs.list_runs(store, kind="pipeline", limit=1)] == [ids[2]]
    assert runs.list_runs(store, project="other") == []


def test_a_run_is_found_by_the_beginning_of_its_id(store: Store) -> None:
    run_id = runs.start(store, project="p")
    assert runs.get(store, run_id[:10]).id == run_id
    with pytest.raises(NotFound):
        runs.get(store, "zz")


def test_the_run_of_a_process_that_is_gone_is_marked_interrupted(store: Store) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    dead, alive = (runs.start(store, project="p") for _ in range(2))
    with store.write() as tx:
        tx.execute(update(schema.runs).where(schema.runs.c.id == dead).values(pid=gone.pid))
    assert runs.mark_interrupted(store) == (dead,)
    assert (runs.get(store, dead).status, runs.get(store, alive).status) == ("interrupted", "running")
    with store.read() as connection:
        assert [event.subject for event in read(connection, kind="run.interrupted")] == [f"run {dead}"]


def test_a_dead_run_is_read_as_interrupted_and_ends_with_its_last_step(store: Store) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    started, stepped = (runs.start(store, project="p") for _ in range(2))
    ended = "2026-01-01T00:00:09+00:00"
    step = {"id": "e", "run_id": stepped, "step": "s", "key": "k", "status": "ran", "reason": "", "error": None,
            "started_at": "2026-01-01T00:00:00+00:00", "ended_at": ended}  # fmt: skip
    with store.write() as tx:
        tx.execute(update(schema.runs).values(pid=gone.pid))
        tx.execute(insert(schema.executions).values(**step))
    assert {run.id: (run.status, run.ended_at) for run in runs.list_runs(store)} == {
        started: ("interrupted", None),
        stepped: ("interrupted", ended),
    }
    assert runs.list_runs(store, status="running") == []


def test_a_number_that_was_given_to_a_younger_process_is_no_sign_of_life(store: Store) -> None:
    run_id = runs.start(store, project="p")
    long_ago = "2020-01-01T00:00:00+00:00"
    with store.write() as tx:
        tx.execute(update(schema.runs).where(schema.runs.c.id == run_id).values(pid=os.getppid(), started_at=long_ago))
    assert runs.mark_interrupted(store) == (run_id,)


def test_a_run_left_over_under_our_own_number_is_no_sign_of_life(store: Store) -> None:
    # In a container every process has the same small number after each start.
    run_id = runs.start(store, project="p")
    runs.over(run_id)
    assert runs.mark_interrupted(store) == (run_id,)


def test_a_run_of_another_machine_is_left_alone(store: Store) -> None:
    run_id = runs.start(store, project="p")
    runs.over(run_id)
    with store.write() as tx:
        tx.execute(update(schema.runs).where(schema.runs.c.id == run_id).values(host="another"))
    assert runs.mark_interrupted(store) == ()
