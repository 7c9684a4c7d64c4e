import numpy as np
import pytest

from threefold.packaging.scoring import Scorer
from threefold.serving.arms import columns_of, load_arm
from threefold.serving.packed import NamedScorer, PackedScorer, pack_if_equal, probe


@pytest.fixture
def opened(store, bundles):
    bundle = bundles[0]
    return store.objects.get(bundle.files["model.onnx"]), Scorer.open(store.objects.get, bundle), columns_of(bundle)


def test_the_packed_form_answers_the_same_to_the_last_bit(opened):
    rows = probe(opened[2])
    packed, plain = PackedScorer(*opened), NamedScorer(*opened[1:])
    assert np.array_equal(packed.score(*rows), plain.score(*rows), equal_nan=True)


def test_a_loaded_onnx_bundle_is_packed(store, bundles):
    assert isinstance(load_arm(store, 1, bundles[0].digest)._scorer, PackedScorer)


def test_a_form_that_answers_otherwise_is_not_used(opened, monkeypatch):
    monkeypatch.setattr(PackedScorer, "score", lambda self, numbers, texts: np.zeros(numbers.shape[1]))
    assert isinstance(pack_if_equal(*opened), NamedScorer)


def test_a_graph_that_cannot_be_packed_is_served_as_it_is(opened):
    assert isinstance(pack_if_equal(b"no graph", *opened[1:]), NamedScorer)
