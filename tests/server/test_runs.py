"""Runs over the protocol: their life, what is logged to them, and how they are found."""

import json
import sys

import pytest

from threefold.store.tracking import histories


@pytest.fixture
def run(door):
    made = door.post("runs/create", start_time=456, run_name="mine", user_id="ada", tags=[{"key": "k", "value": "v"}])
    return made["run"]["info"]["run_id"]


def metric(name, value, step=0, at=1):
    return {"key": name, "value": value, "timestamp": at, "step": step}


def data_of(door, run):
    data = door.get("runs/get", run_id=run)["run"]["data"]
    return {kind: {one["key"]: one["value"] for one in data[kind]} for kind in data}


def test_a_run_is_begun_and_ended(door, run):
    door.post("runs/update", run_id=run, status="FINISHED", end_time=789)
    info = door.get("runs/get", run_id=run)["run"]["info"]
    assert (info["status"], info["start_time"], info["end_time"], info["user_id"]) == ("FINISHED", 456, 789, "ada")
    assert info["artifact_uri"] == f"mlflow-artifacts:/0/{run}/artifacts"
    assert data_of(door, run)["tags"] == {"k": "v", "mlflow.runName": "mine"}


def test_all_that_is_logged_is_there_afterwards(door, run):
    door.post("runs/log-metric", run_id=run, **metric("loss", 0.5, 1))
    door.post("runs/log-batch", run_id=run, metrics=[metric("loss", 0.25, 2), metric("odd", "NaN")],
              params=[{"key": "lr", "value": "0.1"}], tags=[{"key": "t", "value": "1"}])  # fmt: skip
    door.post("runs/set-tag", run_id=run, key="mlflow.runName", value="renamed")
    found = data_of(door, run)
    assert found["metrics"] == {"loss": 0.25, "odd": "NaN"}
    assert found["params"] == {"lr": "0.1"}
    assert door.get("runs/get", run_id=run)["run"]["info"]["run_name"] == "renamed"


def test_the_last_value_is_that_of_the_largest_step_even_when_steps_come_out_of_order(door, run):
    door.post("runs/log-batch", run_id=run, metrics=[metric("a", 3.0, 5, 10), metric("a", 9.0, 1, 99)])
    assert data_of(door, run)["metrics"] == {"a": 3.0}


def test_infinity_comes_back_as_the_largest_number(door, run):
    door.post("runs/log-metric", run_id=run, **metric("up", "Infinity"))
    assert data_of(door, run)["metrics"]["up"] == sys.float_info.max  # as MLflow sends it


def test_a_parameter_does_not_change(door, run):
    door.post("runs/log-parameter", run_id=run, key="lr", value="1")
    door.post("runs/log-parameter", run_id=run, key="lr", value="1")
    code, message = door.refused("POST", "runs/log-parameter", run_id=run, key="lr", value="2")
    assert code == "INVALID_PARAMETER_VALUE" and "Changing param values is not allowed" in message


def test_a_batch_is_logged_whole_or_not_at_all(door, run):
    body = {"metrics": [metric("bad&name", 1.0)], "params": [{"key": "p", "value": "1"}]}
    door.refused("POST", "runs/log-batch", run_id=run, **body)
    assert data_of(door, run)["params"] == {}


@pytest.mark.parametrize(
    ("route", "body", "said"),
    [
        ("runs/log-metric", {"key": "m", "timestamp": 1}, "Missing value for required parameter 'value'. "),
        ("runs/log-batch", {"metrics": [{"key": "mae", "value": 2.5}]}, "required parameter 'metrics[0].timestamp'"),
        ("runs/log-batch", {"metrics": [metric("m", None)]}, "required parameter 'metrics[0].value'"),
        ("runs/log-metric", {"key": "m", "value": 1, "timestamp": 2**63}, "for parameter 'timestamp'"),
        ("runs/log-batch", {"metrics": [{**metric("m", 1), "timestamp": 2**63}]}, "'metrics[0].timestamp'"),
        ("runs/log-batch", {"metrics": [{**metric("m", 1), "step": -(2**70)}]}, "'metrics[0].step'"),
        ("runs/log-metric", {"key": "m", "value": 1, "timestamp": 1, "step": "foo"}, 'Invalid value "foo"'),
        ("runs/log-metric", {"key": "k" * 251, "value": 1, "timestamp": 1}, "maximum length of 250"),
        ("runs/log-metric", {"key": "../up", "value": 1, "timestamp": 1}, "may be treated as files"),
        ("runs/log-batch", {"metrics": [metric(f"m{n}", 1) for n in range(1001)]}, "at most 1000 metrics"),
        ("runs/log-batch", {"params": [{"key": "a", "value": ""}] * 2}, "Duplicate parameter keys"),
        ("runs/log-batch", {"tags": [{"key": "big", "value": "x" * 10_000_001}]}, "at most 10000000 bytes"),
        ("runs/set-tag", {"key": 3}, "Invalid value 3 for parameter 'key'"),
    ],
)
def test_what_cannot_be_logged_is_refused(door, run, route, body, said):
    code, message = door.refused("POST", route, run_id=run, **body)
    assert code == "INVALID_PARAMETER_VALUE" and said in message


