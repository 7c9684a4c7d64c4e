import pytest

from threefold.errors import GateFailed, Refused
from threefold.pipeline import runs
from threefold.records import GateResult
from threefold.registry import approvals, releases, versions

pytestmark = pytest.mark.engines

pytestmark = pytest.mark.engines

GOOD = GateResult("roc_auc", True, 0.74, ">= 0.70", "roc_auc is 0.74, 0.04 over the limit")
BAD = GateResult("cost", False, 14.0, "<= 12", "cost is 14, 2 over the limit")


@pytest.fixture
def version(store, lineage):
    return versions.register(store, "demo", "bundle", "run", {}, lineage)


def test_the_rule_approves_when_every_gate_passed(store, version):
    assert approvals.by_rule(store, version, [GOOD]).by == "rule"
    assert versions.get(store, "demo", 1).status == "approved"


def test_the_rule_refuses_with_the_sentence_of_the_gate(store, version):
    with pytest.raises(GateFailed, match="2 over the limit"):
        approvals.by_rule(store, version, [GOOD, BAD])
    assert versions.get(store, "demo", 1).status == "refused"
    assert approvals.of(store, "demo", 1) == ()


def test_nothing_tested_is_not_approved(store, version):
    with pytest.raises(Refused, match="no gate was run"):
        approvals.by_rule(store, version, [])


def test_a_person_approves_with_a_name_and_a_reason(store, version):
    approval = approvals.approve(store, version, "Ada", "checked by hand")
    assert approvals.of(store, "demo", 1) == (approval,)
    with pytest.raises(Refused, match="name and a reason"):
        approvals.approve(store, version, "Ada", " ")


def test_a_person_refuses_with_a_reason_and_may_look_again(store, version):
    with pytest.raises(Refused, match="needs a reason"):
        approvals.refuse(store, version, " ")
    assert approvals.refuse(store, version, "too slow").status == "refused"
    assert versions.set_status(store, "demo", 1, "candidate", "quicker now").status == "candidate"


def test_who_registered_or_trained_a_version_may_not_approve_it(store, lineage):
    store.actor = "bob"
    run = runs.start(store, project="demo")
    store.actor = "eve"
    version = versions.register(store, "demo", "bundle", run, {}, lineage)
    store.actor = "ada"
    for person, did in (("bob", "trained"), ("eve", "registered")):
        with pytest.raises(Refused, match=f"{person} {did} this version"):
            approvals.approve(store, version, person, "mine is good", separate=True)
    assert approvals.of(store, "demo", 1) == ()
    assert approvals.approve(store, version, "ada", "checked", separate=True).by == "ada"


def test_the_name_of_a_colleague_does_not_help(store, version):
    with pytest.raises(Refused, match="registered this version and may not approve"):
        approvals.approve(store, version, "Ada", "she would agree", separate=True)


def test_a_released_version_is_refused_by_a_later_test_and_released_again_by_a_yes(store, version):
    approvals.by_rule(store, version, [GOOD])
    releases.create(store, "demo", version, [], "rule", "first")
    with pytest.raises(GateFailed):
        approvals.by_rule(store, version, [BAD])
    assert versions.get(store, "demo", 1).status == "refused"
    approvals.approve(store, version, "Ada", "it may stay")
    assert versions.get(store, "demo", 1).status == "released"
