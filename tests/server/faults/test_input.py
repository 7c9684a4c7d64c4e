"""What clients send by mistake: kept as it was meant, or refused in the protocol's words and our three parts."""

import json

import pytest

from .conftest import API, FILES, JSON, Up, refusal

LARGEST = 1.7976931348623157e308


def logged(up: Up, run: str, value: str, step: int, name: str = "loss"):
    body = f'{{"run_id": "{run}", "key": "{name}", "value": {value}, "timestamp": 1, "step": {step}}}'
    assert up.ask("POST", f"{API}runs/log-metric", body, headers=JSON).status_code == 200


def test_numbers_that_are_none_and_steps_out_of_order_are_kept(up: Up) -> None:
    run = up.run()
    for step, value in ((5, "NaN"), (3, "Infinity"), (-7, "-Infinity"), (9, '"NaN"'), (2, "1e999"), (4, "0.5")):
        logged(up, run, value, step)
    points = up.get("metrics/get-history", run_id=run, metric_key="loss")["metrics"]
    assert {point["step"]: point["value"] for point in points} == {
        -7: -LARGEST, 2: LARGEST, 3: LARGEST, 4: 0.5, 5: "NaN", 9: "NaN"
    }  # fmt: skip
    last = up.get("runs/get", run_id=run)["run"]["data"]["metrics"]
    assert [(one["step"], one["value"]) for one in last] == [(9, "NaN")]
    logged(up, run, "0.25", 2**63 - 1)
    assert up.get("runs/get", run_id=run)["run"]["data"]["metrics"][0]["value"] == 0.25


@pytest.mark.parametrize("letter", ["k", "é"])
@pytest.mark.parametrize(
    ("path", "rest"),
    [
        ("runs/log-metric", {"value": 1.0, "timestamp": 1}), ("runs/log-parameter", {"value": "1"}),
        ("runs/set-tag", {"value": "1"}),
    ],
)  # fmt: skip
def test_a_name_of_250_letters_is_taken_and_one_of_251_is_not(up: Up, letter: str, path: str, rest: dict) -> None:
    run = up.run()
    up.post(path, run_id=run, key=letter * 250, **rest)
    answer = up.ask("POST", API + path, json.dumps({"run_id": run, "key": letter * 251, **rest}), headers=JSON)
    assert refusal(answer) == "400 INVALID_PARAMETER_VALUE"
    assert "250" in answer.text


def test_a_parameter_of_ten_megabytes_is_cut_and_a_body_of_more_than_a_hundred_is_refused(up: Up) -> None:
    run = up.run()
    up.post("runs/log-parameter", run_id=run, key="long", value="x" * 10_000_000)
    assert len(up.get("runs/get", run_id=run)["run"]["data"]["params"][0]["value"]) == 6_000
    batch = json.dumps({"run_id": run, "params": [{"key": "p", "value": "x" * 10_000_000}]})
    assert refusal(up.ask("POST", f"{API}runs/log-batch", batch, headers=JSON)) == "400 INVALID_PARAMETER_VALUE"
    answer = up.client.post(f"{API}runs/log-parameter", content=iter([b" " * 10_000_000] * 11), headers=JSON)
    assert refusal(answer) == "400 INVALID_PARAMETER_VALUE"
    assert "100000000 bytes" in answer.text


@pytest.mark.parametrize(
    "body",
    [
        b'{"run_name": "half a character \\ud800"}',
        b'{"run_name": "a\\u0000b"}',
        '{"run_name": "é"}'.encode("latin-1"),
        b"\x1f\x8b\x08\x00",
        b"[" * 100_000,
        b'{"start_time": ' + b"9" * 5_000 + b"}",
        b'{"start_time": 1e400}',
        b'{"tags": {"a": 1}}',
        b'{"experiment_id": "98765432109876543210"}',
    ],
)
@pytest.mark.parametrize("path", ["runs/create", "runs/log-batch", "registered-models/create", "logged-models"])
def test_a_body_that_means_nothing_is_refused_and_the_server_goes_on(up: Up, body: bytes, path: str) -> None:
    answer = up.ask("POST", API + path, body, headers=JSON)
    assert refusal(answer)[:3] in ("400", "404")
    assert up.client.get("/health").text == "OK"


