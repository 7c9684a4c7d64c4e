from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest

from threefold.design.gates import parse_gate
from threefold.errors import DataError, NotFound
from threefold.quality.acceptance import judge, validate
from threefold.records import FeatureSpec, Gate, GateResult, TaskSpec, from_json, to_json

FEATURES = (FeatureSpec("delay", "number", "rows"), FeatureSpec("carrier", "category", "rows"))
COSTS = {"false_positive": 40.0, "false_negative": 250.0}
BINARY = TaskSpec("binary", "late", FEATURES, ("no", "yes"), "yes", COSTS, "USD")
CLASSES = TaskSpec("multiclass", "kind", FEATURES, ("a", "b", "c"))
VALUES = TaskSpec("regression", "minutes", FEATURES)
SOUND = {"parity": 2e-7, "latency p50": 1.0, "latency p99": 4.0, "size": 50_000.0}
ACCEPT = {
    "roc_auc": ">= 0.7",
    "roc_auc over baseline": ">= 0.05",
    "recall gap across carrier": "<= 0.2",
    "latency p99": "<= 20 ms",
}


def flights(rows: int = 2_000, seed: int = 3) -> tuple[np.ndarray, np.ndarray, pl.DataFrame]:
    """Outcome, the true probability, and features."""
    rng = np.random.default_rng(seed)
    delay = rng.normal(size=rows)
    truth = 1 / (1 + np.exp(-2 * delay))
    carrier = rng.choice(["AA", "HA", "UA"], rows)
    return (rng.random(rows) < truth).astype(float), truth, pl.DataFrame({"delay": delay, "carrier": carrier})


def spoken(accept=ACCEPT, *, y, scores, frame, task=BINARY, measures=SOUND, threshold=0.5, **more):
    gates = tuple(parse_gate(name, limit) for name, limit in accept.items())
    baseline = more.pop("baseline_scores", np.full(len(y), 0.5) if scores.ndim == 1 else None)
    results = judge(
        gates, y=y, scores=scores, task=task, threshold=threshold, frame=frame, baseline_scores=baseline,
        measures=measures, **more,
    )  # fmt: skip
    for result in results:
        json.dumps(dict(result.details), allow_nan=False)
        assert from_json(to_json(result), GateResult) == result
        assert "n" in result.details
    return {result.gate: result for result in results}


def refused(results: dict[str, GateResult]) -> set[str]:
    return {name for name, result in results.items() if not result.passed}


# ---------------------------------------------------------------------------------------------- faults are caught


def test_a_sound_model_passes_every_gate():
    y, truth, frame = flights()
    results = spoken(y=y, scores=truth, frame=frame)
    assert refused(results) == set()
    assert list(results) == [*ACCEPT, "finite scores", "parity", "beats a constant"]


def test_inverted_scores_are_refused():
    y, truth, frame = flights()
    results = spoken(y=y, scores=1 - truth, frame=frame)
    assert {"roc_auc", "roc_auc over baseline", "beats a constant"} <= refused(results)
    assert "it must be more than that" in results["beats a constant"].sentence


def test_a_constant_model_is_refused_even_without_a_gate_in_the_canvas():
    y, _, frame = flights()
    results = spoken({}, y=y, scores=np.full(len(y), y.mean()), frame=frame)
    assert refused(results) == {"beats a constant"}


def test_a_lead_that_may_be_chance_is_refused():
    y = np.tile([0.0, 1.0], 30)  # of two neighbours in the order of the scores the higher one is "yes"
    frame = pl.DataFrame({"delay": np.zeros(60), "carrier": ["AA"] * 60})
    results = spoken({}, y=y, scores=np.linspace(0.2, 0.8, 60), frame=frame)
    lead = results["beats a constant"]
    assert lead.value == pytest.approx(30 * 31 / 2 / 900 - 0.5)  # pairs won: 1 + 2 + ... + 30
    assert not lead.passed
    assert "may be chance on 60 rows" in lead.sentence


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_a_score_that_is_no_number_blocks_all_that_rests_on_the_scores(wrong):
    y, truth, frame = flights()
    truth[:3] = wrong
    results = spoken(y=y, scores=truth, frame=frame)
    assert refused(results) == set(results) - {"latency p99", "parity"}
    assert results["finite scores"].sentence == "3 of 2,000 scores are not probabilities; all must be"
    assert results["roc_auc"].sentence == "roc_auc cannot be told: 3 of 2,000 scores are not finite; it needs 0.7"
    assert results["roc_auc"].value is None


