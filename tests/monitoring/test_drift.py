import numpy as np
import polars as pl
import pytest

from threefold.monitoring import bins, drift

rng = np.random.default_rng(7)
NORMAL = bins.learn("temp", "number", pl.Series(rng.normal(size=20_000)))


def one(values, column=NORMAL, limit=0.2, usual=None, **more):
    (found,) = drift.compare([column], pl.DataFrame({column.name: values}), limit, usual, **more)
    return found


def test_a_window_like_training_has_not_drifted():
    found = one(rng.normal(size=900))
    assert not found.drifted
    assert found.score < 0.1


def test_a_shifted_window_has_and_the_sentence_gives_both_medians():
    found = one(rng.normal(1, 1, 900))
    assert found.drifted
    assert found.low > 0.2
    assert "distance" in found.sentence
    assert "median" in found.sentence


def test_spread_alone_is_drift_too():
    assert one(rng.normal(0, 2, 5_000)).drifted


def test_nulls_are_seen_as_such():
    values = np.where(rng.random(900) < 0.15, None, rng.normal(size=900))
    found = one(pl.Series(values.tolist(), dtype=pl.Float64))
    assert (found.nulls_before, found.nulls_after) == (0.0, pytest.approx(0.15, abs=0.03))
    assert found.drifted
    assert "missing" in found.sentence


def test_a_missing_column_is_all_null():
    (found,) = drift.compare([NORMAL], pl.DataFrame({"other": [1.0] * 900}), 0.2)
    assert (found.nulls_after, found.drifted) == (1.0, True)


def test_categories_that_training_did_not_know_are_counted():
    carriers = bins.learn("carrier", "category", pl.Series(["AA", "UA"] * 5_000))
    found = one(["AA", "UA", "ZZ"] * 300, carriers)
    assert found.unseen == pytest.approx(1 / 3, abs=0.001)
    assert found.drifted


def test_too_few_rows_get_no_verdict():
    found = one(rng.normal(3, 1, 300), min_rows=500)
    assert not found.drifted
    assert "too few" in found.sentence


def test_a_distance_that_training_reached_itself_is_no_drift():
    values = rng.normal(0.8, 1, 900)
    assert one(values).drifted
    assert not one(values, usual={"temp": 0.5}).drifted


def test_a_large_distance_that_may_be_chance_is_no_drift():
    few = bins.learn("temp", "number", pl.Series(rng.normal(size=60)))
    assert not one(rng.normal(0.6, 1, 60), few, limit=0.2).drifted


def test_the_furthest_column_comes_first():
    columns = [bins.learn(name, "number", pl.Series(rng.normal(size=5_000))) for name in ("calm", "far")]
    window = pl.DataFrame({"calm": rng.normal(size=900), "far": rng.normal(2, 1, 900)})
    assert [found.column for found in drift.compare(columns, window, 0.2)] == ["far", "calm"]


def test_fifty_calm_features_seldom_name_one():
    columns = [bins.learn(f"x{n}", "number", pl.Series(rng.normal(size=5_000))) for n in range(50)]
    window = pl.DataFrame({f"x{n}": rng.normal(size=600) for n in range(50)})
    assert not [found for found in drift.compare(columns, window, 0.02) if found.drifted]
