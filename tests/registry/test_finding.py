import pytest

from threefold.registry import deletion, names, notes, versions
from threefold.registry.finding import find_models, find_versions


@pytest.fixture
def three(store, lineage):
    for name, bundle in (("churn", "one"), ("churn", "two"), ("late_flights", "three")):
        versions.register(store, name, bundle, "run", {}, lineage)
    notes.tag(store, "churn", None, "team", "sales")
    notes.tag(store, "churn", 2, "gpu", "no")
    notes.describe(store, "late_flights", None, "which flights land LATE")
    names.name_version(store, "churn", 1, "2.1.0")
    versions.set_status(store, "churn", 2, "refused", "too slow")
    return store


def found(store, **asked):
    return [(one.name, one.number) for one in find_versions(store, **asked)]


def test_versions_are_found_by_name_status_text_and_tags(three):
    assert found(three, name="churn") == [("churn", 1), ("churn", 2)]
    assert found(three, status="refused") == [("churn", 2)]
    assert found(three, contains="2.1") == [("churn", 1)]
    assert found(three, contains="FLIGHTS") == [("late_flights", 1)]
    assert found(three, tags={"gpu": "no"}) == [("churn", 2)]
    assert found(three, tags={"team": "sales"}) == [("churn", 1), ("churn", 2)]  # the tag of their model
    assert found(three, tags={"team": "sales", "gpu": "no"}, status="candidate") == []


def test_a_percent_sign_is_a_letter(three):
    assert found(three, contains="%") == [] and found(three, contains="e_f") == [("late_flights", 1)]


def test_deleted_versions_are_found_only_when_asked_for(three):
    deletion.delete(three, "churn", 2, "old")
    assert found(three, name="churn") == [("churn", 1)]
    assert found(three, name="churn", deleted=True) == [("churn", 2)]


def test_models_are_found_with_their_newest_version(three):
    assert [(one.name, one.versions, one.newest) for one in find_models(three)] == [
        ("churn", 2, 2), ("late_flights", 1, 1),
    ]  # fmt: skip
    assert [one.name for one in find_models(three, contains="land late")] == ["late_flights"]
    assert [one.name for one in find_models(three, tags={"team": "sales"})] == ["churn"]