def test_a_probability_above_one_is_refused():
    y, truth, frame = flights()
    truth[0] = 1.01
    assert refused(spoken({}, y=y, scores=truth, frame=frame)) == {"finite scores"}


def test_a_model_that_works_on_one_slice_only_is_refused_by_the_gap():
    y, truth, frame = flights()
    lame = np.where(frame["carrier"].to_numpy() == "HA", 0.45 * truth, truth)  # never says "yes" for one carrier
    results = spoken(y=y, scores=lame, frame=frame)
    assert refused(results) == {"recall gap across carrier"}
    gap = results["recall gap across carrier"]
    assert gap.value > 0.6
    assert "HA 0)" in gap.sentence
    assert "; at most 0.2 passes, " in gap.sentence
    assert {one["slice"]: one["value"] for one in gap.details["slices"]}["HA"] == 0.0


def test_a_package_that_answers_otherwise_is_refused():
    y, truth, frame = flights()
    results = spoken({}, y=y, scores=truth, frame=frame, measures={**SOUND, "parity": 0.02})
    assert refused(results) == {"parity"}
    assert results["parity"].sentence == "parity is 0.02; at most 0.0001 passes, 0.02 less"


def test_a_package_that_was_never_compared_is_refused():
    y, truth, frame = flights()
    results = spoken({}, y=y, scores=truth, frame=frame, measures={})
    assert results["parity"].sentence == "parity cannot be told: it was not measured; at most 0.0001 passes"
    assert refused(results) == {"parity"}


def test_parity_that_is_infinite_is_refused_and_has_no_number():
    y, truth, frame = flights()
    parity = spoken({}, y=y, scores=truth, frame=frame, measures={"parity": float("inf")})["parity"]
    assert not parity.passed
    assert parity.value is None


def test_a_gate_for_parity_in_the_canvas_takes_the_place_of_the_one_that_always_stands():
    y, truth, frame = flights()
    results = spoken({"parity": "<= 0.01"}, y=y, scores=truth, frame=frame, measures={"parity": 0.005})
    assert list(results) == ["parity", "finite scores", "beats a constant"]
    assert results["parity"].passed


def test_a_slow_model_is_refused_with_its_milliseconds():
    y, truth, frame = flights()
    results = spoken(y=y, scores=truth, frame=frame, measures={**SOUND, "latency p99": 31.5})
    assert refused(results) == {"latency p99"}
    assert results["latency p99"].sentence == "latency p99 is 31.5 ms; at most 20 ms passes, 11.5 ms less"


# ------------------------------------------------------------------------------------------------- worked by hand


def four_rows(*scores: float) -> dict[str, object]:
    frame = pl.DataFrame({"delay": [1.0, 2.0, 3.0, 4.0], "carrier": ["AA"] * 4})
    return {"y": np.array([1, 1, 0, 0.0]), "scores": np.array(scores), "frame": frame}


def test_the_cost_per_prediction_worked_by_hand():
    # one miss (0.2 stands for a "yes" that came) and one false alarm (0.8): (250 + 40) / 4
    results = spoken({"cost per prediction": "<= 40 USD"}, **four_rows(0.9, 0.2, 0.8, 0.1))
    cost = results["cost per prediction"]
    assert cost.value == 72.5
    assert cost.limit == "<= 40 USD"
    assert cost.sentence == "cost per prediction is 72.5 USD; at most 40 USD passes, 32.5 USD less"
    assert cost.details["metrics"]["cost per prediction"] == 72.5
    assert cost.details["n"] == 4


