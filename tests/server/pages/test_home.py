import json

import pytest
from sqlalchemy import insert

from threefold.store.schema import alerts, endpoints, model_versions

pytestmark = pytest.mark.engines  # on SQLite and on Postgres


def live(store, **routing):
    body = {"endpoint": "churn", "model": "churn", "generation": 1, "arms": [{"number": 3, "share": 1.0}], **routing}
    with store.write() as tx:
        tx.execute(insert(endpoints).values(name="churn", generation=1, routing=body, updated_at=tx.now))


def test_an_empty_store_teaches_both_ways_to_begin_with_the_commands(pages):
    text = pages.text("/")
    assert "threefold init --data churn.csv --target churned" in text
    assert 'mlflow.set_tracking_uri("http://here")' in text


def test_home_says_which_version_answers_with_which_share(pages, store):
    live(store, arms=[{"number": 3, "share": 0.75}, {"number": 4, "share": 0.25}])
    text = pages.text("/")
    assert "Version 3 75 %" in text and "Version 4 25 %" in text


def test_a_canary_an_open_alert_a_version_without_decision_and_a_failed_run_need_me(pages, store, log):
    rollout = {"number": 4, "steps": [0.25, 1.0], "position": 0, "started_at": "2026-03-01", "min_requests": 200}
    live(store, arms=[{"number": 3, "share": 0.75}, {"number": 4, "share": 0.25}], rollout=rollout)
    log("nightly", status="failed", started_at="2999-01-01T00:00:00+00:00", error={"what": "the disk is full"})
    with store.write() as tx:
        body = {"sentence": "AUC fell by 0.1", "do": "look at the last window"}
        tx.execute(
            insert(alerts).values(id="a", endpoint="churn", cause="decay", status="open", body=body, opened_at=tx.now)
        )
        tx.execute(insert(model_versions).values(
            name="churn", number=4, run_id="", bundle="", status="candidate", stage="None", metrics={}, source="",
            user="", created_at=tx.now, updated_at=tx.now,
        ))  # fmt: skip
    text = pages.text("/")
    assert "Needs you 4" in text
    for said in ("AUC fell by 0.1", "look at the last window", "Version 4 answers 25 %", "churn 4", "the disk is full"):
        assert said in text


def test_a_failure_that_was_made_good_needs_nobody(pages, log):
    log("nightly", status="failed", started_at="2999-01-01T00:00:00+00:00")
    log("nightly", status="done", started_at="2999-01-02T00:00:00+00:00")
    assert pages.json("/")["failed"]["count"] == 0
    assert "what failed in the last seven days ( 1 run ) went well since" in pages.text("/")


def test_the_same_address_gives_json_to_a_program(pages, log):
    log("first")
    by_word = json.loads(pages.ask("/?format=json").text)
    assert by_word == pages.json("/")
    assert by_word["numbers"]["runs"] == 1


def test_many_failures_are_one_thing_to_look_at(pages, log):
    for number in range(12):
        log(f"trial {number}", status="failed", started_at=f"2999-01-01T00:{number:02}:00+00:00")
    assert "Needs you 1" in pages.text("/")
    assert "12 in the last seven days The newest: trial 11 , trial 10" in pages.text("/")
