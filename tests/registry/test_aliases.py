import pytest

from threefold.errors import NotFound, Refused
from threefold.registry import aliases, versions


@pytest.fixture
def two(store, lineage):
    for bundle in ("one", "two"):
        versions.register(store, "demo", bundle, "run", {}, lineage)
    return store


def test_every_move_says_who_why_from_and_to(two):
    two.actor = "ada"
    aliases.point(two, "demo", "stable", 1, "first")
    aliases.point(two, "demo", "stable", 2, "better")
    aliases.remove(two, "demo", "stable", "gone")
    moves = aliases.history(two, "demo", "stable")
    assert [(one.before, one.after, one.by, one.reason) for one in moves] == [
        (None, 1, "ada", "first"), (1, 2, "ada", "better"), (2, None, "ada", "gone"),
    ]  # fmt: skip
    assert aliases.history(two, "demo", "other") == ()


def test_a_move_to_where_it_points_already_is_none(two):
    for _ in range(2):
        aliases.point(two, "demo", "stable", 1, "first")
    assert len(aliases.history(two, "demo")) == 1


@pytest.mark.parametrize("alias", ["latest", "v3", "3", "", "two words", "a/b"])
def test_what_would_mean_something_else_is_no_alias(two, alias):
    with pytest.raises(Refused, match="cannot be called"):
        aliases.point(two, "demo", alias, 1, "why")


def test_an_alias_that_is_not_there_cannot_be_taken_away(two):
    with pytest.raises(NotFound):
        aliases.remove(two, "demo", "stable", "gone")