def test_the_cost_follows_the_threshold():
    # at 0.15 the 0.2 counts as "yes": only the false alarm is left, 40 / 4
    results = spoken({"cost per prediction": "<= 10 USD"}, threshold=0.15, **four_rows(0.9, 0.2, 0.8, 0.1))
    assert results["cost per prediction"].sentence == "cost per prediction is 10 USD, just on the limit 10 USD"


def test_a_gain_is_positive_where_smaller_is_better_too():
    # the baseline says "no" to all: 2 misses, 500 / 4 = 125; the model costs 72.5
    results = spoken({"cost per prediction over baseline": ">= 50 USD"}, **four_rows(0.9, 0.2, 0.8, 0.1),
                     baseline_scores=np.zeros(4))  # fmt: skip
    gain = results["cost per prediction over baseline"]
    assert gain.value == 52.5
    assert gain.details["baseline"] == 125.0
    assert gain.details["candidate"] == 72.5
    assert gain.sentence.startswith(
        "cost per prediction over baseline is 52.5 USD (72.5 USD against 125 USD), 2.5 USD above the limit 50 USD"
    )


def test_a_roc_auc_worked_by_hand():
    # pairs (yes above no): 0.9>0.8, 0.9>0.1, 0.2<0.8, 0.2>0.1: 3 of 4
    results = spoken({"roc_auc": ">= 0.8"}, **four_rows(0.9, 0.2, 0.8, 0.1))
    assert results["roc_auc"].sentence == "roc_auc is 0.75; it needs 0.8, 0.05 more"


def test_the_recall_gap_worked_by_hand():
    # per carrier 100 flights, half of them late; AA finds 40 of 50, HA 10 of 50, and UA has 10 flights only
    y = np.array([1.0] * 50 + [0.0] * 50 + [1.0] * 50 + [0.0] * 50 + [1.0, 0.0] * 5)
    scores = np.array([0.9] * 40 + [0.1] * 60 + [0.9] * 10 + [0.1] * 90 + [0.9, 0.1] * 5)
    frame = pl.DataFrame({"delay": np.zeros(210), "carrier": ["AA"] * 100 + ["HA"] * 100 + ["UA"] * 10})
    accept = {"recall gap across carrier": "<= 0.2", "worst recall across carrier": ">= 0.5"}
    results = spoken(accept, y=y, scores=scores, frame=frame)
    gap, worst = results["recall gap across carrier"], results["worst recall across carrier"]
    assert gap.sentence == (
        "recall gap across carrier is 0.6 (AA 0.8, HA 0.2); at most 0.2 passes, 0.4 less; 1 small slice was left out"
    )
    assert gap.details["slices"] == [{"slice": "HA", "value": 0.2, "n": 100}, {"slice": "AA", "value": 0.8, "n": 100}]
    assert worst.sentence == (
        "worst recall across carrier is 0.2 (HA, 100 rows); it needs 0.5, 0.3 more; 1 small slice was left out"
    )


def test_the_worst_slice_of_an_error_is_the_largest_one():
    y = np.zeros(200)
    scores = np.array([1.0] * 100 + [3.0] * 100)
    frame = pl.DataFrame({"delay": np.zeros(200), "carrier": ["AA"] * 100 + ["HA"] * 100})
    results = spoken({"worst mae across carrier": "<= 2"}, y=y, scores=scores, frame=frame, task=VALUES)
    assert results["worst mae across carrier"].value == 3.0


def test_a_difference_that_rounding_would_hide_is_shown():
    y, truth, frame = flights()
    exact = spoken({"roc_auc": ">= 0"}, y=y, scores=truth, frame=frame)["roc_auc"].value
    result = spoken({"roc_auc": f">= {exact + 1e-6:.9f}"}, y=y, scores=truth, frame=frame)["roc_auc"]
    assert not result.passed
    assert " 0 more" not in result.sentence


# ------------------------------------------------------------------------------------------------------- rivals


def test_without_a_champion_its_gate_passes_and_says_so():
    y, truth, frame = flights()
    result = spoken({"roc_auc over champion": ">= 0.01"}, y=y, scores=truth, frame=frame)["roc_auc over champion"]
    assert result.passed
    assert result.value is None
    assert "there is no champion" in result.sentence


