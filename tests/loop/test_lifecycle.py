from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import polars as pl
import pytest

from threefold.errors import DataError, GateFailed, LeakError, NotFound, Refused, StepFailed, ThreefoldError
from threefold.loop import lifecycle
from threefold.loop.project import Project
from threefold.packaging.bundles import load_bundle
from threefold.pipeline import runs
from threefold.registry import approvals, evidence, releases, versions
from threefold.serving import routing

Make = Callable[..., Project]


CANVAS = """\
threefold: 1
project: parcels
value: {mistakes: {false_positive: 1 EUR, false_negative: 4 EUR}, risk: minimal}
data:
  parcels: {source: data/parcels.csv, time: sent_at, later: {arrived_at: [late]}, key: id}
predict: {target: late, at: sent_at, id: id, split: {by: time, test: 20%}}
train: {baseline: rate by depot, candidates: [linear], budget: 5 s}
accept: {roc_auc: ">= 0.6"}
"""


def statuses(turn: lifecycle.Turn) -> set[str]:
    return {one.status for one in turn.outcome.executions}


def test_one_turn_leads_from_a_table_to_a_release(make_project: Make) -> None:
    project = make_project()
    turn = lifecycle.turn(project)
    assert turn.version is not None and turn.version.status == "released"
    assert turn.version.metrics["roc_auc"] > 0.6
    assert routing.current(project.store, "parcels").arms[0].number == turn.version.number
    assert releases.list_releases(project.store)[0].evidence


def test_an_unchanged_turn_executes_no_step_and_releases_nothing(make_project: Make) -> None:
    project = make_project()
    first = lifecycle.turn(project)
    again = lifecycle.turn(project)
    assert statuses(again) == {"reused"}
    assert again.version == first.version
    assert again.release is None
    assert len(releases.list_releases(project.store)) == 1


def test_a_changed_gate_trains_nothing_again(make_project: Make) -> None:
    lifecycle.turn(make_project(CANVAS))
    project = make_project(CANVAS.replace(">= 0.6", ">= 0.61"))
    turn = lifecycle.turn(project)
    ran = {one.step for one in turn.outcome.executions if one.status == "ran"}
    assert "accept" in ran
    assert not {one for one in ran if one.startswith("train/") or one == "features"}


def test_a_model_that_misses_its_gate_is_registered_as_refused_and_not_released(make_project: Make) -> None:
    project = make_project(CANVAS.replace(">= 0.6", ">= 0.999"))
    with pytest.raises(GateFailed, match="roc_auc"):
        lifecycle.turn(project)
    assert versions.get(project.store, "parcels", 1).status == "refused"
    assert evidence.of(project.store, "model parcels/1")
    assert not releases.list_releases(project.store)


def test_a_refused_model_is_refused_again_without_running_anything(make_project: Make) -> None:
    project = make_project(CANVAS.replace(">= 0.6", ">= 0.999"))
    for _ in range(2):
        with pytest.raises(GateFailed):
            lifecycle.turn(project)
    assert len(versions.list_versions(project.store)) == 1


def test_a_high_risk_model_waits_for_a_person(make_project: Make) -> None:
    project = make_project(CANVAS.replace("risk: minimal", "risk: high"))
    turn = lifecycle.turn(project)
    assert turn.version is not None and turn.version.status == "candidate"
    assert turn.release is None


def test_a_prohibited_use_is_refused(make_project: Make) -> None:
    project = make_project(CANVAS.replace("risk: minimal", "risk: prohibited"))
    with pytest.raises(Refused, match="prohibited"):
        lifecycle.turn(project)


def test_a_rolled_back_version_is_not_pushed_again_by_the_next_run(make_project: Make) -> None:
    project = make_project()
    lifecycle.turn(project, as_of=datetime(2026, 1, 30))
    second = lifecycle.turn(project)
    assert second.release is not None
    routing.rollback(project.store, "parcels", "it went wrong")
    lifecycle.turn(project)
    assert routing.current(project.store, "parcels").arms[0].number == 1


def test_a_training_as_of_a_moment_sees_no_label_that_came_later(make_project: Make) -> None:
    project = make_project()
    turn = lifecycle.turn(project, stage="features", as_of=datetime(2026, 1, 20))
    known = turn.outcome.value("know/parcels")
    assert known["sent_at"].max() <= datetime(2026, 1, 20)
    late = known.filter(pl.col("sent_at") > datetime(2026, 1, 19))
    assert late.height and late["late"].null_count() == late.height


