import pytest
from sqlalchemy import insert

from threefold.errors import NotFound, Refused
from threefold.registry import versions
from threefold.store import events
from threefold.store.schema import model_versions

pytestmark = pytest.mark.engines

pytestmark = pytest.mark.engines


def test_numbers_count_up_within_a_name(store, lineage):
    numbers = [versions.register(store, name, name, f"run {name}", {}, lineage).number for name in ("one", "two")]
    again = versions.register(store, "one", "other bundle", "run", {}, lineage)
    assert numbers == [1, 1]
    assert again.number == 2


def test_the_same_bundle_of_the_same_run_keeps_its_number(store, lineage):
    first = versions.register(store, "demo", "bundle", "run", {"auc": 0.7}, lineage)
    assert versions.register(store, "demo", "bundle", "run", {"auc": 0.7}, lineage) == first
    assert versions.list_versions(store, "demo") == (first,)


def test_a_version_is_read_back_as_it_was_written(store, lineage):
    written = versions.register(store, "demo", "bundle", "run", {"auc": 0.7, "lost": float("nan")}, lineage)
    assert versions.get(store, "demo", 1) == written
    assert written.metrics == {"auc": 0.7}
    assert written.lineage == lineage


def test_an_unknown_number_is_answered_with_those_there_are(store, lineage):
    versions.register(store, "demo", "bundle", "run", {}, lineage)
    with pytest.raises(NotFound, match=r"no version 7.*it has 1"):
        versions.get(store, "demo", 7)


def test_a_status_change_leaves_an_event_with_the_reason(store, lineage):
    versions.register(store, "demo", "bundle", "run", {}, lineage)
    assert versions.set_status(store, "demo", 1, "retired", "too old").status == "retired"
    with store.read() as connection:
        last = list(events.read(connection, subject="model demo/1"))[-1]
    assert (last.kind, last.body["reason"]) == ("model.retired", "too old")


def test_an_alias_moves_and_needs_a_version(store, lineage):
    for bundle in ("one", "two"):
        versions.register(store, "demo", bundle, "run", {}, lineage)
    versions.set_alias(store, "demo", "champion", 1)
    versions.set_alias(store, "demo", "champion", 2)
    assert versions.aliases(store, "demo") == {"champion": 2}
    with pytest.raises(NotFound):
        versions.set_alias(store, "demo", "champion", 3)


def test_a_version_moves_only_along_its_states_and_the_refusal_names_them(store, lineage):
    versions.register(store, "demo", "bundle", "run", {}, lineage)
    with pytest.raises(Refused, match=r"is candidate and cannot become released.*approved, refused, retired"):
        versions.set_status(store, "demo", 1, "released")
    for status in ("refused", "candidate", "approved", "released", "retired", "candidate"):
        assert versions.set_status(store, "demo", 1, status).status == status


def test_a_released_version_is_never_called_approved_again(store, lineage):
    versions.register(store, "demo", "bundle", "run", {}, lineage)
    for status in ("approved", "released"):
        versions.set_status(store, "demo", 1, status)
    for status in ("approved", "candidate"):
        with pytest.raises(Refused):
            versions.set_status(store, "demo", 1, status)


def test_a_version_that_a_client_logged_is_a_version_of_which_only_the_run_is_known(store):
    row = {
        "name": "demo", "number": 1, "run_id": "r1", "bundle": "", "status": "candidate", "stage": "None", "metrics": {},
        "lineage": None, "source": "runs:/r1/model", "user": "ada", "created_at": "2026-01-01T00:00:00+00:00",
        "updated_at": "2026-01-01T00:00:00+00:00",
    }  # fmt: skip
    with store.write() as tx:
        tx.execute(insert(model_versions).values(**row))
    (version,) = versions.list_versions(store, "demo")
    assert (version.lineage.run_id, version.lineage.snapshots, version.user) == ("r1", {}, "ada")