def test_without_a_baseline_its_gate_does_not_pass():
    y, truth, frame = flights()
    results = spoken({"roc_auc over baseline": ">= 0"}, y=y, scores=truth, frame=frame, baseline_scores=None)
    assert not results["roc_auc over baseline"].passed


def test_a_candidate_worse_than_the_champion_is_refused_and_the_interval_says_how_sure():
    y, truth, frame = flights()
    noisy = np.clip(truth + np.random.default_rng(5).normal(0, 0.4, len(y)), 0, 1)
    results = spoken({"roc_auc over champion": ">= 0"}, y=y, scores=noisy, frame=frame, champion_scores=truth)
    result = results["roc_auc over champion"]
    low, high = result.details["interval"]
    assert not result.passed
    assert low < result.value < high < 0


def test_rows_without_an_answer_of_the_champion_are_left_out_for_both():
    y, truth, frame = flights()
    champion = truth.copy()
    champion[:10] = np.nan
    results = spoken({"brier over champion": ">= 0"}, y=y, scores=truth, frame=frame, champion_scores=champion)
    result = results["brier over champion"]
    assert result.value == 0.0
    assert result.details["compared"] == len(y) - 10
    assert result.sentence.endswith("the champion has no finite score for 10 rows")


def test_a_champion_that_is_the_same_model_gives_a_gain_of_nothing():
    y, truth, frame = flights()
    results = spoken({"brier over champion": ">= 0"}, y=y, scores=truth, frame=frame, champion_scores=truth)
    assert results["brier over champion"].sentence.endswith("just on the limit 0; 95 % interval 0 to 0")


def test_each_model_is_judged_at_its_own_threshold():
    rows = four_rows(0.9, 0.2, 0.8, 0.1)
    results = spoken({"cost per prediction over champion": ">= 0"}, **rows, champion_scores=rows["scores"],
                     champion_threshold=0.15)  # fmt: skip
    assert results["cost per prediction over champion"].value == 10.0 - 72.5


def test_the_same_exam_gives_the_same_evidence():
    y, truth, frame = flights()
    one = spoken(y=y, scores=truth, frame=frame, champion_scores=truth**2)
    assert one == spoken(y=y, scores=truth, frame=frame, champion_scores=truth**2)


# ------------------------------------------------------------------------------------------- words that are wrong


def test_a_gate_across_something_that_is_no_feature_names_the_nearest_one():
    gate = parse_gate("recall gap across carier", "<= 0.2")
    with pytest.raises(NotFound, match="did you mean 'carrier'") as caught:
        validate([gate], BINARY)
    assert caught.value.where == "gate 'recall gap across carier'"


def test_a_metric_of_another_problem_is_refused_with_those_that_fit():
    with pytest.raises(DataError, match="roc_auc is not defined for a regression problem") as caught:
        validate([parse_gate("roc_auc", ">= 0.7")], VALUES)
    assert "rmse" in caught.value.do


def test_an_unknown_metric_is_refused_with_the_nearest_one():
    gate = parse_gate("loyal", ">= 1", checks=("loyal",))  # the check has gone since the gate was read
    with pytest.raises(NotFound, match="no metric is called 'loyal'") as caught:
        validate([gate], BINARY)
    assert "log_loss" in caught.value.do


def test_a_cost_needs_the_mistakes_of_the_canvas():
    free = TaskSpec("binary", "late", FEATURES, ("no", "yes"), "yes")
    with pytest.raises(DataError, match="does not say what a mistake costs"):
        validate([parse_gate("cost per prediction", "<= 40 USD")], free)


@pytest.mark.parametrize("name", ["latency p99 over champion", "size gap across carrier"])
def test_what_is_measured_once_cannot_be_compared_or_sliced(name):
    over, across = ("champion", None) if "over" in name else (None, "carrier")
    metric = name.split(" over ")[0].split(" gap ")[0]
    with pytest.raises(DataError, match="measured once"):
        validate([Gate(name, metric, "<=", 1.0, over=over, across=across)], BINARY)


