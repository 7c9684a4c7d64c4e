from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from threefold.design.canvas import Training
from threefold.errors import DataError, NotFound, StepFailed
from threefold.training import candidates, metrics
from threefold.training.fitting import fit_candidate
from threefold.training.model import TrainedModel

PROBLEMS = ("binary", "multiclass", "regression")
NAMES = candidates.names()


@pytest.mark.parametrize("name", NAMES)  # a new candidate joins by itself
@pytest.mark.parametrize("problem", PROBLEMS)
def test_every_candidate_learns_every_kind_of_problem(name, problem, frames, tasks):
    frame = frames(problem=problem)
    task = tasks(frame, problem)
    model, report = fit_candidate(name, frame, task, Training(), 0.0)
    scores = model.score(frame)
    assert scores.shape == ((frame.height, 3) if problem == "multiclass" else (frame.height,))
    assert np.isfinite(scores).all()
    better_than = {"roc_auc": 0.75, "log_loss": 0.95, "rmse": 8_000}
    metric = metrics.primary(problem)
    sign = 1 if metrics.greater_is_better(metric) else -1
    assert sign * report.metrics[metric] > sign * better_than[metric]
    assert len(report.folds) == 3


@pytest.mark.parametrize("name", NAMES)
def test_every_candidate_gives_the_same_model_twice(name, frames, tasks):
    frame = frames()
    task = tasks(frame)
    one, first = fit_candidate(name, frame, task, Training(), 1e9)
    two, second = fit_candidate(name, frame, task, Training(), 1e9)
    assert (one.score(frame) == two.score(frame)).all()
    assert (first.params, first.metrics, first.trials) == (second.params, second.metrics, second.trials)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("problem", PROBLEMS)
def test_every_candidate_answers_nulls_and_unseen_categories(name, problem, frames, tasks):
    frame = frames(problem=problem, text=True)
    task = tasks(frame, problem)
    model, _ = fit_candidate(name, frame, task, Training(), 0.0)
    odd = pl.DataFrame(
        {
            "wind": [None, float("inf"), -1e30],
            "year": [None, 2050.0, 0.0],
            "same": [None, 7.0, 1.0],
            "carrier": [None, "never seen", ""],
            "said": [None, "unheard words only", ""],
        }
    )
    assert np.isfinite(model.score(odd)).all()
    assert len(model.score(odd[:0])) == 0


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("rows", [10, 25, 50])
def test_tiny_tables_are_learned_from(name, rows, frames, tasks):
    frame = frames(rows)
    model, report = fit_candidate(name, frame, tasks(frame), Training(), 1e9)
    assert np.isfinite(model.score(frame)).all()
    assert report.params


def test_an_all_null_feature_does_not_matter(frames, tasks):
    frame = frames(200).with_columns(wind=pl.lit(None, dtype=pl.Float32), carrier=pl.lit(None, dtype=pl.String))
    for name in ("linear", "boosting"):
        model, _ = fit_candidate(name, frame, tasks(frame), Training(), 0.0)
        assert np.isfinite(model.score(frame)).all()


def test_a_class_that_a_fold_or_the_training_set_lacks_has_probability_zero(frames, tasks):
    frame = frames(problem="multiclass")
    task = tasks(frame, "multiclass")
    for name in NAMES:
        model, _ = fit_candidate(name, frame.filter(pl.col("_target") != 1), task, Training(), 0.0)
        scores = model.score(frame)
        assert scores.shape == (frame.height, 3)
        assert np.allclose(scores.sum(axis=1), 1)
        assert scores[:, 1].max() < 1e-6


def test_too_few_rows_or_one_class_are_refused(frames, tasks):
    frame = frames()
    task = tasks(frame)
    with pytest.raises(DataError, match="2 rows to learn from; at least 10"):
        fit_candidate("linear", frame[:2], task, Training(), 1.0)
    with pytest.raises(DataError, match="nothing to tell apart"):
        fit_candidate("linear", frame.filter(pl.col("_target")), task, Training(), 1.0)


def test_the_search_pays_for_more_points_with_a_larger_budget(frames, tasks):
    frame = frames()
    task = tasks(frame)
    _, one = fit_candidate("boosting", frame, task, Training(), 0.0)
    _, all_ = fit_candidate("boosting", frame, task, Training(), 1e9)
    assert one.trials == ()
    assert [trial["params"] for trial in all_.trials] == candidates.make("boosting").space(task)
    assert all_.params == max(all_.trials, key=lambda trial: trial["roc_auc"])["params"]


