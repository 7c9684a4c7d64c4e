import pytest

from threefold.errors import NotFound, Refused
from threefold.registry import deletion, holds, versions


@pytest.fixture
def one(store, lineage):
    versions.register(store, "demo", "bundle", "run", {}, lineage)
    return store


@pytest.mark.parametrize("subject", ["model demo/1", "model demo"])
def test_nothing_held_is_deleted_until_the_hold_ends(one, subject):
    holds.add(one, subject, "court case 7")
    with pytest.raises(Refused, match="court case 7"):
        deletion.delete(one, "demo", 1, "old")
    holds.release(one, subject, "case closed")
    deletion.delete(one, "demo", 1, "old")


def test_a_hold_on_one_version_leaves_the_others(one, lineage):
    versions.register(one, "demo", "other", "run", {}, lineage)
    holds.add(one, "model demo/1", "court case 7")
    deletion.delete(one, "demo", 2, "old")


def test_holds_are_listed_with_their_end(one):
    one.actor = "ada"
    holds.add(one, "run abc", "audit")
    assert [(hold.subject, hold.by) for hold in holds.list_holds(one)] == [("run abc", "ada")]
    holds.release(one, "run abc", "done")
    assert holds.list_holds(one) == ()
    (ended,) = holds.list_holds(one, ended=True)
    assert ended.released_by == "ada" and ended.released_at is not None
    with pytest.raises(NotFound, match="nothing holds"):
        holds.release(one, "run abc", "again")


@pytest.mark.parametrize(("subject", "reason"), [("thing 3", "why"), ("model", "why"), ("model demo/1", " ")])
def test_a_hold_needs_a_kind_a_name_and_a_reason(one, subject, reason):
    with pytest.raises(Refused):
        holds.add(one, subject, reason)
