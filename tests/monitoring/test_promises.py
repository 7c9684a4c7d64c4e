import pytest

from threefold.design.canvas import Training
from threefold.errors import NotFound
from threefold.monitoring.promises import Promises
from threefold.monitoring.reference import build_reference
from threefold.packaging.bundles import pack
from threefold.records import Contract, GateResult, Lineage
from threefold.registry import evidence, versions
from threefold.store import Store
from threefold.training.baselines import Lookup
from threefold.training.fitting import fit_candidate

LINEAGE = Lineage({}, "t", "s", {}, "e", "run", "linear", None, "c", 7)


@pytest.fixture
def store(tmp_path, training, task):
    """A store with one version: 0.6 in cross-validation, 0.7 where it was registered."""
    store = Store.open(tmp_path / "store")
    frame, scores = training
    model, _ = fit_candidate("linear", frame.head(300), task, Training(candidates=("linear",)), 1.0)
    reference = build_reference(frame, task, scores, {"roc_auc": 0.6, "brier": 0.2})
    bundle = pack(
        store, "demo", model, contract=Contract("x", ()), fallback=Lookup(None, [0.3], {}), reference=reference
    )
    versions.register(store, "demo", bundle, "run", {"roc_auc": 0.7}, LINEAGE)
    yield store
    store.close()


def test_a_version_is_held_to_its_acceptance_test_first(store):
    assert Promises(store, "demo").of(1).expected == {"roc_auc": 0.7, "brier": 0.2}
    details = {"metrics": {"roc_auc": 0.72, "recall": None}, "errors": {"roc_auc": 0.01}}
    result = GateResult("finite scores", True, 0.0, "<= 0", "all are", details)
    evidence.add(store, versions.subject("demo", 1), [result])
    judged = Promises(store, "demo").of(1)
    assert judged.expected == {"roc_auc": 0.72, "brier": 0.2}
    assert judged.errors == {"roc_auc": 0.01}


def test_a_version_brings_its_task_and_what_training_looked_like(store, report, task):
    promises = Promises(store, "demo")
    assert promises.task([report(0)]) == task
    assert set(promises.importances()[1]) == {"temp", "carrier", "note"}


def test_a_number_that_is_no_version_is_refused(store):
    with pytest.raises(NotFound):
        Promises(store, "demo").of(9)
