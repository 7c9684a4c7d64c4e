"""A version that an MLflow client logged: packed, judged, released and served like our own."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import yaml

from threefold.data.seal import readings
from threefold.errors import DataError, GateFailed, NotFound, Refused
from threefold.loop import lifecycle, logged, releasing
from threefold.loop.project import Project
from threefold.packaging.bundles import load_bundle
from threefold.packaging.logged import seal
from threefold.records import ModelVersion
from threefold.registry import approvals, catalogue, evidence, models, releases, signatures, versions
from threefold.serving import routing
from threefold.serving.arms import load_arm
from threefold.store.tracking import files

from .clients import by_column, log_folder, log_version, logistic
from .conftest import CANVAS, parcels

Make = Callable[..., Project]

GOOD = by_column({"weight": 1.0}, {"depot": {"north": -4.0, "south": -6.0, "west": -6.0}})
COLUMNS = {"weight": "double", "depot": "string"}


def test_a_logged_graph_is_judged_by_the_gates_on_the_sealed_share_and_that_is_recorded(make_project: Make) -> None:
    project = make_project()
    version = log_version(project.store, "parcels", GOOD, COLUMNS)
    turn = logged.examine(project, version)
    assert turn.version is not None and turn.version.status == "approved"
    assert turn.version.metrics["roc_auc"] > 0.6
    proof = evidence.of(project.store, "model parcels/1")
    assert {one.result.gate for one in proof} >= {"roc_auc", "parity", "finite scores", "beats a constant"}
    (reading,) = readings(project.store, turn.version.lineage.test_set)
    assert reading["purpose"] == "acceptance" and reading["subject"] == f"bundle {turn.version.bundle}"


def test_it_is_approved_by_rule_released_and_answers_as_the_graph_that_was_logged(make_project: Make) -> None:
    project = make_project()
    version = logged.examine(project, log_version(project.store, "parcels", GOOD, COLUMNS)).version
    assert version is not None and approvals.of(project.store, "parcels", 1)[0].by == "rule"
    releasing.release_version(project, version, "the first")
    arm = routing.current(project.store, "parcels").arms[0]
    loaded = load_arm(project.store, arm.number, arm.bundle)
    answer = loaded.answer(np.array([[4.0]], dtype=np.float32), [["north"]])
    assert answer.scores[0, 0] == pytest.approx(0.5) and answer.sources == ["model"]
    assert signatures.verify(project.store, versions.get(project.store, "parcels", 1))[-1].holds


def test_a_matrix_with_a_zip_map_behind_it_is_rewired_with_its_classes_in_our_order(make_project: Make) -> None:
    project = make_project()
    backwards = logistic([-1.0], 6.0, classes=(1, 0))  # its second column is the chance of 0
    version = logged.examine(project, log_version(project.store, "parcels", backwards, {"weight": "float"})).version
    assert version is not None
    loaded = load_arm(project.store, 1, version.bundle)
    answer = loaded.answer(np.array([[6.0, 8.0]], dtype=np.float32), [])
    assert answer.scores[:, 0] == pytest.approx([0.5, 1 / (1 + np.exp(-2))], abs=1e-6)


def test_a_gate_that_says_no_refuses_it_and_a_person_may_still_stand_up_for_it(make_project: Make) -> None:
    project = make_project()
    version = log_version(project.store, "parcels", logistic([-1.0], 6.0), {"weight": "float"})
    with pytest.raises(GateFailed, match="roc_auc"):
        logged.examine(project, version)
    refused = versions.get(project.store, "parcels", 1)
    assert refused.status == "refused"
    approvals.approve(project.store, refused, "ada", "for a trial")
    assert releasing.release_version(project, versions.get(project.store, "parcels", 1), "a trial").approved_by == "ada"


def test_what_was_not_tested_is_not_released_whoever_approves_it(make_project: Make) -> None:
    project = make_project()
    version = log_version(project.store, "parcels", GOOD, COLUMNS)
    approvals.approve(project.store, version, "ada", "I know it")
    with pytest.raises(Refused, match="was not tested"):
        releasing.release_version(project, versions.get(project.store, "parcels", 1), "by hand")


def test_it_can_replace_a_version_of_our_own_and_a_rollback_brings_that_back(make_project: Make) -> None:
    project = make_project()
    own = lifecycle.turn(project).version
    assert own is not None
    version = logged.examine(project, log_version(project.store, "parcels", GOOD, COLUMNS)).version
    assert version is not None and version.lineage.champion == own.bundle
    releasing.release_version(project, version, "a better one")
    assert versions.aliases(project.store, "parcels")["champion"] == 2
    assert {one.status for one in lifecycle.turn(project).outcome.executions} == {"reused"}  # nothing of ours changed
    routing.rollback(project.store, "parcels", "it went wrong")
    assert routing.current(project.store, "parcels").arms[0].number == 1


def test_another_name_answers_at_an_endpoint_of_its_own(make_project: Make) -> None:
    project = make_project()
    lifecycle.turn(project)
    version = logged.examine(project, log_version(project.store, "rival", GOOD, COLUMNS)).version
    assert version is not None
    releasing.release_version(project, version, "beside ours")
    assert {one.endpoint for one in routing.list_routings(project.store)} == {"parcels", "rival"}
    assert [one.endpoint for one in releases.list_releases(project.store, "rival")] == ["rival"]


def test_an_approved_version_is_judged_again_as_it_is_and_packed_no_other_way(make_project: Make) -> None:
    project = make_project()
    version = logged.examine(project, log_version(project.store, "parcels", GOOD, COLUMNS)).version
    assert version is not None
    again = logged.examine(project, version)
    assert again.version is not None and again.version.bundle == version.bundle
    assert again.version.status == "approved" and len(approvals.of(project.store, "parcels", 1)) == 1


def test_its_input_example_warms_it_up(make_project: Make) -> None:
    project = make_project()
    example = {"weight": 3.5, "depot": "north"}
    version = logged.examine(project, log_version(project.store, "parcels", GOOD, COLUMNS, example)).version
    assert version is not None
    bundle = load_bundle(project.store, version.bundle)
    assert b'"weight": 3.5' in project.store.objects.get(bundle.files["example.json"])


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ({"wheight": "double", "depot": "string"}, "which the project does not know"),
        ({"weight": "string", "depot": "string"}, "holds numbers"),
        ({"weight": "datetime", "depot": "string"}, "of type datetime"),
        ({}, "no signature"),
    ],
)
def test_columns_that_are_no_features_of_the_project_are_named(
    make_project: Make, columns: dict[str, str], says: str
) -> None:
    project = make_project()
    with pytest.raises(DataError, match=says):
        logged.examine(project, log_version(project.store, "parcels", GOOD, columns))


def test_other_classes_than_those_of_the_project_are_named(make_project: Make) -> None:
    project = make_project()
    version = log_version(project.store, "parcels", logistic([1.0], -6.0, classes=(1, 2)), {"weight": "float"})
    with pytest.raises(DataError, match="the classes of the model"):
        logged.examine(project, version)


def test_a_version_of_our_own_is_judged_by_a_run(make_project: Make) -> None:
    project = make_project()
    own = lifecycle.turn(project).version
    assert own is not None
    with pytest.raises(Refused, match="threefold run gates"):
        logged.examine(project, own)


def test_a_version_without_files_here_cannot_be_tested(make_project: Make) -> None:
    project = make_project()
    with project.store.write() as tx:
        models.create(tx, "parcels", None, {})
        catalogue.register(tx, "parcels", "mlflow-artifacts:/nowhere", tags={})
    with pytest.raises(NotFound, match="no file MLmodel"):
        logged.examine(project, versions.get(project.store, "parcels", 1))


def pickled(project: Project) -> ModelVersion:
    said = {
        "flavors": {"python_function": {"loader_module": "mlflow.sklearn"}, "sklearn": {"pickled_model": "model.pkl"}},
        "signature": {"inputs": '[{"type": "double", "name": "weight", "required": true}]'},
    }
    return log_folder(project.store, "parcels", {"MLmodel": yaml.safe_dump(said).encode(), "model.pkl": b"anything"})


def test_a_pickle_is_not_opened_before_a_trusted_key_vouches_for_its_files(make_project: Make) -> None:
    project = make_project()
    version = pickled(project)
    with pytest.raises(Refused, match=r"no trusted key vouches.*models sign 1 --model parcels"):
        logged.examine(project, version)
    signatures.sign(project.store, version)
    assert signatures.vouched(project.store, version)
    with project.store.write() as tx:
        root = catalogue.download_address(tx.connection, "parcels", 1).removeprefix("mlflow-artifacts:/")
        files.put(tx.connection, f"{root}/model.pkl", project.store.objects.put(b"exchanged"), 9)
    assert not signatures.vouched(project.store, version)
    with pytest.raises(Refused, match="no trusted key vouches"):
        logged.examine(project, version)


def test_without_mlflow_a_signed_pickle_says_what_to_install(
    make_project: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THREEFOLD_MLFLOW_PYTHON", "/nowhere/python")
    project = make_project()
    version = pickled(project)
    signatures.sign(project.store, version)
    with pytest.raises(Refused, match="opened by mlflow, which /nowhere/python does not have") as refused:
        logged.examine(project, version)
    assert "threefold[mlflow]" in refused.value.do


def test_a_model_that_was_sealed_in_another_store_is_not_opened() -> None:
    mine, theirs = {"model.pkl": "aa", "MLmodel": "bb"}, {"model.pkl": "cc", "MLmodel": "bb"}
    seal.require_seal(mine, seal.seal(mine, b"key"), b"key", "here")
    for files_, key in ((theirs, b"key"), (mine, b"other"), (mine, None)):
        with pytest.raises(Refused, match="did not seal"):
            seal.require_seal(files_, seal.seal(mine, b"key"), key, "here")


def test_the_trees_of_a_booster_are_read_from_their_text_and_become_a_graph(make_project: Make) -> None:
    lightgbm = pytest.importorskip("lightgbm")
    project, table = make_project(), parcels()
    data = lightgbm.Dataset(table.select("weight").to_numpy(), table["late"].to_numpy(), feature_name=["weight"])
    settings = {"objective": "binary", "verbose": -1, "num_threads": 1, "num_leaves": 4}
    booster = lightgbm.train(settings, data, 20)
    said = {
        "flavors": {
            "lightgbm": {"data": "model.lgb", "model_class": "lightgbm.basic.Booster"},
            "python_function": {"loader_module": "mlflow.lightgbm"},
        },
        "signature": {"inputs": '[{"type": "double", "name": "weight", "required": true}]'},
    }
    content = {"MLmodel": yaml.safe_dump(said).encode(), "model.lgb": booster.model_to_string().encode()}
    version = logged.examine(project, log_folder(project.store, "parcels", content)).version
    assert version is not None
    arm = load_arm(project.store, 1, version.bundle)
    assert arm.bundle.format == "onnx"
    answer = arm.answer(np.array([[2.0, 9.0]], dtype=np.float32), [])
    assert answer.scores[:, 0] == pytest.approx(booster.predict(np.array([[2.0], [9.0]])), abs=1e-6)


def test_where_the_risk_is_high_a_person_approves_and_not_the_one_who_logged_it(make_project: Make) -> None:
    project = make_project(CANVAS.replace("risk: minimal", "risk: high"))
    project.store.actor = "ada"
    turn = logged.examine(project, log_version(project.store, "parcels", GOOD, COLUMNS))
    assert turn.version is not None and turn.version.status == "candidate"
    with pytest.raises(Refused, match="ada registered this version"):
        approvals.approve(project.store, turn.version, "ada", "mine", separate=True)
    project.store.actor = "bob"
    approvals.approve(project.store, turn.version, "bob", "I looked at it", separate=True)
    released = releasing.release_version(project, versions.get(project.store, "parcels", 1), "the first")
    assert released.approved_by == "bob" and len(released.evidence) == len(turn.results)