def test_a_feature_that_knows_the_future_is_refused_with_the_reason(make_project: Make) -> None:
    leaky = "def leak(parcels):\n    return parcels.select('weight', 'late')\n"
    with pytest.raises(LeakError, match="late"):
        lifecycle.turn(make_project(features=leaky), stage="features")


def test_a_view_that_looks_at_the_whole_table_is_refused(make_project: Make) -> None:
    blind = (
        "import polars as pl\nfrom threefold import view\n\n"
        "@view(key='depot', known='arrived_at')\n"
        "def depot(parcels):\n"
        "    mean = pl.col('weight').mean().over('depot').alias('mean_weight')\n"
        "    return parcels.select('depot', 'arrived_at', mean)\n"
        "\ndef own(parcels):\n    return parcels.select('weight')\n"
    )
    with pytest.raises(LeakError, match="mean_weight"):
        lifecycle.turn(make_project(features=blind), stage="features")


def test_stages_stop_where_they_are_told(make_project: Make) -> None:
    turn = lifecycle.turn(make_project(), stage="data")
    assert {one.stage for one in turn.outcome.executions} == {"data"}
    assert turn.version is None


def test_an_unknown_stage_is_answered_with_those_there_are(make_project: Make) -> None:
    with pytest.raises(NotFound, match="features"):
        lifecycle.plan(make_project(), stage="featres")


def test_a_target_that_is_not_there_is_answered_with_the_nearest(make_project: Make) -> None:
    with pytest.raises(DataError, match="late"):
        lifecycle.turn(make_project(CANVAS.replace("target: late", "target: lat").replace("[late]", "[weight]")))


def test_a_column_that_vanished_since_the_champion_stops_the_run(make_project: Make) -> None:
    project = make_project()
    lifecycle.turn(project)
    table = pl.read_csv(project.root / "data" / "parcels.csv", try_parse_dates=True).drop("weight")
    with pytest.raises(DataError, match="weight"):
        lifecycle.turn(make_project(table=table))


def test_a_project_function_that_raises_is_named_with_its_line(make_project: Make) -> None:
    project = make_project(data="def clean_parcels(parcels):\n    return parcels.nothing_such()\n")
    with pytest.raises(StepFailed, match=r"data\.py:2"):
        lifecycle.turn(project)


def test_functions_of_steps_py_make_tables_for_views(make_project: Make) -> None:
    project = make_project(
        steps="def depots(parcels):\n    return parcels.group_by('depot').agg(size=__import__('polars').len())\n",
        features=(
            "from threefold import view\n\n@view(key='depot')\ndef size(depots):\n    return depots\n"
            "\ndef own(parcels):\n    return parcels.select('weight')\n"
        ),
    )
    turn = lifecycle.turn(project, stage="features")
    assert {"size", "weight"} <= set(turn.outcome.value("features").columns)


def test_a_command_line_is_a_step_with_declared_inputs_and_outputs(make_project: Make) -> None:
    steps = "steps: {count: {run: 'wc -l < {parcels.csv} > {lines.txt}', inputs: [parcels], outputs: [lines.txt]}}\n"
    turn = lifecycle.turn(make_project(CANVAS + steps), stage="data")
    assert int(turn.outcome.value("step/count.lines.txt")) >= 1200


def test_a_check_of_the_project_is_a_gate(make_project: Make) -> None:
    project = make_project(checks="def no_heavy_parcels(test):\n    'Nobody sends stones.'\n    return False\n")
    with pytest.raises(GateFailed, match=r"stones|heavy"):
        lifecycle.turn(project)


def test_regression_and_several_classes_turn_the_same_way(make_project: Make) -> None:
    numbers = CANVAS.replace("target: late", "target: weight").replace("[late]", "[late, weight]")
    numbers = numbers.replace('roc_auc: ">= 0.6"', 'rmse: "<= 1000"').replace("rate by depot", "prior")
    turn = lifecycle.turn(make_project(numbers), stage="train")
    assert turn.outcome.value("task").problem == "regression"
    classes = CANVAS.replace("target: late", "target: depot").replace("[late]", "[late, depot]")
    classes = classes.replace('roc_auc: ">= 0.6"', 'macro_f1: ">= 0"').replace("rate by depot", "prior")
    turn = lifecycle.turn(make_project(classes), stage="train")
    assert turn.outcome.value("task").problem == "multiclass"


