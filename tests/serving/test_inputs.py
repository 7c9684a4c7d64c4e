"""Versions with other inputs: clients move from one to the next at their own pace, and a rollback refuses nobody."""

from dataclasses import replace

import polars as pl
import pytest

from threefold.design.canvas import Training
from threefold.packaging.bundles import pack
from threefold.records import FeatureSpec
from threefold.serving import log, routing
from threefold.serving.app import create_app
from threefold.serving.rollout import step_rollout
from threefold.training.fitting import fit_candidate

from .conftest import CONTRACT, FALLBACK, TASK, release_of, training_frame

INFER = "/v2/models/demo/infer"
WIDER = replace(TASK, features=(*TASK.features, FeatureSpec("extra", "number", "v")))


@pytest.fixture(scope="session")
def wider():
    """A model that also takes `extra`."""
    frame = training_frame(7).with_columns(pl.Series("extra", range(400), dtype=pl.Float32))
    return fit_candidate("linear", frame, WIDER, Training(candidates=("linear",)), 1.0)[0]


@pytest.fixture
def second(served, wider):
    """The release of version 2, which takes one input more than version 1."""
    return release_of(pack(served, "demo", wider, contract=CONTRACT, fallback=FALLBACK, reference=b"{}"), 2)


@pytest.fixture
def ask(served, call, request_of):
    client = call(create_app(served.root))

    def ask(*, extra, rows=1, path=INFER):
        client.app.plane.refresh()
        body = request_of([1.0] * rows, [2.0] * rows, ["AA"] * rows)
        if extra:
            body["inputs"].append({"name": "extra", "datatype": "FP32", "shape": [rows, 1], "data": [7.0] * rows})
        return client.post(path, json=body)

    ask.client = client
    return ask


def test_after_a_rollback_the_inputs_of_the_version_that_was_left_are_accepted_and_flagged(served, second, ask):
    routing.deploy(served, "demo", second)
    assert ask(extra=True).json()["model_version"] == "2"
    routing.rollback(served, "demo", "test")
    answer = ask(extra=True)
    assert (answer.status_code, answer.json()["model_version"]) == (200, "1")
    assert answer.json()["parameters"]["failed_checks"] == "input:ignored:extra"
    assert ask(extra=False).json()["outputs"] == answer.json()["outputs"]
    log.ingest(served, "demo")
    assert log.read_predictions(served, "demo")["checks"].to_list() == [[], ["input:ignored:extra"], []]


def test_rows_with_names_are_not_refused_after_a_rollback_either(served, second, ask):
    routing.deploy(served, "demo", second)
    routing.rollback(served, "demo", "test")
    ask.client.app.plane.refresh()
    row = {"temp": 1.0, "wind": 2.0, "carrier": "AA"}
    rows = [row | {"extra": 1.0}, row | {"extra": None}, row]
    assert ask.client.post("/predict/demo", json={"rows": rows}).status_code == 200
    assert ask.client.post("/predict/demo", json={"rows": [row | {"extr": 1.0}]}).status_code == 400


def test_a_single_version_takes_the_inputs_of_the_other_loaded_ones(served, second, ask):
    routing.deploy(served, "demo", second)
    assert ask(extra=True, path="/v2/models/demo/versions/1/infer").status_code == 200
    assert ask(extra=False, path="/v2/models/demo/versions/1/infer").status_code == 200
    assert ask(extra=False, path="/v2/models/demo/versions/2/infer").status_code == 400


def test_an_ignored_input_of_the_wrong_type_is_still_wrong(served, second, ask, request_of):
    routing.deploy(served, "demo", second)
    routing.rollback(served, "demo", "test")
    ask.client.app.plane.refresh()
    body = request_of([1.0], [2.0], ["AA"], extra=["seven"])
    assert ask.client.post(INFER, json=body).status_code == 400


def test_a_canary_is_not_made_champion_while_callers_lack_its_inputs(served, second, ask):
    routing.deploy(served, "demo", second, (0.5, 1.0), min_requests=50)
    assert ask(extra=True, rows=150).status_code == 200
    assert ask(extra=False, rows=10).status_code == 200
    decision = step_rollout(served, "demo")
    assert decision.action == "wait"
    assert decision.sentence.startswith("10 of the last 160 rows came without extra, which version 2 needs")
    assert routing.current(served, "demo").rollout is not None


def test_callers_that_were_mended_are_waited_for_no_longer(served, second, ask):
    routing.deploy(served, "demo", second, (0.5, 1.0), min_requests=50)
    ask(extra=False, rows=10)
    ask(extra=True, rows=250)
    assert step_rollout(served, "demo").action == "advance"
    assert routing.current(served, "demo").arms[0].number == 2


def test_a_canary_that_nobody_can_ask_says_why_it_waits(served, second, ask):
    routing.deploy(served, "demo", second, (0.1, 0.5, 1.0), min_requests=50)
    ask(extra=False, rows=20)
    assert "0 of 50 rows; 20 of the last 20 rows came without extra" in step_rollout(served, "demo").sentence


def test_clients_that_do_not_send_a_new_input_yet_are_answered_by_the_version_before(served, second, ask):
    routing.deploy(served, "demo", second)
    old, new = ask(extra=False).json(), ask(extra=True).json()
    assert (old["model_version"], new["model_version"]) == ("1", "2")
    assert old["parameters"]["failed_checks"] == "input:absent:extra"
    assert "failed_checks" not in new["parameters"]


def test_a_row_that_no_loaded_version_can_answer_is_still_refused(served, second, ask):
    routing.deploy(served, "demo", second)
    ask.client.app.plane.refresh()
    row = {"temp": 1.0, "carrier": "AA", "extra": 1.0}
    answer = ask.client.post("/predict/demo", json={"rows": [row]})
    assert (answer.status_code, "wind is missing" in answer.json()["error"]) == (400, True)


def test_a_newer_version_that_was_left_answers_nobody(served, second, ask, models):
    """After a rollback from a version that asks for less, clients that send less are refused, not answered by it."""
    routing.deploy(served, "demo", second)
    narrow = release_of(pack(served, "demo", models[1], contract=CONTRACT, fallback=FALLBACK, reference=b"{}"), 3)
    routing.deploy(served, "demo", narrow)
    assert ask(extra=False).json()["model_version"] == "3"
    routing.rollback(served, "demo", "test")
    assert ask(extra=False).status_code == 400
    assert ask(extra=True).json()["model_version"] == "2"
