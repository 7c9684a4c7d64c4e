import pytest
from sqlalchemy import insert

from threefold.records import GateResult
from threefold.registry import evidence, versions
from threefold.store.schema import approvals, model_versions, models

pytestmark = pytest.mark.engines  # on SQLite and on Postgres

NASTY = "<script>alert(1)</script>"


@pytest.fixture
def register(store):
    """Add a version as a client would: no lineage, no bundle."""

    def add(name, number, status="candidate", **row):
        made = {
            "run_id": "",
            "bundle": "",
            "stage": "None",
            "metrics": {"auc": 0.8},
            "source": "",
            "user": "ada",
            **row,
        }
        with store.write() as tx:
            if number == 1:
                tx.execute(insert(models).values(name=name, created_ms=0, updated_ms=0, last_number=9))
            moments = {"created_at": tx.now, "updated_at": tx.now}
            tx.execute(insert(model_versions).values(name=name, number=number, status=status, **moments, **made))

    return add


def test_the_list_of_models_tells_the_newest_version_and_the_aliases(pages, store, register):
    register("churn", 1, "approved")
    register("churn", 2)
    with store.write() as tx:
        versions.move_alias(tx, "churn", "champion", 1)
    assert "churn – champion → 1 2 2 ○ candidate" in pages.text("/models")


def test_no_model_yet_teaches_how_to_get_one(pages):
    assert "threefold run" in pages.text("/models")


def test_a_version_shows_its_gates_with_numbers_and_who_let_it_go(pages, store, register):
    register("churn", 1, "approved")
    verdicts = [
        GateResult("auc", True, 0.8, ">= 0.7", "auc is 0.8"),
        GateResult("cost", False, 31.0, "<= 30 EUR", "cost is 31 EUR, 1 EUR too much"),
    ]
    evidence.add(store, "model churn/1", verdicts)
    with store.write() as tx:
        row = {"id": "a", "name": "churn", "number": 1, "by": "grace", "reason": "the cost is known", "at": tx.now}
        tx.execute(insert(approvals).values(**row))
    text = pages.text("/models/churn/1")
    for said in ("1 of 2 passed", "✕ failed 31 ≤ 30 EUR cost is 31 EUR", "grace", "the cost is known"):
        assert said in text


def test_the_newest_acceptance_test_of_a_version_is_what_counts(pages, store, register):
    register("churn", 1)
    evidence.add(
        store,
        "model churn/1",
        [GateResult("auc", False, 0.6, ">= 0.7", "too low"), GateResult("old", True, 1.0, "", "")],
    )
    evidence.add(store, "model churn/1", [GateResult("auc", True, 0.8, ">= 0.7", "high enough")])
    assert [(gate["gate"], gate["passed"]) for gate in pages.json("/models/churn/1")["gates"]] == [("auc", True)]
    assert "1 of 1 passed" in pages.text("/models/churn")


def test_the_moves_of_an_alias_are_drawn_and_listed_with_who_and_when(pages, store, register):
    register("churn", 1)
    register("churn", 2)
    for number in (1, 2, None):
        with store.write(actor="ada") as tx:
            versions.move_alias(tx, "churn", "champion", number)
    assert "champion 2 nowhere" in pages.text("/models/churn")
    assert "<title>version 2</title>" in pages.html("/models/churn")
    moves = [(move["before"], move["after"], move["by"]) for move in pages.json("/models/churn")["moves"]]
    assert moves == [(None, 1, "ada"), (1, 2, "ada"), (2, None, "ada")]


def test_names_that_are_signs_of_an_address_or_of_a_page_do_no_harm(pages, register):
    for name in (NASTY, "a/b c?d#e%", "ü" * 250):
        register(name, 1, run_id="f" * 32, model_id="m-1", lineage={"odd": True})
        href = pages.html("/models").split(f'href="/models/{__import__("urllib.parse").parse.quote(name, safe="")}')
        assert len(href) > 1
        assert "<script>alert" not in pages.html("/models")
        path = f"/models/{__import__('urllib.parse').parse.quote(name, safe='')}"
        assert pages.json(path)["name"] == name
        assert "<script>alert" not in pages.html(f"{path}/1")


def test_an_unknown_version_is_refused_in_three_parts(pages, register):
    register("churn", 1)
    answer = pages.ask("/models/churn/9", headers={"accept": "application/json"})
    assert answer.status_code == 404 and "no version 9" in answer.json()["error"]["what"]
