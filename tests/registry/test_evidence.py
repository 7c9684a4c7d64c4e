import pytest

from threefold.records import GateResult
from threefold.registry import evidence

pytestmark = pytest.mark.engines

RESULTS = (
    GateResult("roc_auc", True, 0.74, ">= 0.70", "roc_auc is 0.74", {"rows": 10}),
    GateResult("size", False, 3.0, "<= 2", "3 bytes are too many"),
)


def test_evidence_is_read_back_with_its_ids(store):
    ids = evidence.add(store, "model demo/1", RESULTS)
    found = evidence.of(store, "model demo/1")
    assert {item.id for item in found} == set(ids)
    assert {item.result.gate: item.result for item in found} == {result.gate: result for result in RESULTS}
    assert evidence.by_ids(store, ids[:1])[0].result == RESULTS[0]


def test_evidence_on_one_version_says_nothing_about_another(store):
    evidence.add(store, "model demo/1", RESULTS)
    assert evidence.of(store, "model demo/2") == ()
