"""What one column alone tells about the target."""

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import roc_auc_score

from threefold.data.strength import strength


def noisy(rows: int = 500) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    x = rng.normal(size=rows)
    return x, (x + rng.normal(size=rows) > 0).astype(int)


@pytest.mark.parametrize("sign", [1, -1])
def test_two_classes_are_judged_by_the_area_under_the_roc_curve_either_way_round(sign):
    x, y = noisy()
    assert strength(pl.Series(sign * x), pl.Series(y), "binary") == pytest.approx(roc_auc_score(y, x))


def test_nulls_are_passed_over():
    x, y = noisy()
    with_nulls = pl.Series([None if number % 5 == 0 else value for number, value in enumerate(x.tolist())])
    kept = [number for number in range(len(x)) if number % 5]
    assert strength(with_nulls, pl.Series(y), "binary") == pytest.approx(roc_auc_score(y[kept], x[kept]))


def test_a_category_counts_by_its_mean_and_a_rare_one_does_not():
    y = pl.Series([0, 1] * 100)
    assert strength(pl.Series(["a", "b"] * 100), y, "binary") == 1.0
    assert strength(pl.Series([f"v{number}" for number in range(200)]), y, "binary") == 0.5


def test_several_classes_are_judged_by_the_one_told_worst():
    y = pl.Series(["a", "b", "c"] * 60)
    assert strength(pl.Series([0, 1, 2] * 60), y, "multiclass") == pytest.approx(0.5)  # b lies between a and c


def test_numbers_are_judged_by_rank_correlation():
    x = pl.Series(np.arange(100.0))
    assert strength(x, x.exp(), "regression") == pytest.approx(1.0)
    assert strength(x, -x, "regression") == pytest.approx(1.0)


@pytest.mark.parametrize("problem", ["binary", "multiclass", "regression"])
def test_few_rows_tell_nothing(problem):
    x = pl.Series([0, 1] * 10)
    assert strength(x, x, problem) == (0.0 if problem == "regression" else 0.5)
