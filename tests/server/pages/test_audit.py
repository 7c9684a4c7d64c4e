import pytest
from sqlalchemy import update

from threefold.server.pages.look import page_of
from threefold.server.pages.reading import log
from threefold.store.schema import events

pytestmark = pytest.mark.engines  # on SQLite and on Postgres


def happen(store, count, kind="run.done", actor="ada"):
    for number in range(count):
        with store.write(actor=actor) as tx:
            tx.event(kind, f"run {number}", {"number": number})


def test_the_log_is_shown_newest_first_and_page_by_page(pages, store):
    happen(store, 130)
    first = pages.json("/audit")
    assert [event["seq"] for event in first["events"][:2]] == [131, 130]  # the store's own making is the first
    rest = pages.json(first["next"])
    assert len(first["events"]) + len(rest["events"]) == 131 and rest["next"] is None


def test_the_log_is_narrowed_by_kind_subject_and_person(pages, store):
    happen(store, 3)
    happen(store, 2, kind="alias.moved", actor="grace")
    assert {event["kind"] for event in pages.json("/audit?kind=alias.")["events"]} == {"alias.moved"}
    assert len(pages.json("/audit?actor=grace")["events"]) == 2
    assert {event["subject"] for event in pages.json("/audit?subject=run+1")["events"]} == {"run 1"}
    assert "No event fits" in pages.text("/audit?actor=nobody")


def test_a_chain_that_holds_is_said_to_hold_and_one_that_was_touched_is_named(pages, store):
    happen(store, 3)
    assert "Holds All 4 events match their hashes" in pages.text("/audit")
    with store.write() as tx:
        tx.execute(update(events).where(events.c.seq == 2).values(actor="nobody"))
    assert "The chain is broken: event 2" in pages.text("/audit")


def test_a_long_chain_is_walked_when_somebody_asks(pages, store, monkeypatch):
    monkeypatch.setattr(log, "CHECKED", 2)
    happen(store, 5)
    assert pages.json("/audit")["chain"]["checked"] is False
    assert pages.json("/audit?walk=1")["chain"]["sound"] == 6


def test_the_subject_of_an_event_leads_to_its_page_whatever_it_is_called():
    assert page_of("run abc") == "/runs/abc"
    assert page_of("logged model m-1") == "/logged-models/m-1"
    assert page_of("model what? #1/2") == "/models/what%3F%20%231/2"
    assert page_of("store") is None and page_of("model ") is None
