from __future__ import annotations

import pytest

from threefold.errors import NotFound
from threefold.training import candidates, metrics
from threefold.training.family import Family


def test_files_of_the_folder_join_by_themselves():
    assert {"linear", "boosting", "lightgbm"} <= set(candidates.names())
    assert "roc_auc" in metrics.names()


def test_a_plug_in_is_added_with_its_facts():
    family: Family[object] = Family("metric", "threefold.training.metrics")
    family.add("mine", problems=("binary",))(len)
    assert family.get("mine").thing is len
    assert family.get("mine").facts == {"problems": ("binary",)}


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(NotFound, match="did you mean 'linear'"):
        candidates.make("liner")
