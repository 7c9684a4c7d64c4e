"""The names the canvas knows are those that the later rooms bring."""

from importlib.metadata import EntryPoint

import pytest

from threefold.design import offered
from threefold.design.offered import CANDIDATES, METRICS, metric_named, plugged_in
from threefold.training import candidates, metrics


def test_every_metric_can_stand_in_a_canvas():
    assert set(metrics.names()) == set(METRICS)


def test_every_built_in_candidate_can_stand_in_a_canvas():
    assert set(candidates.names()) == set(CANDIDATES)


def test_an_installed_plug_in_is_known_by_its_entry_point_alone(monkeypatch: pytest.MonkeyPatch):
    points = [
        EntryPoint("metric.gini", "nowhere:gini", "threefold.plugins"),
        EntryPoint("source.s3", "x:y", "threefold.plugins"),
    ]
    monkeypatch.setattr(offered, "entry_points", lambda group: points)
    assert plugged_in("metric") == ("gini",)
    assert metric_named("gini") == "gini"
    assert metric_named("s3") is None