def test_a_deleted_run_takes_nothing_until_it_is_restored(door, run):
    door.post("runs/delete", run_id=run)
    assert "'active' state" in door.refused("POST", "runs/set-tag", run_id=run, key="a", value="b")[1]
    door.post("runs/restore", run_id=run)
    door.post("runs/set-tag", run_id=run, key="a", value="b")


def test_an_unknown_run_does_not_exist(door):
    assert door.refused("GET", "runs/get", run_id="nope")[0] == "RESOURCE_DOES_NOT_EXIST"
    assert door.refused("POST", "runs/log-metric", run_id="nope", **metric("a", 1))[0] == "RESOURCE_DOES_NOT_EXIST"


@pytest.fixture
def five(door):
    for number, accuracy in enumerate((0.1, 0.9, "NaN", 0.5, None)):
        run = door.post("runs/create", start_time=100 + number, run_name=f"r{number}")["run"]["info"]["run_id"]
        if accuracy is not None:
            door.post("runs/log-metric", run_id=run, **metric("my acc", accuracy))
        door.post("runs/log-batch", run_id=run, params=[{"key": "lr", "value": str(number % 2)}])
    return door


def names(door, **asked):
    return [one["info"]["run_name"] for one in door.post("runs/search", experiment_ids=["0"], **asked)["runs"]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("metrics.`my acc` > 0.3", ["r3", "r1"]),
        ("params.lr = '1' AND attributes.start_time >= 102", ["r3"]),
        ("params.lr = '1' OR run_name = 'r0'", ["r3", "r1", "r0"]),
        ("NOT (params.lr = '1' OR run_name = 'r0') AND start_time < 104", ["r2"]),
        ("run_name LIKE 'R%'", []),
        ("run_name ILIKE 'R%' AND metrics.\"my acc\" <= 0.1", ["r0"]),
        ("status = 'RUNNING' AND tags.`mlflow.runName` != 'r4'", ["r3", "r2", "r1", "r0"]),
        ("params.none IS NULL AND params.lr IS NOT NULL AND start_time = 100", ["r0"]),
    ],
)
def test_a_filter_finds_runs(five, text, expected):
    assert names(five, filter=text) == expected


def test_order_puts_what_is_not_a_number_behind_and_what_is_missing_last(five):
    assert names(five, order_by=["metrics.`my acc` DESC"]) == ["r1", "r3", "r0", "r2", "r4"]
    assert names(five, order_by=["metrics.`my acc`"], max_results=2) == ["r0", "r3"]


def test_pages_follow_one_another_and_the_count_is_told_when_asked(five):
    first = five.post("runs/search", experiment_ids=["0"], max_results=3, count=True)
    assert first["total"] == 5
    rest = five.post("runs/search", experiment_ids=["0"], max_results=3, page_token=first["next_page_token"])
    assert len(rest["runs"]) == 2 and "next_page_token" not in rest


@pytest.mark.parametrize(
    "text",
    [
        "lifecycle_stage = 'active'",
        "experiment_id = '0'",
        "metrics.a >",
        "foo = 'x'",
        "metrics.a > 'x'",
        "(" * 5_000,
        "a = 'x' b",
        "params.a = 1",
    ],
)
def test_a_filter_that_means_nothing_is_refused(door, text):
    assert door.refused("POST", "runs/search", experiment_ids=["0"], filter=text)[0] == "INVALID_PARAMETER_VALUE"


def test_a_history_is_read_page_by_page_in_the_order_of_time(door, run):
    late = [metric("m", float(n), n, 1000 - n) for n in range(10)]
    door.post("runs/log-batch", run_id=run, metrics=late)
    steps, token = [], None
    while True:
        asked = {"run_id": run, "metric_key": "m", "max_results": 4, **({"page_token": token} if token else {})}
        page = door.get("metrics/get-history", **asked)
        steps += [one["step"] for one in page["metrics"]]
        token = page.get("next_page_token")
        if token is None:
            break
    assert steps == list(range(9, -1, -1))


def test_a_page_of_no_points_is_empty(door, run):
    door.post("runs/log-metric", run_id=run, **metric("m", 1.0))
    assert door.get("metrics/get-history", run_id=run, metric_key="m", max_results=0) == {"metrics": []}
    assert door.refused("GET", "metrics/get-history", run_id=run, metric_key="m", max_results=-1)


