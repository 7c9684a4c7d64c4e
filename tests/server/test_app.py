"""The skeleton: routes are found, refusals have one shape."""

import pytest

from threefold.server.senders import is_foreign


def test_the_server_says_that_it_is_well(door):
    assert door.ask("GET", "/health").text == "OK"
    assert door.ask("GET", "/version").status_code == 200
    assert door.ask("GET", "/api/3.0/mlflow/server-info").json()["store_type"] == "SqlStore"


def test_an_unknown_route_is_refused_with_three_parts(door):
    code, message = door.refused("GET", "no/such/route")
    assert code == "ENDPOINT_NOT_FOUND"
    assert "docs/tracking.md" in message


def test_a_page_is_sent_to_people(door):
    answer = door.ask("GET", "/")
    assert answer.headers["content-type"].startswith("text/html")


def test_a_foreign_page_changes_nothing(door):
    body = {"json": {"name": "from elsewhere"}, "headers": {"origin": "https://evil.example"}}
    answer = door.ask("POST", "/api/2.0/mlflow/experiments/create", **body)
    assert (answer.status_code, answer.json()["error_code"]) == (403, "PERMISSION_DENIED")
    body["headers"] = {"origin": "http://here"}
    assert door.ask("POST", "/api/2.0/mlflow/experiments/create", **body).status_code == 200


@pytest.mark.parametrize(
    ("host", "server", "foreign"),
    [
        ("localhost:5000", "127.0.0.1", False),
        ("127.0.0.1:5000", "127.0.0.1", False),
        ("[::1]:5000", "::1", False),
        ("trap.example:5000", "127.0.0.1", True),
        ("trap.example", "::1", True),
        ("ml.example", "127.0.0.1", False),
        ("server.lan:5000", "10.0.0.7", False),
    ],
)
def test_a_name_that_was_pointed_at_this_machine_does_not_make_a_page_ours(host, server, foreign):
    assert is_foreign(f"http://{host}", host, (server, 5000), {"ml.example"}) is foreign
    assert is_foreign("http://elsewhere", host, (server, 5000))


def test_a_form_is_not_json(door):
    answer = door.ask("POST", "/api/2.0/mlflow/experiments/create", data={"name": "form"})
    assert (answer.status_code, answer.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE")


def test_json_of_python_may_carry_nan(door):
    run = door.post("runs/create", start_time=1)["run"]["info"]["run_id"]
    body = f'{{"run_id": "{run}", "key": "m", "value": NaN, "timestamp": 1}}'
    headers = {"content-type": "application/json"}
    assert door.ask("POST", "/api/2.0/mlflow/runs/log-metric", content=body, headers=headers).status_code == 200


def test_what_is_no_json_is_refused(door):
    for body in (b"{", b"[1]", b"\xff"):
        answer = door.ask("POST", "/api/2.0/mlflow/runs/create", content=body)
        assert answer.status_code == 400 and answer.json()["do"]


def test_the_routes_of_mlflows_own_pages_answer_too(door):
    assert door.ask("GET", "/ajax-api/2.0/mlflow/experiments/get", params={"experiment_id": "0"}).status_code == 200
