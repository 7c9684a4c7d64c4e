"""The registry over the protocol."""

import pytest


@pytest.fixture
def model(door):
    door.post("registered-models/create", name="churn", tags=[{"key": "team", "value": "a"}], description="who leaves")
    return "churn"


@pytest.fixture
def version(door, model):
    def version(**more):
        made = door.post("model-versions/create", name=model, source="mlflow-artifacts:/0/run/artifacts/model", **more)
        return made["model_version"]["version"]

    return version


def test_a_model_is_made_once_and_described(door, model):
    assert door.refused("POST", "registered-models/create", name=model)[0] == "RESOURCE_ALREADY_EXISTS"
    door.send("PATCH", "registered-models/update", name=model, description="new")
    found = door.get("registered-models/get", name=model)["registered_model"]
    assert (found["description"], found["tags"]) == ("new", [{"key": "team", "value": "a"}])


def test_versions_are_numbered_and_a_number_never_comes_back(door, model, version):
    assert [version(), version()] == ["1", "2"]
    door.send("DELETE", "model-versions/delete", name=model, version="2")
    assert version() == "3"
    assert door.refused("GET", "model-versions/get", name=model, version="2")[0] == "RESOURCE_DOES_NOT_EXIST"


def test_a_version_of_a_logged_model_leads_to_its_files_and_its_run(door, model):
    run = door.post("runs/create", start_time=1)["run"]["info"]["run_id"]
    logged = door.post("logged-models", experiment_id="0", name="m", source_run_id=run)["model"]["info"]
    made = door.post(
        "model-versions/create", name=model, source=f"models:/{logged['model_id']}", model_id=logged["model_id"]
    )
    assert made["model_version"]["run_id"] == run
    asked = {"name": model, "version": made["model_version"]["version"]}
    assert door.get("model-versions/get-download-uri", **asked)["artifact_uri"] == logged["artifact_uri"]
    copied = door.post("model-versions/create", name=model, source=f"models:/{model}/1")["model_version"]["version"]
    assert (
        door.get("model-versions/get-download-uri", name=model, version=copied)["artifact_uri"]
        == logged["artifact_uri"]
    )
    tags = door.get(f"logged-models/{logged['model_id']}")["model"]["info"]["tags"]
    assert tags == [{"key": "mlflow.modelVersions", "value": '[{"name": "churn", "version": 1}]'}]


def test_an_alias_moves_and_every_move_is_kept(door, store, model, version):
    from threefold.registry import aliases

    version(), version()
    for number in ("1", "2"):
        door.post("registered-models/alias", name=model, alias="champion", version=number)
    assert door.get("registered-models/alias", name=model, alias="champion")["model_version"]["version"] == "2"
    assert door.get("model-versions/get", name=model, version="2")["model_version"]["aliases"] == ["champion"]
    door.send("DELETE", "registered-models/alias", name=model, alias="champion")
    assert door.refused("GET", "registered-models/alias", name=model, alias="champion")[0] == "INVALID_PARAMETER_VALUE"
    moves = aliases.history(store, model, "champion")
    assert [(move.before, move.after) for move in moves] == [(None, 1), (1, 2), (2, None)]


@pytest.mark.parametrize("alias", ["latest", "v3", "a b", "a/b", "x" * 256])
def test_an_alias_that_means_a_version_already_is_refused(door, model, version, alias):
    version()
    assert (
        door.refused("POST", "registered-models/alias", name=model, alias=alias, version="1")[0]
        == "INVALID_PARAMETER_VALUE"
    )


def test_stages_answer_old_clients(door, model, version):
    version(), version()
    for number in ("1", "2"):
        asked = {"name": model, "version": number, "stage": "production", "archive_existing_versions": True}
        door.post("model-versions/transition-stage", **asked)
    latest = door.post("registered-models/get-latest-versions", name=model)["model_versions"]
    assert {(one["version"], one["current_stage"]) for one in latest} == {("1", "Archived"), ("2", "Production")}
    wrong = {"name": model, "version": "1", "stage": "live", "archive_existing_versions": False}
    assert "Invalid Model Version stage" in door.refused("POST", "model-versions/transition-stage", **wrong)[1]


def test_a_renamed_model_keeps_its_versions_tags_and_aliases(door, model, version):
    version(tags=[{"key": "k", "value": "v"}])
    door.post("registered-models/alias", name=model, alias="a", version="1")
    door.post("registered-models/rename", name=model, new_name="leavers")
    assert door.refused("GET", "registered-models/get", name=model)[0] == "RESOURCE_DOES_NOT_EXIST"
    found = door.get("registered-models/alias", name="leavers", alias="a")["model_version"]
    assert (found["version"], found["tags"]) == ("1", [{"key": "k", "value": "v"}])


