from datetime import timedelta

import pytest

from threefold.errors import NotFound, Refused
from threefold.records import utc_now
from threefold.registry import approvals, deletion, holds, releases, versions
from threefold.serving import routing
from threefold.store import purge

MONTH = timedelta(days=30)


@pytest.fixture
def two(store, lineage):
    for bundle in ("one", "two"):
        versions.register(store, "demo", bundle, "run", {}, lineage)
    return store


def test_a_deleted_version_is_in_no_list_and_comes_back_as_it_was(two):
    before = versions.get(two, "demo", 1)
    deletion.delete(two, "demo", 1, "old")
    assert [one.number for one in versions.list_versions(two, "demo")] == [2]
    with pytest.raises(NotFound):
        versions.get(two, "demo", 1)
    deletion.restore(two, "demo", 1, "needed")
    assert versions.get(two, "demo", 1) == before
    with pytest.raises(NotFound, match="no deleted version 1"):
        deletion.restore(two, "demo", 1, "again")


def test_the_number_of_a_deleted_version_is_not_given_again(two, lineage):
    deletion.delete(two, "demo", 2, "old")
    assert versions.register(two, "demo", "three", "run", {}, lineage).number == 3


def test_what_answers_or_is_kept_warm_is_neither_deleted_nor_retired(two):
    for number in (1, 2):
        approvals.approve(two, versions.get(two, "demo", number), "Ada", "fine")
        release = releases.create(two, "demo", versions.get(two, "demo", number), [], "Ada", "first")
        routing.deploy(two, "demo", release)
    with pytest.raises(Refused, match="answers behind 'demo'"):
        deletion.retire(two, "demo", 2, "old")
    with pytest.raises(Refused, match="kept warm"):
        deletion.delete(two, "demo", 1, "old")


def test_a_released_version_is_retired_before_it_is_deleted(two):
    version = versions.get(two, "demo", 1)
    approvals.approve(two, version, "Ada", "fine")
    releases.create(two, "demo", version, [], "Ada", "first")
    with pytest.raises(Refused, match="was released"):
        deletion.delete(two, "demo", 1, "old")
    deletion.retire(two, "demo", 1, "old")
    deletion.delete(two, "demo", 1, "old")


def test_the_aliases_of_a_deleted_version_end(two):
    versions.set_alias(two, "demo", "stable", 1)
    deletion.delete(two, "demo", 1, "old")
    assert versions.aliases(two, "demo") == {}


def due(store, at):
    """What `store gc` would remove for good at a moment, a month after it was deleted."""
    with store.read() as connection:
        return purge.doomed(connection, (at - MONTH).isoformat())


def purge_all(store):
    with store.write() as tx:
        purge.purge(tx, purge.doomed(tx.connection, (utc_now() + MONTH).isoformat()))


def test_only_what_was_deleted_long_ago_is_due_and_held_things_are_marked(two):
    deletion.delete(two, "demo", 1, "old")
    assert due(two, utc_now()) == purge.Doomed()
    found = due(two, utc_now() + MONTH)
    assert (found.subjects, found.held) == (("model demo/1",), ())
    holds.add(two, "model demo", "audit")
    found = due(two, utc_now() + MONTH)
    assert (found.subjects, found.held) == ((), ("model demo/1",))


def test_a_purged_version_is_gone_for_good_and_a_held_one_stays(two):
    deletion.delete(two, "demo", 1, "old")
    holds.add(two, "model demo/1", "audit")
    purge_all(two)
    deletion.restore(two, "demo", 1, "it was held, so it is there")
    holds.release(two, "model demo/1", "over")
    deletion.delete(two, "demo", 1, "old")
    purge_all(two)
    with pytest.raises(NotFound):
        deletion.restore(two, "demo", 1, "too late")


def test_what_was_not_deleted_cannot_be_purged(two):
    purge_all(two)
    assert versions.get(two, "demo", 1).number == 1