def test_a_gate_that_does_not_fit_the_problem_is_refused_before_anything_is_trained(make_project: Make) -> None:
    project = make_project(CANVAS.replace("roc_auc", "rmse"))
    with pytest.raises(ThreefoldError, match="rmse"):
        lifecycle.turn(project)
    assert not runs.list_runs(project.store, kind="candidate")


def test_any_object_with_fit_and_predict_may_be_a_candidate(make_project: Make) -> None:
    own = (
        "class guess:\n"
        "    def __init__(self, task):\n        self.rate = 0.0\n"
        "    def fit(self, X, y):\n        self.cut = X['weight'].mean()\n        return self\n"
        "    def predict(self, X):\n        return (X['weight'] > self.cut).cast(float).to_numpy() * 0.6 + 0.2\n"
        "    def predict_proba(self, X):\n        import numpy as np\n"
        "        p = self.predict(X)\n        return np.stack([1 - p, p], axis=1)\n"
    )
    project = make_project(CANVAS.replace("[linear]", "[guess]"), model=own)
    turn = lifecycle.turn(project)
    assert turn.version is not None and turn.version.lineage.candidate == "guess"


ONE_BAD_CELL = "p1200,2026-02-09T23:59:59,2026-02-10T23:59:59,abc,north,1\n"


def add_line(project: Project, line: str) -> None:
    with (project.root / "data" / "parcels.csv").open("a") as file:
        file.write(line)


def test_one_bad_cell_in_a_column_of_numbers_stops_the_run_and_is_named_with_its_line(make_project: Make) -> None:
    project = make_project()
    lifecycle.turn(project)
    add_line(project, ONE_BAD_CELL)
    with pytest.raises(DataError, match=r"'weight' .* promised is a number.*'abc'") as caught:
        lifecycle.turn(project)
    assert caught.value.where == "data/parcels.csv:1202"
    assert "--accept parcels" in caught.value.do
    assert len(versions.list_versions(project.store)) == 1


def test_a_new_shape_of_a_table_can_be_accepted_on_purpose(make_project: Make) -> None:
    project = make_project()
    lifecycle.turn(project)
    table = pl.read_csv(project.root / "data" / "parcels.csv", try_parse_dates=True).drop("weight")
    project = make_project(CANVAS.replace(">= 0.6", ">= 0.4"), table=table)
    with pytest.raises(DataError, match="weight") as caught:
        lifecycle.turn(project)
    assert "threefold run --accept parcels" in caught.value.do
    turn = lifecycle.turn(project, accept=["parcels"])
    assert turn.release is not None and turn.release.number == 2
    again = lifecycle.turn(project)  # what was accepted once holds
    assert statuses(again) == {"reused"} and again.version == turn.version


def test_only_a_table_of_the_canvas_can_be_accepted(make_project: Make) -> None:
    with pytest.raises(NotFound, match="did you mean 'parcels'"):
        lifecycle.turn(make_project(), accept=["parcel"])


def test_a_version_that_passes_now_is_approved_although_a_gate_refused_it_before(make_project: Make) -> None:
    project = make_project(CANVAS)
    first = lifecycle.turn(project)
    project = make_project(CANVAS.replace(">= 0.6", ">= 0.99"))
    with pytest.raises(GateFailed, match=r"roc_auc.*version 1 answers in production") as caught:
        lifecycle.turn(project)
    assert "threefold release approve 1" in caught.value.do
    assert versions.get(project.store, "parcels", 1).status == "refused"
    again = lifecycle.turn(make_project(CANVAS))  # the gate is taken back: its test is an old one, and is reused
    assert again.version is not None and again.version.status == "released"
    newest = evidence.newest(project.store, "model parcels/1")
    assert [one.result.passed for one in newest] == [one.passed for one in first.results]
    assert len(evidence.of(project.store, "model parcels/1")) == 3 * len(newest)


