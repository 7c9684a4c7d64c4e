import pytest
from sqlalchemy import insert, select

from threefold.records import Arm, GateResult, Routing, plain
from threefold.registry import aliases, approvals, evidence, versions
from threefold.store import events
from threefold.store.schema import endpoints, model_versions, models
from threefold.store.schema import events as log_of

pytestmark = pytest.mark.engines  # on SQLite and on Postgres

WHY = {"reason": "looked at its gates"}
SURE = {**WHY, "sure": "1"}


@pytest.fixture
def version(store):
    """Version 1 of churn, made by ada."""
    with store.write() as tx:
        tx.execute(insert(models).values(name="churn", created_ms=0, updated_ms=0, last_number=2))
        for number in (1, 2):
            tx.execute(insert(model_versions).values(
                name="churn", number=number, run_id="", bundle="", status="candidate", stage="None", metrics={},
                source="", user="ada", created_at=tx.now, updated_at=tx.now,
            ))  # fmt: skip
    return "/models/churn/1"


@pytest.fixture
def live(store, version):
    now, before = (Arm(release_id="r", number=number, bundle="", share=1.0) for number in (2, 1))
    body = plain(Routing(endpoint="churn", generation=1, arms=(now,), previous=before, model="churn"))
    with store.write() as tx:
        tx.execute(insert(endpoints).values(name="churn", generation=1, routing=body, updated_at=tx.now))
    return "/endpoints/churn"


@pytest.fixture
def send(pages):
    """Send the form of a page, as a browser does: send(address, field=…)."""

    def sending(path, fields, **headers):
        told = {"accept": "text/html", "origin": "http://here", "sec-fetch-site": "same-origin", **headers}
        return pages.ask(path, "POST", data=fields, headers=told)

    return sending


def last_event(store):
    with store.read() as connection:
        return connection.execute(select(log_of).order_by(log_of.c.seq.desc())).first()


def status(store, number=1):
    return versions.get(store, "churn", number).status


def test_a_version_is_approved_on_its_page_with_who_and_why(send, pages, store, version):
    answer = send(f"{version}/approve", {**WHY, "by": "grace"})
    assert (answer.status_code, answer.headers["location"]) == (303, f"{version}?done=approve")
    (given,) = approvals.of(store, "churn", 1)
    assert (given.by, given.reason, status(store)) == ("grace", WHY["reason"], "approved")
    assert "The version is approved." in pages.text(f"{version}?done=approve")


def test_a_version_whose_gates_said_no_is_approved_only_on_purpose(send, pages, store, version):
    bad = GateResult("roc_auc", False, 0.6, ">= 0.7", "roc_auc is 0.6; it needs 0.7")
    evidence.add(store, "model churn/1", [bad])
    assert "1 gate failed; I stand up for it all the same" in pages.text(version)
    assert send(f"{version}/approve", WHY).status_code == 403
    assert send(f"{version}/approve", SURE).status_code == 303


def test_who_made_a_version_may_not_approve_it_where_duties_are_separate(send, store, version, monkeypatch):
    monkeypatch.setenv("THREEFOLD_SEPARATE_APPROVALS", "1")
    answer = send(f"{version}/approve", {**WHY, "by": "ada"})
    assert answer.status_code == 403
    assert "Ada registered this version and may not approve it" in answer.text and "nothing was changed" in answer.text
    assert f'href="{version}"' in answer.text  # back to where the form stands
    assert status(store) == "candidate"
    assert send(f"{version}/approve", {**WHY, "by": "grace"}).status_code == 303


def test_a_version_is_refused_reopened_retired_deleted_and_restored(send, pages, store, version):
    for word, fields, becomes in (
        ("refuse", WHY, "refused"),
        ("reopen", WHY, "candidate"),
        ("retire", SURE, "retired"),
    ):
        assert send(f"{version}/{word}", fields).status_code == 303, word
        assert status(store) == becomes
    assert send(f"{version}/delete", SURE).status_code == 303
    assert "version 1" in pages.text("/models/churn") and "Restore version 1" in pages.text(version)
    assert send(f"{version}/restore", WHY).status_code == 303
    assert last_event(store).kind == "model.restored"


