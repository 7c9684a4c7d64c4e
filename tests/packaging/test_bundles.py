from __future__ import annotations

import json
import sys
from dataclasses import replace

import pytest

from threefold.errors import NotFound, Refused, StoreError
from threefold.packaging.bundles import columns_of, decode_contracts, encode_contracts, load_bundle, pack
from threefold.packaging.parity import parity
from threefold.packaging.scoring import Scorer
from threefold.records import ColumnRule, Contract, from_json
from threefold.store import Store, events
from threefold.training.baselines import Lookup

CONTRACT = Contract("request", (ColumnRule("wind", "number", 0.2, -10.0, 60.0),))
FALLBACK = Lookup("carrier", [0.2], {"UA": [0.3]})


def packed(store, model, **extra):
    return pack(store, "delays", model, contract=CONTRACT, fallback=FALLBACK, reference=b"{}", extra=extra)


def test_equal_content_gives_an_equal_digest(store, models):
    one, two = packed(store, models("linear")), packed(store, models("linear"))
    assert one == two
    with store.read() as connection:
        assert [event.kind for event in events.read(connection)].count("bundle.packed") == 1


def test_other_content_gives_another_digest(store, models):
    model = models("linear")
    assert packed(store, model).digest != packed(store, replace(model, threshold=0.1)).digest
    assert packed(store, model).digest != packed(store, model, **{"tables.json": b"{}"}).digest


def test_a_bundle_is_read_back_whole(store, models):
    bundle = packed(store, models("boosting"))
    assert load_bundle(store, bundle.digest) == bundle
    assert bundle.format == "onnx"
    assert [tensor.datatype for tensor in bundle.inputs] == ["FP32", "FP32", "BYTES", "BYTES", "BYTES"]
    assert from_json(store.objects.get(bundle.files["fallback.json"]), Lookup) == FALLBACK
    assert from_json(store.objects.get(bundle.files["contract.json"]), Contract) == CONTRACT
    environment = json.loads(store.objects.get(bundle.files["environment.json"]))
    assert environment["distributions"]["scikit-learn"]


def test_the_scorer_of_a_bundle_answers_like_the_model(store, models, frames):
    model = models("boosting", "multiclass")
    scorer = Scorer.open(store.objects.get, packed(store, model))
    assert parity(model, scorer, frames(problem="multiclass")) <= 1e-5


def test_what_is_no_bundle_is_refused(store):
    with pytest.raises(NotFound):
        load_bundle(store, "0" * 64)
    with pytest.raises(StoreError, match="is not a bundle"):
        load_bundle(store, store.objects.put(b"hello"))


def test_a_newer_bundle_is_refused(store, models):
    data = json.loads(store.objects.get(packed(store, models("linear")).digest))
    digest = store.objects.put(json.dumps({**data, "version": 2}).encode())
    with pytest.raises(StoreError, match="has version 2"):
        load_bundle(store, digest)


def test_contracts_of_tables_travel_in_one_file():
    assert decode_contracts(encode_contracts({"flights": CONTRACT})) == {"flights": CONTRACT}


MODEL_PY = """
import arithmetic

class Mine:
    def fit(self, X, y):
        self.mean = arithmetic.mean(y)
    def predict(self, X):
        return arithmetic.shifted(X["wind"].fill_null(10.0).to_numpy(), self.mean)
"""
ARITHMETIC_PY = """
def mean(values):
    return float(values.mean())
def shifted(values, mean):
    return 1 / (1 + 2.0 ** (10 - values)) * mean
"""


@pytest.fixture
def mine(tmp_path, monkeypatch):
    (tmp_path / "own_model.py").write_text(MODEL_PY)
    (tmp_path / "arithmetic.py").write_text(ARITHMETIC_PY)
    monkeypatch.syspath_prepend(str(tmp_path))
    import own_model

    yield own_model.Mine
    for name in ("own_model", "arithmetic"):
        sys.modules.pop(name, None)


def test_a_model_of_the_project_is_packed_with_its_sources(store, models, frames, mine, monkeypatch):
    frame = frames()
    model = models("mine", project={"mine": mine})
    bundle = packed(store, model)
    expected = model.score(frame)
    assert bundle.format == "python"
    for name in ("own_model", "arithmetic"):
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if "test_a_model_of_the_project" not in entry])
    scorer = Scorer.open(store.objects.get, bundle, key=store.key())
    assert scorer.score(columns_of(frame, model.task)) == pytest.approx(expected, abs=1e-6)


def test_a_pickle_of_another_store_is_refused(store, models, mine, tmp_path):
    bundle = packed(store, models("mine", project={"mine": mine}))
    other = Store.open(tmp_path / "other")
    with pytest.raises(Refused, match="not signed by this store"):
        Scorer.open(store.objects.get, bundle, key=other.key())
    with pytest.raises(Refused, match="can run any code"):
        Scorer.open(store.objects.get, bundle)