def test_many_classes_cost_trees_and_the_budget_holds_nevertheless(frames, tasks):
    frame = frames(problem="regression", rows=300).with_columns(
        pl.col("_target").rank().floordiv(10).cast(int).cast(pl.String)
    )
    task = tasks(frame, "multiclass")
    boosting = candidates.make("boosting")
    assert len(task.classes) > 30
    model, report = fit_candidate("boosting", frame, task, Training(), 3.0)
    assert report.trials == ()
    whole = sum(boosting.cost_s(rows, 4, task) for rows in (75, 150, 225, 300))
    assert report.params["trees"] == round(120 * 3.0 / whole) < 30
    assert np.isfinite(model.score(frame)).all()


def test_the_threshold_follows_the_costs(frames, tasks):
    frame = frames()
    dear = {"false_positive": 1.0, "false_negative": 20.0}
    careful, _ = fit_candidate("linear", frame, tasks(frame, mistakes=dear), Training(), 0.0)
    even, _ = fit_candidate("linear", frame, tasks(frame), Training(), 0.0)
    assert careful.threshold < 0.3
    assert even.threshold == 0.5


def test_the_report_holds_curves_and_tells_progress(frames, tasks):
    frame, told = frames(), []
    _, report = fit_candidate("linear", frame, tasks(frame), Training(), 1e9, {}, told.append, run_id="r1")
    assert report.run_id == "r1"
    assert set(report.curves) == {"roc", "calibration", "learning"}
    assert report.curves["roc"][0] == (0.0, 0.0)
    assert report.curves["roc"][-1] == (1.0, 1.0)
    assert told[-1] == "linear: all rows (13 of 13 fits)"


class Mean:
    """A candidate as a class of the project."""

    def fit(self, X, y):
        self.mean = y.mean()

    def predict(self, X):
        return np.full(X.height, self.mean)


class Raises(Mean):
    def fit(self, X, y):
        raise ValueError("no luck")


class Wrong(Mean):
    def predict(self, X):
        return np.zeros((X.height, 5))


class Scales(Mean):
    space = ({"factor": 1.0}, {"factor": 0.0})

    def __init__(self, task, factor=1.0):
        self.factor = factor

    def predict(self, X):
        return self.mean + self.factor * X["wind"].fill_null(10.0).to_numpy() / 100


def test_any_object_with_fit_and_predict_is_a_candidate(frames, tasks):
    frame = frames()
    model, report = fit_candidate("mine", frame, tasks(frame), Training(), 1.0, {"mine": Mean})
    assert isinstance(model, TrainedModel)
    assert report.metrics["roc_auc"] == 0.5


def test_a_candidate_of_the_project_is_searched_over_its_own_space(frames, tasks):
    frame = frames()
    _, report = fit_candidate("mine", frame, tasks(frame), Training(), 1e9, {"mine": Scales})
    assert len(report.trials) == 2
    assert report.params == {"factor": 1.0}


def test_a_candidate_that_raises_is_named_with_its_line(frames, tasks):
    frame = frames()
    with pytest.raises(StepFailed, match="raised ValueError: no luck") as caught:
        fit_candidate("mine", frame, tasks(frame), Training(), 1.0, {"mine": Raises})
    line = Raises.fit.__code__.co_firstlineno + 1
    assert caught.value.where == f"{__file__}:{line}"
    assert isinstance(caught.value.__cause__, ValueError)


def test_a_candidate_that_answers_in_the_wrong_shape_is_refused(frames, tasks):
    frame = frames()
    with pytest.raises(DataError, match=r"answers in the shape \(150, 5\)"):
        fit_candidate("mine", frame, tasks(frame), Training(), 1.0, {"mine": Wrong})


def test_a_candidate_that_makes_something_else_is_refused(frames, tasks):
    frame = frames()
    with pytest.raises(StepFailed, match="made int, which has no fit"):
        fit_candidate("mine", frame, tasks(frame), Training(), 1.0, {"mine": lambda: 3})


def test_an_unknown_candidate_is_answered_with_the_nearest(frames, tasks):
    frame = frames()
    with pytest.raises(NotFound, match="did you mean 'boosting'"):
        fit_candidate("bosting", frame, tasks(frame), Training(), 1.0)


def test_an_estimator_of_scikit_learn_is_given_numbers(frames, tasks):
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.svm import SVC

    frame = frames()
    project = {
        "forest": lambda seed: RandomForestClassifier(n_estimators=10, random_state=seed),
        "logistic": lambda: LogisticRegression(),
        "svc": lambda: SVC(),
    }
    for name in project:
        _, report = fit_candidate(name, frame, tasks(frame), Training(), 1.0, project)
        assert report.metrics["accuracy"] > 0.6, name