def test_a_deleted_model_is_gone_and_its_numbers_stay_used(door, model, version):
    version()
    door.send("DELETE", "registered-models/delete", name=model)
    assert door.get("model-versions/search").get("model_versions") == []
    door.post("registered-models/create", name=model)
    assert version() == "2"


def test_models_and_versions_are_found_by_filter(door, model, version):
    version(tags=[{"key": "kind", "value": "tree"}], run_id="r1")
    version(run_id="r2")
    for name in ("a1", "a2", "b"):
        door.post("registered-models/create", name=name)

    def models(text, **more):
        return [one["name"] for one in door.get("registered-models/search", filter=text, **more)["registered_models"]]

    def versions(text):
        return [one["version"] for one in door.get("model-versions/search", filter=text)["model_versions"]]

    assert models("name LIKE 'a%'") == ["a1", "a2"]
    assert models("name ILIKE 'A%' AND name != 'a1' OR tags.team = 'a'") == ["a2", "churn"]
    assert models("", order_by="name DESC", max_results=2) == ["churn", "b"]
    assert versions("name = 'churn'") == ["2", "1"]
    assert versions("tags.kind = 'tree'") == ["1"]
    assert versions("run_id IN ('r1', 'r2') AND version_number > 1") == ["2"]
    assert door.refused("GET", "model-versions/search", filter="run_id IN (1)")[0] == "INVALID_PARAMETER_VALUE"


def test_prompts_share_the_registry_and_are_found_only_when_asked_for(door, model):
    tags = [{"key": "mlflow.prompt.is_prompt", "value": "true"}]
    door.post("registered-models/create", name="greeting", tags=tags)
    door.post("model-versions/create", name="greeting", source="prompt-template", tags=tags)
    found = door.get("registered-models/search")["registered_models"]
    assert [one["name"] for one in found] == [model]
    text = {"key": "mlflow.prompt.text", "value": "x" * 100_001}
    body = {"name": "greeting", "source": "prompt-template", "tags": [*tags, text]}
    assert "Prompt text exceeds max length of 100000" in door.refused("POST", "model-versions/create", **body)[1]
    asked = door.get("registered-models/search", filter="tags.`mlflow.prompt.is_prompt` = 'true'")
    assert [one["name"] for one in asked["registered_models"]] == ["greeting"]


@pytest.mark.parametrize(
    "source",
    ["/etc/passwd", "file:///etc", "s3://b/../x", "mlflow-artifacts:/a/..%2f..%2fb", "mlflow-artifacts://h:1/a/../b"],
)
def test_a_source_that_leads_elsewhere_is_refused(door, model, source):
    code, message = door.refused("POST", "model-versions/create", name=model, source=source)
    assert code == "INVALID_PARAMETER_VALUE" and "Invalid model version source" in message


@pytest.fixture
def run_at_home(door):
    """A run whose files its clients keep in a folder of their own."""
    made = door.post("experiments/create", name="at home", artifact_location="file:///home/our%20models")
    run = door.post("runs/create", experiment_id=made["experiment_id"])["run"]["info"]
    return run["run_id"], run["artifact_uri"]


@pytest.mark.parametrize("below", ["", "/.", "/model", "/model/..", "/model/../other", "/a%20model"])
def test_a_local_source_lies_among_the_files_of_its_run(door, model, run_at_home, below):
    run, home = run_at_home
    door.post("model-versions/create", name=model, source=home + below, run_id=run)
    door.post("model-versions/create", name=model, source=home.removeprefix("file://") + below, run_id=run)
    assert "To use a local path" in door.refused("POST", "model-versions/create", name=model, source=home + below)[1]


@pytest.mark.parametrize("below", ["/..", "/../../../../etc", "/a/%2e%2e/%2e%2e", "2", "/x?/../../../etc", "/x#/../.."])
def test_a_local_source_cannot_climb_out_of_its_run(door, model, run_at_home, below):
    run, home = run_at_home
    source = home.removeprefix("file://") + below
    assert (
        "To use a local path" in door.refused("POST", "model-versions/create", name=model, source=source, run_id=run)[1]
    )


def test_a_file_of_another_machine_is_no_source(door, model):
    source = "file://10.1.2.3/models"
    code, message = door.refused("POST", "model-versions/create", name=model, source=source)
    assert code == "INTERNAL_ERROR" and "is not a valid remote uri" in message


def test_a_version_of_a_client_stands_beside_our_own(door, store, model, version):
    from threefold.registry import versions

    version()
    assert versions.get(store, model, 1).status == "candidate"


def test_an_order_that_means_nothing_is_refused(door):
    for route, order, said in (
        ("registered-models/search", "creation_timestamp", "Invalid order by key 'creation_timestamp' specified."),
        ("model-versions/search", "run_id", "Invalid attribute key 'run_id' specified."),
        ("model-versions/search", "name DESC twice", "Invalid order_by clause 'name DESC twice'"),
    ):
        assert said in door.refused("GET", route, order_by=order)[1]
