"""A history of MLflow's comes along whole, from each of its three homes, and a broken-off import goes on."""

import math
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from threefold.errors import DataError
from threefold.pipeline import runs
from threefold.registry import versions
from threefold.registry.importing.bringing import Report, bring, open_history
from threefold.store import Store
from threefold.store.schema import files, model_versions
from threefold.store.tracking import logged_models, reading

RUN, CHILD, GONE = "a" * 32, "b" * 32, "c" * 32
MODEL = f"m-{'d' * 32}"

TABLES = """
CREATE TABLE experiments (experiment_id INTEGER, name TEXT, artifact_location TEXT, lifecycle_stage TEXT, creation_time INTEGER, last_update_time INTEGER);
CREATE TABLE experiment_tags (key TEXT, value TEXT, experiment_id INTEGER);
CREATE TABLE runs (run_uuid TEXT, name TEXT, user_id TEXT, status TEXT, start_time INTEGER, end_time INTEGER, lifecycle_stage TEXT, artifact_uri TEXT, experiment_id INTEGER);
CREATE TABLE metrics (key TEXT, value REAL, timestamp INTEGER, run_uuid TEXT, step INTEGER, is_nan INTEGER);
CREATE TABLE params (key TEXT, value TEXT, run_uuid TEXT);
CREATE TABLE tags (key TEXT, value TEXT, run_uuid TEXT);
CREATE TABLE datasets (dataset_uuid TEXT, experiment_id INTEGER, name TEXT, digest TEXT, dataset_source_type TEXT, dataset_source TEXT, dataset_schema TEXT, dataset_profile TEXT);
CREATE TABLE inputs (input_uuid TEXT, source_type TEXT, source_id TEXT, destination_type TEXT, destination_id TEXT, step INTEGER);
CREATE TABLE input_tags (input_uuid TEXT, name TEXT, value TEXT);
CREATE TABLE logged_models (model_id TEXT, experiment_id INTEGER, name TEXT, artifact_location TEXT, creation_timestamp_ms INTEGER, last_updated_timestamp_ms INTEGER, status INTEGER, lifecycle_stage TEXT, model_type TEXT, source_run_id TEXT, status_message TEXT);
CREATE TABLE logged_model_params (model_id TEXT, experiment_id INTEGER, param_key TEXT, param_value TEXT);
CREATE TABLE logged_model_tags (model_id TEXT, experiment_id INTEGER, tag_key TEXT, tag_value TEXT);
CREATE TABLE registered_models (name TEXT, creation_time INTEGER, last_updated_time INTEGER, description TEXT);
CREATE TABLE registered_model_tags (key TEXT, value TEXT, name TEXT);
CREATE TABLE registered_model_aliases (alias TEXT, version INTEGER, name TEXT);
CREATE TABLE model_versions (name TEXT, version INTEGER, creation_time INTEGER, last_updated_time INTEGER, description TEXT, user_id TEXT, current_stage TEXT, source TEXT, run_id TEXT, status TEXT, run_link TEXT);
CREATE TABLE model_version_tags (key TEXT, value TEXT, name TEXT, version INTEGER);
"""


def database(folder: Path) -> str:
    """A small mlflow.db, as a server with its artifact proxy leaves it."""
    base = sqlite3.connect(folder / "mlflow.db")
    base.executescript(TABLES)
    root = "mlflow-artifacts:/7"
    insert = {
        "experiments": [(0, "Default", "mlflow-artifacts:/0", "active", 1, 1), (7, "churn", root, "active", 5, 6)],
        "experiment_tags": [("team", "crm", 7)],
        "runs": [
            (RUN, "one", "ada", "FINISHED", 1_700_000_000_000, 1_700_000_060_000, "active", f"{root}/{RUN}/artifacts", 7),
            (CHILD, "two", "ada", "FAILED", 1_700_000_000_500, None, "active", f"{root}/{CHILD}/artifacts", 7),
            (GONE, "old", "ada", "KILLED", 1, 2, "deleted", "s3://bucket/old", 7),
        ],
        "metrics": [
            ("loss", 0.5, 10, RUN, 0, 0), ("loss", 0.25, 20, RUN, 1, 0), ("odd", 0.0, 20, RUN, 0, 1),
            ("huge", 1.7976931348623157e308, 20, RUN, 0, 0),
        ],
        "params": [("depth", "3", RUN)],
        "tags": [("mlflow.runName", "one", RUN), ("mlflow.parentRunId", RUN, CHILD)],
        "datasets": [("ds", 7, "train", "d1", "local", "{}", None, None)],
        "inputs": [("i1", "DATASET", "ds", "RUN", RUN, 0), ("i2", "RUN_OUTPUT", RUN, "MODEL_OUTPUT", MODEL, 3)],
        "input_tags": [("i1", "mlflow.data.context", "training")],
        "logged_models": [(MODEL, 7, "net", f"{root}/models/{MODEL}/artifacts", 8, 9, 2, "active", None, RUN, None)],
        "logged_model_params": [(MODEL, 7, "depth", "3")],
        "logged_model_tags": [(MODEL, 7, "k", "v")],
        "registered_models": [("churn-net", 10, 11, "about churn")],
        "registered_model_tags": [("team", "crm", "churn-net")],
        "registered_model_aliases": [("champion", 3, "churn-net")],
        "model_versions": [
            ("churn-net", 1, 10, 10, None, "ada", "Archived", f"{root}/{RUN}/artifacts/model", RUN, "READY", None),
            ("churn-net", 3, 11, 11, "good", "ada", "Production", f"models:/{MODEL}", RUN, "READY", None),
        ],
        "model_version_tags": [("k", "v", "churn-net", 3)],
    }  # fmt: skip
    for table, rows in insert.items():
        base.executemany(f"INSERT INTO {table} VALUES ({','.join('?' * len(rows[0]))})", rows)
    base.commit()
    base.close()
    write_files(folder / "mlartifacts" / "7")
    return str(folder / "mlflow.db")