def test_a_backslash_before_the_letters_of_an_escape_is_no_escape(up: Up) -> None:
    run = up.run()
    up.post("runs/log-parameter", run_id=run, key="pattern", value="\\u0000")
    assert up.get("runs/get", run_id=run)["run"]["data"]["params"] == [{"key": "pattern", "value": "\\u0000"}]


@pytest.mark.parametrize(("method", "path"), [("PUT", f"{FILES}a/packed"), ("POST", f"{API}runs/create")])
def test_a_packed_body_is_refused(up: Up, method: str, path: str) -> None:
    answer = up.ask(method, path, b"\x1f\x8b", headers={"content-encoding": "gzip"})
    assert refusal(answer) == "400 INVALID_PARAMETER_VALUE"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "runs/log-metric", {"run_id": "none", "key": "a", "value": 1, "timestamp": 1}),
        ("POST", "runs/update", {"run_id": "none"}),
        ("POST", "runs/restore", {"run_id": "none"}),
        ("POST", "experiments/delete", {"experiment_id": "999"}),
        ("POST", "registered-models/alias", {"name": "none", "alias": "a", "version": "1"}),
        ("POST", "model-versions/create", {"name": "none", "source": "s3://b/k"}),
        ("DELETE", "logged-models/m-none", {}),
        ("DELETE", "webhooks/none", {}),
        ("GET", "runs/get?run_id=none", {}),
        ("GET", "model-versions/get?name=none&version=1", {}),
        ("GET", "artifacts/list?run_id=none", {}),
    ],
)
def test_what_is_unknown_is_not_found(up: Up, method: str, path: str, body: dict) -> None:
    answer = up.ask(method, API + path, json.dumps(body) if body else b"", headers=JSON)
    assert refusal(answer) == "404 RESOURCE_DOES_NOT_EXIST"


CLIMBS = (
    "%2e%2e/x",
    "..%2fx",
    "a%2f..%2f..%2fx",
    "%252e%252e%252fx",
    "/etc/passwd",
    "a%5c..%5cx",
    "a%00",
    "C:/x",
    "%ff",
)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
@pytest.mark.parametrize("path", CLIMBS)
def test_a_path_that_leads_out_of_the_store_is_refused(up: Up, method: str, path: str) -> None:
    answer = up.ask(method, FILES + path, b"x" if method == "PUT" else b"")
    assert (answer.status_code, answer.json()["message"]) == (400, "Invalid path")


def test_what_was_deleted_can_be_restored_and_its_name_made_anew_where_the_protocol_allows(up: Up) -> None:
    experiment = up.post("experiments/create", name="twice")["experiment_id"]
    run = up.run(experiment_id=experiment)
    up.post("experiments/delete", experiment_id=experiment)
    again = up.ask("POST", f"{API}experiments/create", '{"name": "twice"}', headers=JSON)
    assert refusal(again) == "400 RESOURCE_ALREADY_EXISTS"
    body = json.dumps({"run_id": run, "key": "a", "value": 1, "timestamp": 1})
    assert refusal(up.ask("POST", f"{API}runs/log-metric", body, headers=JSON)) == "400 INVALID_PARAMETER_VALUE"
    up.post("experiments/restore", experiment_id=experiment)
    up.post("runs/log-metric", run_id=run, key="a", value=1, timestamp=1)
    for number in ("1", "2"):  # a number never comes back
        up.post("registered-models/create", name="twice")
        made = up.post("model-versions/create", name="twice", source="s3://bucket/key")
        assert made["model_version"]["version"] == number
        up.ask("DELETE", f"{API}registered-models/delete", '{"name": "twice"}', headers=JSON)
