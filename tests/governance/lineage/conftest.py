"""A catalogue in which everything hangs together once, written row by row."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import insert

from threefold.records import Arm, Lineage, Routing, plain
from threefold.store import Store, schema

AT = "2026-01-01T00:00:00+00:00"


def run_row(id_: str, **more: object) -> dict[str, object]:
    row = {"id": id_, "experiment_id": 0, "parent_id": None, "kind": "pipeline", "name": "", "user": "ada",
           "status": "done", "started_at": AT, "artifact_root": "", "code": {}, "environment": None, "host": "h",
           "pid": 0}  # fmt: skip
    return {**row, **more}


def version_row(number: int, **more: object) -> dict[str, object]:
    row = {"name": "churn", "number": number, "run_id": "", "bundle": "", "status": "candidate", "stage": "None",
           "metrics": {}, "lineage": None, "source": "", "user": "ada", "created_at": AT, "updated_at": AT}  # fmt: skip
    return {**row, **more}


@pytest.fixture
def store(tmp_path: Path, catalogue: str | None) -> Iterator[Store]:
    found = Store.open(tmp_path / "store", url=catalogue)
    yield found
    found.close()


@pytest.fixture
def story(store: Store) -> Store:
    """snapshot -> clean -> package -> churn/1 -> release r1 -> endpoint; a second run reuses; a client logs churn/2."""
    lineage = Lineage({"orders": "snap"}, "set", "sealed", {"archive": "zip", "commit": "c0ffee"}, "env", "run1", "linear",
                      None, "canvas", 7)  # fmt: skip
    arm = Arm(1, "bundle", "r1", 1.0)
    rows = {
        schema.runs: [
            run_row("run1", code={"archive": "zip", "commit": "c0ffee"}, environment="env"),
            run_row("child", parent_id="run1", kind="candidate"),
            run_row("run2"),
            run_row("logged", kind="tracked"),
        ],
        schema.snapshots: [{"digest": "snap", "name": "orders", "body": {"rows": 10}, "created_at": AT}],
        schema.executions: [
            {"id": id_, "run_id": run, "step": step, "key": key, "status": status, "reason": "", "started_at": AT}
            for id_, run, step, key, status in (
                ("e1", "run1", "ingest/orders", "k1", "ran"), ("e2", "run1", "features", "k2", "ran"),
                ("e3", "run1", "package", "k3", "ran"), ("e4", "run2", "package", "k3", "reused"),
            )
        ],
        schema.cache: [
            {"key": key, "step": step, "parts": {}, "outputs": {}, "duration_s": 1.0, "execution_id": id_, "created_at": AT}
            for key, step, id_ in (("k1", "ingest/orders", "e1"), ("k2", "features", "e2"), ("k3", "package", "e3"))
        ],
        schema.edges: [
            {"execution_id": id_, "direction": direction, "name": name, "digest": digest}
            for id_, direction, name, digest in (
                ("e1", "output", "table", "snap"), ("e2", "input", "orders", "snap"), ("e2", "output", "", "set"),
                ("e3", "input", "training_set", "set"), ("e3", "output", "", "record"),
            )
        ],
        schema.models: [{"name": "churn", "created_ms": 0, "updated_ms": 0, "last_number": 2}],
        schema.datasets: [
            {"id": 7, "experiment_id": 0, "name": "wine", "digest": "d1", "source_type": "local", "source": "wine.csv"}
        ],
        schema.logged_models: [
            {"id": "m-1", "experiment_id": 0, "name": "model", "artifact_root": "", "status": 2, "source_run_id": "logged",
             "created_ms": 0, "updated_ms": 0}
        ],
        schema.model_versions: [
            version_row(1, run_id="run1", bundle="bundle", status="released", lineage=plain(lineage)),
            version_row(2, run_id="logged", model_id="m-1", source="models:/m-1"),
        ],
        schema.releases: [
            {"id": "r1", "endpoint": "churn", "name": "churn", "number": 1, "body": {}, "created_at": AT}
        ],
        schema.aliases: [{"name": "churn", "alias": "champion", "number": 1, "set_at": AT}],
        schema.endpoints: [
            {"name": "churn", "generation": 1, "routing": plain(Routing("churn", "churn", 1, (arm,))), "updated_at": AT}
        ],
    }  # fmt: skip
    with store.write() as tx:
        for table, values in rows.items():
            for one in values:
                tx.execute(insert(table).values(**one))
        number = tx.connection.scalar(schema.runs.select().with_only_columns(schema.runs.c.number).where(
            schema.runs.c.id == "logged"))  # fmt: skip
        tx.execute(insert(schema.run_datasets).values(run=number, dataset=7, tags={}))
        tx.execute(insert(schema.run_models).values(run=number, role="output", model_id="m-1", step=0))
        tx.execute(insert(schema.run_tags).values(run=number, name="mlflow.source.git.commit", value="beef"))
    return store
