"""A server for tests puts its store back to empty; any other does not."""

from threefold.store import events

RESET = "/api/threefold/reset"


def test_a_store_is_put_back_to_empty(door, store):
    run = door.post("runs/create", start_time=1)["run"]["info"]["run_id"]
    point = {"key": "m", "value": 1.0, "timestamp": 1}
    door.post("runs/log-batch", run_id=run, metrics=[point], params=[{"key": "a", "value": "b"}])
    door.post("experiments/create", name="other")
    door.post("registered-models/create", name="m")
    assert door.ask("POST", RESET, json={}).json() == {"empty": True}
    assert [one["name"] for one in door.post("experiments/search", max_results=10)["experiments"]] == ["Default"]
    assert door.refused("GET", "runs/get", run_id=run)[0] == "RESOURCE_DOES_NOT_EXIST"
    assert door.post("experiments/create", name="other")["experiment_id"] == "1"
    with store.read() as connection:
        assert events.verify(connection)[1] is None


def test_a_server_that_was_not_started_for_it_refuses(door):
    door.app.context.allow_reset = False
    answer = door.ask("POST", RESET, json={})
    assert (answer.status_code, answer.json()["error_code"]) == (403, "PERMISSION_DENIED")
    assert "--allow-reset" in answer.json()["do"]