def test_a_drawing_gets_evenly_spread_steps_with_both_ends(door, run):
    door.post("runs/log-batch", run_id=run, metrics=[metric("m", float(n), n, n) for n in range(100)])
    found = door.get("metrics/get-history-bulk-interval", run_ids=run, metric_key="m", max_results=4)["metrics"]
    assert [one["step"] for one in found] == [0, 25, 50, 75, 99]


def test_a_drawing_of_a_long_history_has_evenly_spread_steps_with_both_ends(door, run, monkeypatch):
    monkeypatch.setattr(histories, "WHOLE", 50)
    door.post("runs/log-batch", run_id=run, metrics=[metric("m", float(n), n, n) for n in range(1_000)])

    def steps(**more):
        found = door.get("metrics/get-history-bulk-interval", run_ids=run, metric_key="m", **more)["metrics"]
        return [one["step"] for one in found]

    assert steps(max_results=4) == [0, 250, 500, 750, 999]
    assert steps(max_results=2, start_step=100, end_step=199) == [100, 150, 199]
    assert steps(max_results=4, start_step=2_000, end_step=3_000) == []
    begun_again = [metric("m", float(n), n, 2_000 + n) for n in range(900, 1_000)]
    door.post("runs/log-batch", run_id=run, metrics=begun_again)
    assert steps(max_results=4)[0] == 0
    assert steps(max_results=2, start_step=100, end_step=199) == [100, 150, 199]


def test_a_dataset_and_a_model_belong_to_the_run_that_used_them(door, run):
    dataset = {"name": "flights", "digest": "abc", "source_type": "local", "source": "x"}
    tags = [{"key": "mlflow.data.context", "value": "train"}]
    door.post(
        "runs/log-inputs", run_id=run, datasets=[{"dataset": dataset, "tags": tags}], models=[{"model_id": "m-1"}]
    )
    door.post("runs/outputs", run_id=run, models=[{"model_id": "m-2", "step": 3}])
    found = door.get("runs/get", run_id=run)["run"]
    assert found["inputs"]["dataset_inputs"] == [{"dataset": dataset, "tags": tags}]
    assert found["outputs"]["model_outputs"] == [{"model_id": "m-2", "step": 3}]
    assert names(door, filter="dataset.name = 'flights' AND datasets.context IN ('train')") == ["mine"]


@pytest.mark.parametrize(
    ("tag", "said"),
    [
        ({"value": "train"}, "InputTag key cannot be None"),
        ({"key": "for"}, "InputTag value cannot be None"),
        ({"key": "k" * 256, "value": ""}, "'key' exceeds the maximum length of 255"),
        ({"key": "k", "value": "v" * 501}, "'value' exceeds the maximum length of 500"),
    ],
)
def test_a_tag_of_a_dataset_has_a_name_and_a_value_of_some_length(door, run, tag, said):
    dataset = {"name": "flights", "digest": "abc", "source_type": "local", "source": "x"}
    uses = [{"dataset": dataset, "tags": [tag]}]
    assert said in door.refused("POST", "runs/log-inputs", run_id=run, datasets=uses)[1]


def test_a_model_of_an_old_client_is_kept_in_a_tag_without_its_configuration(door, run):
    flavors = {"python_function": {"config": {"a": 1}, "code": "c"}}
    model = {"run_id": run, "flavors": flavors, "artifact_path": "model", "utc_time_created": "now", "extra": 1}
    door.post("runs/log-model", run_id=run, model_json=json.dumps(model))
    kept = json.loads(data_of(door, run)["tags"]["mlflow.log-model.history"])
    assert [list(one) for one in kept] == [["run_id", "artifact_path", "utc_time_created", "flavors"]]
    assert kept[0]["flavors"] == {"python_function": {"code": "c"}}


def test_runs_of_the_engine_and_of_clients_are_found_together(door, store):
    from threefold.pipeline import runs

    runs.start(store, project="flights", name="pipeline run")
    key = door.get("experiments/get-by-name", experiment_name="flights")["experiment"]["experiment_id"]
    found = door.post("runs/search", experiment_ids=[key])["runs"]
    assert [one["info"]["run_name"] for one in found] == ["pipeline run"]


def test_a_search_may_name_more_experiments_than_postgres_takes_parameters(door):
    run = door.post("runs/create", start_time=1)["run"]["info"]["run_id"]
    many = [str(number) for number in range(70_000)]
    assert [one["info"]["run_id"] for one in door.post("runs/search", experiment_ids=many)["runs"]] == [run]
    assert door.post("logged-models/search", experiment_ids=many).get("models", []) == []
