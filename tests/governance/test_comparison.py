"""The frozen model against Threefold, without varnish."""

import math
from dataclasses import replace

import pytest

from threefold.governance.comparison import compare, measures_of, total, verdict_in_words
from threefold.governance.story import Month, Story


def month(
    frozen: dict[str, float], live: dict[str, float], *, rows: int = 100, versions: tuple[int, ...] = (2,)
) -> Month:
    return Month("2013-04-01", rows, 0.25, frozen, live, versions)


def verdict(frozen: dict[str, float], live: dict[str, float]) -> str:
    return compare([month(frozen, live)], first_version=1)[0].verdict


def test_more_auc_and_less_loss_is_a_gain() -> None:
    assert verdict({"roc_auc": 0.70, "log_loss": 0.50}, {"roc_auc": 0.72, "log_loss": 0.48}) == "gain"


def test_a_month_in_which_nothing_got_better_says_no_gain() -> None:
    assert verdict({"roc_auc": 0.70, "log_loss": 0.50}, {"roc_auc": 0.70, "log_loss": 0.52}) == "no gain"


def test_better_in_one_and_worse_in_another_is_mixed_and_names_both() -> None:
    line = compare([month({"roc_auc": 0.70, "log_loss": 0.50}, {"roc_auc": 0.72, "log_loss": 0.52})])[0]
    assert (line.verdict, line.sentence) == ("mixed", "Better in AUC; worse in log loss.")


def test_a_difference_below_noise_is_no_gain() -> None:
    assert verdict({"roc_auc": 0.700}, {"roc_auc": 0.701}) == "no gain"


def test_a_month_served_by_the_first_model_alone_is_not_judged() -> None:
    line = compare([month({"roc_auc": 0.70}, {"roc_auc": 0.70}, versions=(1,))], first_version=1)[0]
    assert line.verdict == "same model"


def test_a_measure_that_is_not_defined_is_not_counted() -> None:
    line = compare([month({"roc_auc": math.nan, "rmse": 4.0}, {"roc_auc": 0.7, "rmse": 3.0})])[0]
    assert [(cell.frozen, cell.sign) for cell in line.cells] == [(None, "unknown"), (4.0, "better")]
    assert line.verdict == "gain"


def test_a_measure_that_only_one_of_the_two_has_is_not_compared() -> None:
    assert measures_of([month({"roc_auc": 0.7, "log_loss": 0.5}, {"roc_auc": 0.7})])[0].name == "roc_auc"
    assert len(measures_of([month({"roc_auc": 0.7, "log_loss": 0.5}, {"roc_auc": 0.7})])) == 1


def test_costs_are_summed_and_means_are_weighted_by_rows() -> None:
    cost = "cost per prediction"
    lines = compare([month({cost: 10.0}, {cost: 8.0}, rows=100), month({cost: 4.0}, {cost: 5.0}, rows=300)])
    totals = total(lines)
    assert totals is not None
    assert (totals.frozen_cost, totals.live_cost, totals.saved) == (2_200.0, 2_300.0, -100.0)
    assert (totals.cells[0].frozen, totals.cells[0].live) == (5.5, 5.75)


def test_a_total_compares_only_months_in_which_both_are_defined() -> None:
    lines = compare([month({"roc_auc": 0.9}, {"roc_auc": math.nan}), month({"roc_auc": 0.6}, {"roc_auc": 0.7})])
    totals = total(lines)
    assert totals is not None
    assert (totals.cells[0].frozen, totals.cells[0].live) == pytest.approx((0.6, 0.7))


def test_without_months_there_is_nothing_to_say() -> None:
    assert total(()) is None


def test_the_words_name_the_months_without_gain(story: Story) -> None:
    said = " ".join(verdict_in_words(story))
    assert "a gain in May, June, July and December" in said
    assert "no gain in October and November" in said
    assert "In total it cost 63,505 USD less than the frozen model." in said


def test_the_words_say_so_when_retraining_cost_more(story: Story) -> None:
    worse = tuple(replace(m, live=m.frozen, frozen=m.live) for m in story.months)
    assert "63,505 USD more than the frozen model" in " ".join(verdict_in_words(replace(story, months=worse)))