def write_files(home: Path) -> None:
    for path, text in ((f"{RUN}/artifacts/model/MLmodel", "flavors"), (f"models/{MODEL}/artifacts/MLmodel", "flavors")):
        (home / path).parent.mkdir(parents=True)
        (home / path).write_text(text)


def mlruns(folder: Path) -> str:
    """The same as a folder of files."""
    home = folder / "mlruns" / "7"
    write_files(home)
    texts = {
        "meta.yaml": "name: churn\nlifecycle_stage: active\ncreation_time: 5\nlast_update_time: 6\n",
        "tags/team": "crm",
        f"{RUN}/meta.yaml": "status: 3\nuser_id: ada\nstart_time: 1700000000000\nend_time: 1700000060000\nlifecycle_stage: active\n",
        f"{RUN}/params/depth": "3",
        f"{RUN}/tags/mlflow.runName": "one",
        f"{RUN}/metrics/loss": "10 0.5 0\n20 0.25 1\n",
        f"{RUN}/metrics/odd": "20 nan 0\n",
        f"{RUN}/metrics/huge": "20 inf 0\n",
        f"{RUN}/inputs/i1/meta.yaml": "source_type: DATASET\nsource_id: ds\ntags: {mlflow.data.context: training}\n",
        f"{RUN}/outputs/{MODEL}/meta.yaml": f"destination_type: MODEL_OUTPUT\ndestination_id: {MODEL}\nstep: 3\n",
        "datasets/ds/meta.yaml": "name: train\ndigest: d1\nsource_type: local\nsource: '{}'\n",
        f"{CHILD}/meta.yaml": "status: 4\nuser_id: ada\nrun_name: two\nstart_time: 1700000000500\nend_time: null\nlifecycle_stage: active\n",
        f"{CHILD}/tags/mlflow.parentRunId": RUN,
        f"{CHILD}/params/x": "1",
        f"{GONE}/meta.yaml": "status: 5\nuser_id: ada\nrun_name: old\nstart_time: 1\nend_time: 2\nlifecycle_stage: deleted\nartifact_uri: s3://bucket/old\n",
        f"{GONE}/params/x": "1",
        f"models/{MODEL}/meta.yaml": f"name: net\nstatus: 2\nsource_run_id: {RUN}\ncreation_timestamp: 8\nlast_updated_timestamp: 9\nlifecycle_stage: active\n",
        f"models/{MODEL}/params/depth": "3",
        f"models/{MODEL}/tags/k": "v",
        "../models/churn-net/meta.yaml": "name: churn-net\ndescription: about churn\ncreation_timestamp: 10\nlast_updated_timestamp: 11\n",
        "../models/churn-net/tags/team": "crm",
        "../models/churn-net/aliases/champion": "3",
        "../models/churn-net/version-1/meta.yaml": f"version: 1\ncurrent_stage: Archived\nsource: {home}/{RUN}/artifacts/model\nrun_id: {RUN}\nuser_id: ada\ncreation_timestamp: 10\nlast_updated_timestamp: 10\n",
        "../models/churn-net/version-3/meta.yaml": f"version: 3\ncurrent_stage: Production\nsource: models:/{MODEL}\nrun_id: {RUN}\ndescription: good\nuser_id: ada\ncreation_timestamp: 11\nlast_updated_timestamp: 11\n",
        "../models/churn-net/version-3/tags/k": "v",
    }
    for name, text in texts.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(text)
    return str(folder / "mlruns")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    found = Store.open(tmp_path / "store")
    yield found
    found.close()


