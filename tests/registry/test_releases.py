import pytest

from threefold.errors import NotFound, Refused
from threefold.registry import approvals, releases, versions

pytestmark = pytest.mark.engines


@pytest.fixture
def version(store, lineage):
    return versions.register(store, "demo", "bundle", "run", {}, lineage)


def test_only_an_approved_version_is_released(store, version):
    with pytest.raises(Refused, match="candidate, not approved"):
        releases.create(store, "demo", version, ["e1"], "rule", "first release")
    assert releases.latest(store, "demo") is None


def test_a_release_binds_version_lineage_and_evidence(store, version, lineage):
    approvals.approve(store, version, "Ada", "fine")
    release = releases.create(store, "demo", version, ["e1", "e2"], "Ada", "first release")
    assert (release.number, release.lineage, release.evidence) == (1, lineage, ("e1", "e2"))
    assert releases.latest(store, "demo") == releases.get(store, release.id) == release
    assert releases.list_releases(store) == (release,)
    assert versions.get(store, "demo", 1).status == "released"
    assert releases.create(store, "demo", version, ["e1"], "Ada", "again").number == 1


def test_an_unknown_release_is_not_found(store):
    with pytest.raises(NotFound):
        releases.get(store, "nothing")
