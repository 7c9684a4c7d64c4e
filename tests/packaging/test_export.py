from __future__ import annotations

import numpy as np
import onnx
import polars as pl
import pytest

from threefold.packaging.export import to_onnx
from threefold.packaging.parity import parity
from threefold.packaging.scoring import Scorer
from threefold.packaging.trees import exact_border
from threefold.training import candidates

PROBLEMS = ("binary", "multiclass", "regression")


@pytest.mark.parametrize("name", candidates.names())  # a new candidate joins by itself
@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize("text", [True, False])
def test_the_package_answers_like_the_model(name, problem, text, frames, models, odd):
    model = models(name, problem, text=text)
    scorer = Scorer.of_onnx(to_onnx(model), model.task, model.threshold)
    assert parity(model, scorer, frames(problem=problem)) <= 1e-5
    assert parity(model, scorer, odd) <= 1e-5
    assert parity(model, scorer, odd[:1]) <= 1e-5
    assert parity(model, scorer, odd[:0]) == 0.0


@pytest.mark.parametrize("name", candidates.names())
def test_equal_training_gives_equal_bytes(name, models):
    assert to_onnx(models(name)) == to_onnx(models(name))


def test_there_is_one_input_per_feature_and_the_outputs_are_named(models):
    graph = onnx.load_from_string(to_onnx(models("boosting"))).graph
    assert [one.name for one in graph.input] == ["wind", "year", "carrier", "dest", "said"]
    assert [one.name for one in graph.output] == ["probability", "label"]
    graph = onnx.load_from_string(to_onnx(models("linear", "regression"))).graph
    assert [one.name for one in graph.output] == ["prediction"]


@pytest.mark.parametrize("name", candidates.names())
def test_a_class_that_training_lacked_stays_at_zero(name, models, frames, odd):
    frame = frames(problem="multiclass")
    task = models(name, "multiclass", frame).task
    from threefold.design.canvas import Training
    from threefold.training.fitting import fit_candidate

    model, _ = fit_candidate(name, frame.filter(pl.col("_target") != 1), task, Training(folds=1), 0.0)
    scorer = Scorer.of_onnx(to_onnx(model), task)
    assert parity(model, scorer, odd) <= 1e-5


@pytest.mark.parametrize("name", candidates.names())
def test_columns_that_say_nothing_do_not_stop_the_export(name, models, frames):
    frame = frames().with_columns(
        pl.lit(None, dtype=pl.Float32).alias("wind"),
        pl.lit(None, dtype=pl.String).alias("carrier"),
        pl.lit("x").alias("dest"),
        pl.lit(None, dtype=pl.String).alias("said"),
    )
    model = models(name, frame=frame)
    assert parity(model, Scorer.of_onnx(to_onnx(model), model.task), frame) <= 1e-5


def test_only_categories_only_text_and_only_numbers_can_be_exported(models, frames):
    for columns in (["carrier"], ["said"], ["wind"]):
        frame = frames().select("_at", *columns, "_target")
        for name in ("linear", "boosting"):
            model = models(name, frame=frame)
            assert parity(model, Scorer.of_onnx(to_onnx(model), model.task), frame) <= 1e-5


def test_the_label_follows_the_threshold(models, frames):
    from dataclasses import replace

    frame = frames()
    model = replace(models("linear"), threshold=0.2)
    scorer = Scorer.of_onnx(to_onnx(model), model.task, 0.2)
    from threefold.packaging.scoring import columns_of

    answer = scorer.run(columns_of(frame, model.task))
    yes = answer["probability"][:, 1] >= np.float32(0.2)
    assert (answer["label"][:, 0] == np.where(yes, "true", "false")).all()
    assert scorer.labels(scorer.scores_of(answer)) == answer["label"][:, 0].tolist()


def test_the_border_of_a_tree_keeps_every_float32_on_its_side():
    for low in np.array([0.1, 1e-8, 2013.25, -7.7, 1e30], dtype=np.float32):
        high = np.nextafter(low, np.float32("inf"))
        border = (float(low) + float(high)) / 2
        assert low <= np.float32(exact_border(border)) < high


def test_an_estimator_without_exporter_is_not_exported(models):
    from sklearn.svm import SVC

    assert to_onnx(models("svc", project={"svc": lambda: SVC()})) is None


def forests(seed):
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(n_estimators=10, random_state=seed)


def regressing_forests(seed):
    from sklearn.ensemble import ExtraTreesRegressor

    return ExtraTreesRegressor(n_estimators=10, random_state=seed)


def logistic():
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression()


def ridge():
    from sklearn.linear_model import Ridge

    return Ridge()


def lightgbm():
    from lightgbm import LGBMClassifier

    return LGBMClassifier(n_estimators=5, verbosity=-1, n_jobs=1)


@pytest.mark.parametrize(
    ("made", "problem"),
    [
        (forests, "binary"),
        (forests, "multiclass"),
        (regressing_forests, "regression"),
        (logistic, "binary"),
        (logistic, "multiclass"),
        (ridge, "regression"),
        (lightgbm, "multiclass"),
    ],
)
def test_bare_estimators_of_libraries_are_exported_too(made, problem, models, frames, odd):
    model = models("mine", problem, project={"mine": made})
    scorer = Scorer.of_onnx(to_onnx(model), model.task)
    assert parity(model, scorer, frames(problem=problem)) <= 1e-5
    assert parity(model, scorer, odd) <= 1e-5


def test_a_feature_named_like_an_output_is_packaged_otherwise(models, frames):
    assert to_onnx(models("linear", frame=frames().rename({"wind": "label"}))) is None
