import doctest
import importlib

import numpy as np
import pytest

from threefold.errors import NotFound
from threefold.monitoring import detectors

rng = np.random.default_rng(7)


def counts(values, edges):
    return np.histogram(values, edges)[0]


@pytest.mark.parametrize("name", detectors.names())  # a new file joins by itself
def test_every_detector_calls_equal_shares_calm(name):
    distance = detectors.measure(name, np.array([400, 300, 300]), np.array([40, 30, 30]))
    assert (distance.score, distance.low) == (0.0, 0.0)


@pytest.mark.parametrize("name", detectors.names())
def test_every_detector_is_sure_of_a_large_change(name):
    distance = detectors.measure(name, np.array([4_000, 3_000, 3_000]), np.array([100, 100, 800]))
    assert 0 < distance.low < distance.score
    assert distance.noise < distance.low


@pytest.mark.parametrize("name", detectors.names())
def test_every_detector_can_be_looked_up_as_documentation(name):
    module = importlib.import_module(f"threefold.monitoring.detectors.{name}")
    result = doctest.testmod(module)
    assert (result.failed, result.attempted > 0) == (0, True)


def test_shares_that_do_not_touch_are_at_distance_one():
    assert detectors.measure("js", np.array([10**6, 0]), np.array([0, 10**6])).score == pytest.approx(1, abs=0.001)


@pytest.mark.parametrize(("shift", "js", "psi"), [(0.2, 0.083, 0.039), (0.3, 0.123, 0.085), (0.5, 0.205, 0.238)])
def test_a_shift_in_deviations_reads_as_it_was_measured(shift, js, psi):
    edges = [-np.inf, *np.quantile(rng.normal(size=200_000), np.linspace(0, 1, 21)[1:-1]), np.inf]
    before, after = counts(rng.normal(size=200_000), edges), counts(rng.normal(shift, 1, 200_000), edges)
    assert detectors.measure("js", before, after).score == pytest.approx(js, abs=0.01)
    assert detectors.measure("psi", before, after).score == pytest.approx(psi, abs=0.02)


def test_small_windows_of_the_same_law_seldom_read_as_far():
    shares = np.full(20, 0.05)
    scores = [
        detectors.measure("js", rng.multinomial(20_000, shares), rng.multinomial(900, shares)).score for _ in range(200)
    ]
    assert np.mean(np.square(scores)) < 0.002
    assert max(scores) < 0.1


def test_the_interval_holds_what_it_promises():
    before, now = np.array([0.5, 0.3, 0.2]), np.array([0.3, 0.3, 0.4])
    true = detectors.measure("js", before * 10**9, now * 10**9).score
    lows = [detectors.measure("js", rng.multinomial(5_000, before), rng.multinomial(900, now)).low for _ in range(400)]
    assert np.mean(np.array(lows) < true) > 0.95


def test_an_unknown_detector_is_answered_with_the_nearest_one():
    with pytest.raises(NotFound, match="did you mean"):
        detectors.measure("jss", np.ones(2), np.ones(2))
