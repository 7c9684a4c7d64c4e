"""People edit while a run goes on: what was imported is what counts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from threefold.errors import Conflict
from threefold.loop import lifecycle
from threefold.loop.project import Project
from threefold.loop.reproduce import reproduce
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


COMMAND = """
steps:
  depots: {run: "sh depots.sh {depots.txt} > {depots.csv}", inputs: depots.txt, outputs: depots.csv, table: {depots: depots.csv}}
"""
LIMITED = """
import json
from pathlib import Path


def clean_parcels(parcels):
    limits = json.loads(Path(__file__).with_name("limits.json").read_text())
    return parcels.filter(parcels["weight"] < limits["weight"])
"""


def test_a_version_that_rests_on_files_beside_its_source_is_built_again(make_project: Make, tmp_path: Path) -> None:
    beside = {"depots.txt": "depot\nnorth\n", "depots.sh": 'cat "$1"\n', "limits.json": '{"weight": 50}'}
    for name, text in beside.items():
        (tmp_path / name).write_text(text)
    canvas = make_project().canvas.file.read_text()
    project = make_project(canvas + COMMAND, data=LIMITED)
    version = lifecycle.turn(project).version
    assert version is not None
    for name in beside:
        (tmp_path / name).write_text("something else")
    assert reproduce(project, version).equal


LOOKUP = """
from pathlib import Path
import polars as pl

FACTORS = pl.read_csv(Path(__file__).with_name("factors.csv"))


def clean_parcels(parcels):
    return parcels.with_columns(weight=pl.col("weight") * FACTORS["weight"][0])
"""


def test_a_table_that_a_module_reads_while_it_is_imported_is_never_mixed_up(make_project: Make, tmp_path: Path) -> None:
    (tmp_path / "factors.csv").write_text("weight\n1.0\n")
    project = make_project(data=LOOKUP)
    first = lifecycle.turn(project, stage="data")
    (tmp_path / "factors.csv").write_text("weight\n2.0\n")
    with pytest.raises(Conflict, match=r"factors\.csv changed since the code"):
        lifecycle.turn(project, stage="data")
    second = lifecycle.turn(make_project(data=LOOKUP), stage="data")
    assert second.outcome.digest("clean/parcels.table") != first.outcome.digest("clean/parcels.table")


MODEL = """
class mine:
    def fit(self, X, y):
        return self
    def predict_proba(self, X):
        import numpy as np
        late = np.clip(X["weight"].to_numpy() / 20.0, 0.0, 1.0)
        return np.stack([1 - late, late], axis=1)
    def predict(self, X):
        return self.predict_proba(X)[:, 1]
"""


def test_a_model_is_packed_with_the_source_it_was_trained_by(make_project: Make) -> None:
    canvas = make_project(model=MODEL).canvas.file.read_text()
    project = make_project(canvas.replace("[linear]", "[mine]"), model=MODEL)

    def edit(event: StepEvent) -> None:
        if event.step == "choose":
            (project.root / "model.py").write_text(MODEL.replace("20.0", "-20.0"))

    turn = lifecycle.turn(project, on_step=edit)
    assert next(one for one in turn.results if one.gate == "parity").passed
    assert reproduce(project, turn.version).equal