def test_what_a_person_approved_in_spite_of_a_gate_stays_approved(make_project: Make) -> None:
    project = make_project(CANVAS.replace(">= 0.6", ">= 0.99"))
    with pytest.raises(GateFailed):
        lifecycle.turn(project)
    approvals.approve(project.store, versions.get(project.store, "parcels", 1), "Ada", "good enough for a trial")
    turn = lifecycle.turn(project)
    assert turn.version is not None and turn.version.status == "released"


def test_a_run_that_comes_to_a_replaced_version_says_who_stays_in_production(make_project: Make) -> None:
    project = make_project()
    lifecycle.turn(project, as_of=datetime(2026, 1, 30))
    lifecycle.turn(project)
    turn = lifecycle.turn(project, as_of=datetime(2026, 1, 30))
    assert turn.version is not None and turn.version.number == 1 and turn.release is None
    assert "version 2 stays in production" in turn.held
    assert "threefold release deploy 1" in turn.held


@pytest.mark.parametrize("spoil", ["removed", "damaged"])
def test_whatever_the_store_lost_is_made_again_by_the_next_run(make_project: Make, spoil: str) -> None:
    project = make_project(CANVAS.replace("roc_auc:", "roc_auc over champion: '>= 0.01', roc_auc:"))
    first = lifecycle.turn(project)
    objects, bundle = project.store.objects, load_bundle(project.store, first.version.bundle if first.version else "")
    for digest in list(objects.digests()):
        data = objects.get(digest)
        objects.path(digest).unlink() if spoil == "removed" else objects.path(digest).write_bytes(data[:-1] + b"!")
        again = lifecycle.turn(project)
        assert (again.version, again.release) == (first.version, None)
        for part in bundle.files.values():
            objects.get(part)


def test_a_step_that_ends_the_process_is_a_step_that_failed(make_project: Make) -> None:
    project = make_project(data="import sys\n\n\ndef clean_parcels(parcels):\n    sys.exit(0)\n")
    with pytest.raises(StepFailed, match=r"SystemExit.*data\.py:5"):
        lifecycle.turn(project)
    project = make_project(CANVAS.replace("[linear]", "[own]"), data="", model="def own():\n    raise SystemExit\n")
    with pytest.raises(StepFailed, match=r"SystemExit.*model\.py:2"):
        lifecycle.turn(project)


@pytest.mark.parametrize(
    ("old", "new", "says", "line", "near"),
    [
        ("id: id, split", "id: id, leave out: [wieght], split", "'wieght'", "threefold.yaml:6", "'weight'"),
        ("target: late", "target: lat", "target 'lat'", "threefold.yaml:6", "'late'"),
        ("id: id, split", "id: idd, split", "'idd'", "threefold.yaml:6", "'id'"),
        ("key: id}", "key: idd}", "'idd'", "threefold.yaml:5", "'id'"),
    ],
)
def test_a_column_that_the_canvas_names_and_no_table_has_is_answered_with_its_line(
    make_project: Make, old: str, new: str, says: str, line: str, near: str
) -> None:
    with pytest.raises(DataError, match=says) as caught:
        lifecycle.turn(make_project(CANVAS.replace(old, new)), stage="features")
    assert caught.value.where.startswith(line)
    assert f"did you mean {near}?" in caught.value.do


def test_a_table_with_a_name_that_is_kept_for_ourselves_is_refused(make_project: Make) -> None:
    project = make_project(data="def clean_parcels(parcels):\n    return parcels.rename({'weight': '_target'})\n")
    with pytest.raises(DataError, match="'_target', a name that Threefold keeps"):
        lifecycle.turn(project, stage="data")


def test_the_label_may_come_with_the_time_of_the_table_itself(make_project: Make) -> None:
    canvas = CANVAS.replace("time: sent_at, later: {arrived_at", "time: arrived_at, later: {arrived_at")
    turn = lifecycle.turn(make_project(canvas), as_of=datetime(2026, 1, 25))
    assert turn.version is not None


def test_an_as_of_needs_a_time_in_the_canvas(make_project: Make) -> None:
    canvas = CANVAS.replace("time: sent_at, later: {arrived_at: [late]}, ", "").replace("at: sent_at, ", "")
    canvas = canvas.replace("split: {by: time, test: 20%}", "leave out: [arrived_at]")
    with pytest.raises(DataError, match="no table of the canvas has a time"):
        lifecycle.turn(make_project(canvas), as_of=datetime(2026, 1, 25))
