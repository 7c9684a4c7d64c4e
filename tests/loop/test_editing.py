"""People edit while a run goes on: what was imported is what counts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

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


READS = """
import json
from pathlib import Path

import polars as pl

FACTORS = json.loads(Path(__file__).with_name("factors.json").read_text())


def clean_parcels(parcels):
    return parcels.with_columns(weight=pl.col("weight") * FACTORS["weight"])
"""


def test_a_file_that_is_read_at_the_top_of_a_module_counts_for_who_uses_the_module(
    make_project: Make, tmp_path: Path
) -> None:
    (tmp_path / "factors.json").write_text('{"weight": 1.0}')
    lifecycle.turn(make_project(data=READS), stage="data")
    (tmp_path / "factors.json").write_text('{"weight": 2.0}')
    again = lifecycle.turn(make_project(data=READS), stage="data")
    ran = {one.step: one.reason for one in again.outcome.executions if one.status == "ran"}
    assert ran["clean/parcels"] == "file 'factors.json' changed"
    assert "ingest/parcels" not in ran
