import pytest

from threefold.errors import NotFound, Refused
from threefold.registry import notes, versions


@pytest.fixture
def one(store, lineage):
    versions.register(store, "demo", "bundle", "run", {}, lineage)
    return store


def test_a_version_and_its_model_are_described_and_tagged_apart(one):
    notes.describe(one, "demo", None, "late flights")
    notes.describe(one, "demo", 1, "the first")
    notes.tag(one, "demo", None, "team", "ops")
    notes.tag(one, "demo", 1, "team", "lab")
    notes.tag(one, "demo", 1, "team", "research")
    assert notes.of(one, "demo") == notes.Notes("late flights", {"team": "ops"})
    assert notes.of(one, "demo", 1) == notes.Notes("the first", {"team": "research"})
    notes.tag(one, "demo", 1, "team", None)
    assert notes.of(one, "demo", 1).tags == {}


def test_what_is_not_there_takes_no_notes(one):
    for name, number in (("other", None), ("demo", 2)):
        with pytest.raises(NotFound):
            notes.tag(one, name, number, "team", "ops")
    with pytest.raises(Refused):
        notes.tag(one, "demo", 1, "k" * 251, "long")
