"""Logged models over the protocol."""

import pytest


@pytest.fixture
def model(door):
    parts = {"params": [{"key": "depth", "value": "3"}], "tags": [{"key": "stage", "value": "dev"}]}
    return door.post("logged-models", experiment_id="0", name="trees", **parts)["model"]["info"]["model_id"]


def test_a_model_is_pending_until_its_files_are_there(door, model):
    made = door.get(f"logged-models/{model}")["model"]
    assert made["info"]["status"] == "LOGGED_MODEL_PENDING"
    assert made["info"]["artifact_uri"] == f"mlflow-artifacts:/0/models/{model}/artifacts"
    door.send("PATCH", f"logged-models/{model}", status="LOGGED_MODEL_READY")
    assert door.get(f"logged-models/{model}")["model"]["info"]["status"] == "LOGGED_MODEL_READY"


def test_tags_and_params_are_kept(door, model):
    door.send(
        "PATCH", f"logged-models/{model}/tags", tags=[{"key": "stage", "value": "prod"}, {"key": "a/b", "value": "1"}]
    )
    door.send("DELETE", f"logged-models/{model}/tags/a/b")
    door.post(f"logged-models/{model}/params", params=[{"key": "width", "value": "4"}])
    found = door.get(f"logged-models/{model}")["model"]
    assert found["info"]["tags"] == [{"key": "stage", "value": "prod"}]
    assert {one["key"] for one in found["data"]["params"]} == {"depth", "width"}


def test_what_a_run_measured_on_a_model_is_found_by_it(door, model):
    run = door.post("runs/create", start_time=1)["run"]["info"]["run_id"]
    measured = {"key": "acc", "value": 0.9, "timestamp": 1, "step": 0, "model_id": model, "dataset_name": "d"}
    door.post("runs/log-metric", run_id=run, **measured)
    for asked in ({"filter": "metrics.acc > 0.5 AND params.depth = '3'"}, {"datasets": [{"dataset_name": "d"}]}):
        found = door.post("logged-models/search", experiment_ids=["0"], **asked)["models"]
        assert [one["info"]["model_id"] for one in found] == [model]
    assert door.post("logged-models/search", experiment_ids=["0"], filter="metrics.acc > 0.95")["models"] == []


def test_a_deleted_model_is_gone_unless_asked_for(door, model):
    door.send("DELETE", f"logged-models/{model}")
    assert door.refused("GET", f"logged-models/{model}")[0] == "RESOURCE_DOES_NOT_EXIST"
    assert door.get(f"logged-models/{model}", allow_deleted="true")["model"]["info"]["model_id"] == model


def test_a_name_that_would_be_a_path_is_refused(door):
    assert "Invalid model name" in door.refused("POST", "logged-models", experiment_id="0", name="a/b")[1]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Foo", "Invalid filter string 'Foo'"),
        ("name = 'a' OR name = 'b'", "Invalid filter string"),
        ("foo.bar = 'a'", "Invalid entity type"),
        ("name > 'a'", "Invalid comparison operator"),
        ("metrics.acc LIKE 0", "Invalid comparison operator"),
        ("creation_time LIKE '1'", "Invalid comparison operator"),
        ("status > 'READY'", "Invalid comparison operator"),
    ],
)
def test_a_filter_that_mlflow_refuses_here_is_refused(door, text, said):
    assert said in door.refused("POST", "logged-models/search", experiment_ids=["0"], filter=text)[1]


def test_beyond_mlflow_a_filter_takes_or_in_parentheses(door, model):
    text = "(name = 'trees' OR name = 'forest') AND params.depth = '3'"
    found = door.post("logged-models/search", experiment_ids=["0"], filter=text)["models"]
    assert [one["info"]["model_id"] for one in found] == [model]


@pytest.mark.parametrize(
    ("text", "found"),
    [("status = 'PENDING'", 1), ("status LIKE 'PEND%'", 1), ("status ILIKE 'ready'", 0), ("status != 'READY'", 1)],
)
def test_the_status_of_a_model_is_compared_as_a_text(door, model, text, found):
    assert len(door.post("logged-models/search", experiment_ids=["0"], filter=text)["models"]) == found


def test_a_page_token_is_for_the_search_that_gave_it(door, model):
    door.post("logged-models", experiment_id="0", name="forest")
    asked = {"experiment_ids": ["0"], "max_results": 1, "filter": "name LIKE '%'"}
    first = door.post("logged-models/search", **asked)
    token = first["next_page_token"]
    assert door.post("logged-models/search", **asked, page_token=token)["models"][0]["info"]["model_id"] == model
    for change, said in (
        ({"experiment_ids": ["1"]}, "Experiment IDs in the page token do not match"),
        ({"filter": "name = 'trees'"}, "Filter string in the page token does not match"),
        ({"order_by": [{"field_name": "name"}]}, "Order by in the page token does not match"),
    ):
        other = {**asked, **change, "page_token": token}
        assert said in door.refused("POST", "logged-models/search", **other)[1]


@pytest.mark.parametrize("count", [-1, 50_001])
def test_a_page_of_models_has_a_sensible_size(door, count):
    assert "max_results" in door.refused("POST", "logged-models/search", experiment_ids=["0"], max_results=count)[1]


def test_its_files_are_listed_and_read_as_the_pages_of_mlflow_ask_for_them(door, model):
    root = door.get(f"logged-models/{model}")["model"]["info"]["artifact_uri"]
    path = f"/api/2.0/mlflow-artifacts/artifacts/{root.removeprefix('mlflow-artifacts:/')}/data/weights"
    door.ask("PUT", path, content=b"1")
    pages = f"/ajax-api/2.0/mlflow/logged-models/{model}/artifacts"
    found = door.ask("GET", f"{pages}/directories", params={"artifact_directory_path": "data"}).json()
    assert found == {"root_uri": root, "files": [{"path": "data/weights", "is_dir": False, "file_size": 1}]}
    assert door.ask("GET", f"{pages}/files", params={"artifact_file_path": "data/weights"}).content == b"1"
    assert door.ask("GET", f"{pages}/files").json()["error_code"] == "BAD_REQUEST"
    assert door.ask("GET", f"{pages}/files", params={"artifact_file_path": "../x"}).status_code == 400