@pytest.fixture(params=[database, mlruns], ids=["database", "folder"])
def source(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    (tmp_path / "there").mkdir()
    return str(request.param(tmp_path / "there"))


def brought(store: Store, source: str) -> Report:
    history = open_history(source)
    try:
        return bring(store, history)
    finally:
        history.close()


def test_everything_comes_along(store: Store, source: str) -> None:
    report = brought(store, source)
    assert (report.runs, report.points, report.logged_models, report.models, report.versions) == (3, 4, 1, 1, 2)
    assert (report.files, report.size_bytes) == (2, 14)
    run = runs.get(store, RUN)
    assert (run.project, run.name, run.status, run.params) == ("churn", "one", "done", {"depth": 3})
    measured = runs.metrics_of(store, RUN)
    assert measured["loss"] == 0.25 and math.isnan(measured["odd"]) and measured["huge"] == math.inf
    assert (runs.get(store, CHILD).status, runs.get(store, CHILD).parent_id) == ("failed", RUN)
    with store.read() as connection:
        document = reading.get(connection, RUN)
        assert [(one.name, one.digest, one.tags) for one in document.datasets] == [
            ("train", "d1", {"mlflow.data.context": "training"})
        ]
        assert document.outputs == [(MODEL, 3)]
        assert reading.get(connection, GONE).deleted_at is not None
        model = logged_models.get(connection, MODEL)
        assert (model.name, model.status, model.params, model.tags) == ("net", 2, {"depth": "3"}, {"k": "v"})
        paths = connection.scalars(select(files.c.path).order_by(files.c.path)).all()
    home = document.artifact_root.removeprefix("mlflow-artifacts:/").split("/")[0]
    assert paths == [f"{home}/{RUN}/artifacts/model/MLmodel", f"{home}/models/{MODEL}/artifacts/MLmodel"]


def test_what_a_server_remembers_comes_along_too(store: Store, source: str, tmp_path: Path, server: Any) -> None:
    there = Store.open(tmp_path / "served")
    brought(there, source)
    there.close()
    with server(tmp_path / "served") as (_, address):
        report = brought(store, address)
    assert (report.runs, report.points, report.logged_models, report.models, report.versions) == (3, 4, 1, 1, 2)
    assert (report.files, report.size_bytes) == (2, 14)
    assert runs.metrics_of(store, RUN)["huge"] == math.inf
    assert versions.aliases(store, "churn-net") == {"champion": 3}


def test_versions_keep_numbers_stages_aliases_and_find_their_files(store: Store, source: str) -> None:
    brought(store, source)
    with store.read() as connection:
        rows = connection.execute(select(model_versions).order_by(model_versions.c.number)).all()
        root = reading.get(connection, RUN).artifact_root
    assert [(row.number, row.stage, row.source) for row in rows] == [
        (1, "Archived", f"{root}/model"), (3, "Production", f"models:/{MODEL}"),
    ]  # fmt: skip
    assert rows[1].model_id == MODEL
    assert versions.aliases(store, "churn-net") == {"champion": 3}


def test_files_that_cannot_be_reached_stay_where_they_are_and_are_named(store: Store, source: str) -> None:
    report = brought(store, source)
    assert report.left == [f"the files of run {GONE} stay at s3://bucket/old, which cannot be read from here"]
    with store.read() as connection:
        assert reading.get(connection, GONE).artifact_root == "s3://bucket/old"


def test_a_second_import_brings_nothing_twice(store: Store, source: str) -> None:
    brought(store, source)
    again = brought(store, source)
    assert (again.runs, again.known_runs, again.points, again.versions, again.left) == (0, 3, 0, 0, [])


def test_an_import_that_was_broken_off_goes_on(store: Store, source: str) -> None:
    def stop(done: int, _all: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    history = open_history(source)
    with pytest.raises(KeyboardInterrupt):
        bring(store, history, on_run=stop)
    history.close()
    report = brought(store, source)
    assert (report.runs, report.known_runs, report.versions) == (1, 2, 2)


def test_a_version_that_stands_here_already_is_not_written_over(store: Store, source: str) -> None:
    brought(store, source)
    with store.write() as tx:
        tx.execute(model_versions.update().where(model_versions.c.number == 3).values(run_id="another"))
    assert brought(store, source).left == [
        "version 3 of 'churn-net' was not taken: this store has another one of that number"
    ]


@pytest.mark.parametrize("wrong", ["nowhere", "notes.txt", "empty", "sqlite:///nowhere.db", "http://127.0.0.1:9"])
def test_what_holds_no_history_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: str) -> None:
    monkeypatch.chdir(tmp_path)
    Path("notes.txt").write_text("not a database")
    Path("empty").mkdir()
    with pytest.raises(DataError):
        open_history(wrong).experiments()