def test_scores_of_other_rows_are_refused():
    y, truth, frame = flights()
    with pytest.raises(DataError, match="2000 target values stand against 1999 scores"):
        spoken({}, y=y, scores=truth[1:], frame=frame)


# --------------------------------------------------------------------------------------------- few rows, other tasks


def test_no_test_rows_pass_nothing():
    frame = pl.DataFrame({"delay": [], "carrier": []}, schema={"delay": pl.Float32, "carrier": pl.String})
    results = spoken(y=np.empty(0), scores=np.empty(0), frame=frame)
    assert refused(results) == set(results) - {"latency p99", "parity"}


def test_test_rows_with_one_outcome_cannot_tell_a_roc_auc():
    _, truth, frame = flights(100)
    results = spoken({"roc_auc": ">= 0.7"}, y=np.ones(100), scores=truth, frame=frame)
    assert results["roc_auc"].sentence == ("roc_auc cannot be told: the test rows hold one outcome only; it needs 0.7")
    assert not results["beats a constant"].passed


def test_slices_that_are_all_small_do_not_pass():
    y, truth, frame = flights(90)
    result = spoken({"recall gap across carrier": "<= 0.9"}, y=y, scores=truth, frame=frame)[
        "recall gap across carrier"
    ]
    assert not result.passed
    assert "no slice has 50 rows and both classes; 3 small slices were left out" in result.sentence


@pytest.mark.parametrize("sound", [True, False])
def test_classes_are_judged(sound):
    rng = np.random.default_rng(4)
    y = rng.integers(0, 3, 600)
    right = np.full((600, 3), 0.1)
    right[np.arange(600), y] = 0.8
    scores = right if sound else np.full((600, 3), 1 / 3)
    frame = pl.DataFrame({"delay": np.zeros(600), "carrier": rng.choice(["AA", "HA"], 600)})
    results = spoken({"accuracy": ">= 0.6", "accuracy gap across carrier": "<= 0.2"}, y=y, scores=scores, frame=frame,
                     task=CLASSES, threshold=None)  # fmt: skip
    assert results["accuracy"].passed == sound
    assert results["beats a constant"].passed == sound


@pytest.mark.parametrize("sound", [True, False])
def test_values_are_judged(sound):
    rng = np.random.default_rng(4)
    y = rng.normal(100, 10, 500)
    scores = y + rng.normal(0, 2, 500) if sound else np.full(500, y.mean())
    frame = pl.DataFrame({"delay": rng.normal(size=500), "carrier": ["AA"] * 500})
    accept = {"r2": ">= 0.5", "rmse over baseline": ">= 1"}
    results = spoken(accept, y=y, scores=scores, frame=frame, task=VALUES, threshold=None,
                     baseline_scores=np.full(500, 100.0))  # fmt: skip
    assert refused(results) == (set() if sound else {"r2", "rmse over baseline", "beats a constant"})


# --------------------------------------------------------------------------------------------------------- checks


def checked(value: float | None, passed: bool = True) -> GateResult:
    return GateResult("check mean score", passed, value, "a number", "the mean", {"n": 4, "function": "mean_score"})


def test_a_check_without_a_limit_stands_between_the_canvas_and_the_safety_gates():
    results = spoken({"roc_auc": ">= 0"}, **four_rows(0.9, 0.2, 0.8, 0.1), checks=(checked(None, False),))
    assert list(results)[:2] == ["roc_auc", "check mean score"]
    assert not results["check mean score"].passed


def test_a_limit_in_the_canvas_judges_the_number_of_a_check():
    gate = parse_gate("mean_score", "<= 0.4", checks=("mean_score",))
    rows = four_rows(0.9, 0.2, 0.8, 0.1)
    results = judge([gate], **rows, task=BINARY, threshold=0.5, measures=SOUND, checks=(checked(0.5),))
    assert [one.gate for one in results] == ["mean_score", "finite scores", "parity", "beats a constant"]
    assert results[0].sentence == "mean_score is 0.5; at most 0.4 passes, 0.1 less"
    silent = judge([gate], **rows, task=BINARY, threshold=0.5, measures=SOUND, checks=(checked(None),))
    assert not silent[0].passed
