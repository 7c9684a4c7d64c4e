"""People edit while a run goes on: what was imported is what counts."""

from __future__ import annotations

from collections.abc import Callable

from threefold.loop import lifecycle
from threefold.loop.project import Project
from threefold.pipeline.engine import StepEvent

Make = Callable[..., Project]

CLEAN = "import polars as pl\n\n\ndef clean_parcels(parcels):\n    return parcels.with_columns(weight=pl.col('weight') * 2.0)\n"


def test_code_that_is_edited_during_a_run_runs_at_the_next_one(make_project: Make) -> None:
    project = make_project(data=CLEAN)

    def edit(event: StepEvent) -> None:
        if event.step == "ingest/parcels":
            (project.root / "data.py").write_text(CLEAN.replace("2.0", "5.0"))

    first = lifecycle.turn(project, stage="data", on_step=edit)
    assert b"2.0" in project.store.objects.get(lifecycle.code_state(project)["archive"])
    second = lifecycle.turn(make_project(data=CLEAN.replace("2.0", "5.0")), stage="data")
    ran = {one.step: one.reason for one in second.outcome.executions if one.status == "ran"}
    assert ran["clean/parcels"] == "function 'clean_parcels' in data.py changed"
    assert second.outcome.digest("clean/parcels.table") != first.outcome.digest("clean/parcels.table")
    third = lifecycle.turn(make_project(data=CLEAN), stage="data")
    assert {one.status for one in third.outcome.executions} == {"reused"}
