"""Experiments over the protocol."""

import pytest


def test_an_experiment_is_made_renamed_deleted_and_restored(door):
    key = door.post("experiments/create", name="trees", tags=[{"key": "team", "value": "a"}])["experiment_id"]
    made = door.get("experiments/get", experiment_id=key)["experiment"]
    assert (made["name"], made["lifecycle_stage"], made["tags"]) == ("trees", "active", [{"key": "team", "value": "a"}])
    assert made["artifact_location"] == f"mlflow-artifacts:/{key}"
    door.post("experiments/update", experiment_id=key, new_name="forests")
    assert door.get("experiments/get-by-name", experiment_name="forests")["experiment"]["experiment_id"] == key
    door.post("experiments/delete", experiment_id=key)
    assert door.refused("POST", "experiments/delete", experiment_id=key)[0] == "RESOURCE_DOES_NOT_EXIST"
    door.post("experiments/restore", experiment_id=key)
    assert door.get("experiments/get", experiment_id=key)["experiment"]["lifecycle_stage"] == "active"


def test_a_name_is_given_once(door):
    door.post("experiments/create", name="trees")
    code, message = door.refused("POST", "experiments/create", name="trees")
    assert code == "RESOURCE_ALREADY_EXISTS" and "already exists" in message


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "Missing value for required parameter 'name'"),
        ({"name": 123}, "Invalid value 123 for parameter 'name'"),
        ({"name": "n" * 501}, "exceeds the maximum length of 500"),
        ({"name": "x", "tags": "5"}, "Invalid value \"5\" for parameter 'tags'"),
        ({"name": "x", "artifact_location": "s3://b/x?a=../../etc"}, "Invalid query string"),
    ],
)
def test_what_cannot_be_an_experiment_is_refused(door, body, said):
    code, message = door.refused("POST", "experiments/create", **body)
    assert code == "INVALID_PARAMETER_VALUE" and said in message


def test_experiments_are_found_page_by_page(door):
    for number in range(5):
        door.post("experiments/create", name=f"e{number}", tags=[{"key": "even", "value": str(number % 2 == 0)}])
    asked = {"max_results": 2, "order_by": ["name"], "filter": "tags.even = 'True'"}
    first = door.post("experiments/search", **asked)
    second = door.post("experiments/search", **asked, page_token=first["next_page_token"])
    assert [one["name"] for one in first["experiments"] + second["experiments"]] == ["e0", "e2", "e4"]
    assert "next_page_token" not in second


def test_beyond_mlflow_a_filter_takes_or(door):
    found = door.post("experiments/search", max_results=10, filter="name = 'Default' OR name LIKE 'x%'")
    assert [one["name"] for one in found["experiments"]] == ["Default"]


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("s3://bucket/a?key=1", "s3://bucket/a?key=1"),
        ("file:a/b?key=1", "file://{here}/a/b?key=1"),
        ("a/b", "{here}/a/b"),
        ("file:///a/b?key=1", "file:///a/b?key=1"),
    ],
)
def test_a_place_for_files_is_kept_as_an_absolute_address(door, tmp_path, monkeypatch, given, kept):
    monkeypatch.chdir(tmp_path)
    key = door.post("experiments/create", name="own", artifact_location=given)["experiment_id"]
    place = door.get("experiments/get", experiment_id=key)["experiment"]["artifact_location"]
    assert place == kept.format(here=tmp_path)
    run = door.post("runs/create", experiment_id=key)["run"]["info"]
    before, mark, query = place.partition("?")
    assert run["artifact_uri"] == f"{before}/{run['run_id']}/artifacts{mark}{query}"
