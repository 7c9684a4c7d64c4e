import pytest

from threefold.errors import Conflict, NotFound, Refused
from threefold.registry import deletion, names, versions


@pytest.fixture
def two(store, lineage):
    for bundle in ("one", "two"):
        versions.register(store, "demo", bundle, "run", {}, lineage)
    return store


@pytest.mark.parametrize("semantic", ["0.0.0", "2.1.0", "1.0.0-rc.1", "1.0.0-alpha+001", "10.20.30+build.7"])
def test_a_semantic_name_is_given_and_found(two, semantic):
    assert names.name_version(two, "demo", 1, semantic).semantic == semantic
    assert names.find(two, "demo", semantic).number == 1


@pytest.mark.parametrize(
    "wrong", ["2", "2.1", "v2.1.0", "01.2.3", "1.2.3-", "1.2.3-01", "1.2.3+", "", "1.2.3 ", "1" * 65]
)
def test_what_is_no_semantic_name_is_refused(two, wrong):
    with pytest.raises(Refused, match="no semantic version"):
        names.name_version(two, "demo", 1, wrong)


def test_a_name_belongs_to_one_version_even_when_that_was_deleted(two):
    names.name_version(two, "demo", 1, "2.1.0")
    deletion.delete(two, "demo", 1, "by mistake")
    with pytest.raises(Conflict, match=r"version 1 is called 2\.1\.0 already"):
        names.name_version(two, "demo", 2, "2.1.0")


def test_another_model_may_use_the_same_name(two, lineage):
    versions.register(two, "other", "three", "run", {}, lineage)
    names.name_version(two, "demo", 1, "1.0.0")
    assert names.name_version(two, "other", 1, "1.0.0").name == "other"


def test_a_version_is_found_by_number_semantic_name_and_alias(two):
    names.name_version(two, "demo", 2, "1.0.0")
    versions.set_alias(two, "demo", "stable", 2)
    assert {names.find(two, "demo", said).number for said in ("2", "1.0.0", "stable", "@stable")} == {2}
    for said in ("3", "1.0.1", "unstable"):
        with pytest.raises(NotFound):
            names.find(two, "demo", said)