def test_an_alias_is_set_and_taken_away_with_the_reason_on_record(send, store, version):
    answer = send("/models/churn/alias", {**WHY, "alias": "champion", "number": "1", "page": "1"})
    assert answer.headers["location"] == f"{version}?done=alias"
    assert send("/models/churn/alias", {**WHY, "alias": "champion", "remove": "1"}).status_code == 303
    assert [(move.after, move.reason) for move in aliases.history(store, "churn")] == [
        (1, WHY["reason"]),
        (None, WHY["reason"]),
    ]
    refused = send("/models/churn/alias", {**WHY, "alias": "latest", "number": "1"})
    assert refused.status_code == 403 and "cannot be called" in refused.text


def test_models_versions_and_runs_are_described_and_tagged(send, pages, log, version):
    run = f"/runs/{log('first')}"
    for place in ("/models/churn", version, run):
        assert send(f"{place}/describe", {"name": "a better name", "description": "**what** it is"}).status_code == 303
        assert send(f"{place}/tag", {"key": "team", "value": "blue"}).status_code == 303
        text = pages.text(place)
        assert "**what** it is" in text and "team blue" in text
        assert send(f"{place}/tag", {"key": "team", "remove": "1"}).status_code == 303
        assert "blue" not in pages.text(place)
    assert pages.json(run)["name"] == "a better name"


def test_a_run_is_deleted_and_restored_with_the_reason_in_the_log(send, pages, store, log):
    run = log("first")
    assert send(f"/runs/{run}/delete", SURE).status_code == 303
    assert pages.json("/runs")["count"] == 0 and pages.json("/runs?deleted=1")["count"] == 1
    assert WHY["reason"] in last_event(store).body
    assert send(f"/runs/{run}/restore", WHY).status_code == 303
    assert pages.json("/runs")["count"] == 1


def test_what_is_live_is_rolled_back_stopped_and_resumed(send, pages, store, live):
    assert send(f"{live}/rollback", SURE).status_code == 303
    assert pages.json("/")["served"][0]["arms"][0]["number"] == 1
    assert send(f"{live}/stop", SURE).status_code == 303
    assert pages.json("/")["served"][0]["stopped"]
    assert send(f"{live}/resume", WHY).status_code == 303
    assert last_event(store).kind == "endpoint.resumed" and WHY["reason"] in last_event(store).body


@pytest.mark.parametrize("word", ["delete", "retire", "release"])
def test_what_is_hard_to_take_back_needs_a_second_yes(send, store, version, word):
    answer = send(f"{version}/{word}", WHY)
    assert answer.status_code == 403 and "not confirmed" in answer.text
    assert status(store) == "candidate"


def test_a_release_without_a_project_around_the_server_names_the_command(send, version):
    answer = send(f"{version}/release", SURE)
    assert answer.status_code == 403 and "threefold release deploy 1" in answer.text


def test_nothing_is_done_without_a_reason(send, store, version):
    for fields in ({}, {"reason": "  "}):
        assert send(f"{version}/refuse", fields).status_code == 400
    assert status(store) == "candidate"


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://elsewhere"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"content-type": "text/plain"},
        {"content-type": "multipart/form-data; boundary=x"},
    ],
)
def test_no_other_site_can_send_a_form(send, store, version, headers):
    assert send(f"{version}/refuse", WHY, **headers).status_code in (400, 403)
    assert status(store) == "candidate"


def test_no_address_that_changes_something_can_be_opened_as_a_link(pages, store, version):
    assert pages.ask(f"{version}/refuse?reason=so").status_code in (404, 405)
    assert status(store) == "candidate"


def test_a_program_gets_json(send, version):
    answer = send(f"{version}/refuse", WHY, accept="application/json")
    assert answer.json() == {"done": "refuse", "said": "The version is refused.", "page": version}
    assert send(f"{version}/refuse", {}, accept="application/json").json()["error"]["do"]


def test_a_form_beyond_all_measure_is_refused(send, version):
    assert send(f"{version}/describe", {"description": "x" * 300_000}).status_code == 400
    assert send(f"{version}/describe", {f"f{n}": "x" for n in range(60)}).status_code == 400


def test_the_log_holds_after_all_that(send, store, version):
    send(f"{version}/refuse", WHY)
    with store.read() as connection:
        assert events.verify(connection)[1] is None


def test_where_the_canvas_cannot_be_read_duties_count_as_separate(store, version, tmp_path, send, pages):
    (tmp_path / "threefold.yaml").write_text("project: [")
    pages.door.app.context.project = tmp_path
    assert send(f"{version}/approve", {**WHY, "by": "ada"}).status_code == 403
