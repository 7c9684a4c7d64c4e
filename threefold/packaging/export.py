"""A trained model as ONNX, where that can be proved to answer alike."""

from __future__ import annotations

from typing import Any

import numpy as np

from threefold.packaging.answers import add_class_outputs, add_probabilities, add_value_output
from threefold.packaging.graph import OWN, Graph
from threefold.packaging.inputs import add_inputs
from threefold.packaging.linear_graph import add_linear, linear_of
from threefold.packaging.tree_graph import add_forest, add_tree_inputs
from threefold.packaging.trees import Forest, from_average, from_histogram_boosting, from_lightgbm
from threefold.training.candidates.boosting import TreeModel
from threefold.training.candidates.lightgbm import Booster
from threefold.training.model import TrainedModel

LIMIT = 1e-5  # largest difference on the model's sample rows; more, and the graph is not handed out

AVERAGES = tuple(f"{kind}{task}" for kind in ("RandomForest", "ExtraTrees") for task in ("Classifier", "Regressor"))

OUTPUTS = ("probability", "label", "prediction")


def to_onnx(model: TrainedModel) -> bytes | None:
    """The model as an ONNX graph.

    One input per feature, named as the feature, shape (n, 1): float32 for numbers (NaN where nothing stands), string
    for categories and text ("" where nothing stands). Outputs: `probability` (n, k) and `label` (n, 1), or
    `prediction` (n, 1). Equal models give equal bytes.

    Returns:
        None when the estimator has no exporter, or when the graph does not answer the model's sample rows alike; such a
        model is packaged as a signed pickle.
    """
    graph = build(model)
    if graph is None:
        return None
    data = graph.to_bytes()
    return data if _answers_alike(model, data) else None


def build(model: TrainedModel) -> Graph | None:
    """The graph of a model; None when its estimator has no exporter, or a feature is named like an output."""
    estimator, task = model.estimator, model.task
    if any(feature.name in OUTPUTS or feature.name.startswith(OWN) for feature in task.features):
        return None  # a graph cannot have two values of one name
    graph, forest = Graph(), None
    inputs = add_inputs(graph, task)
    linear = linear_of(estimator)
    if linear is not None:
        decision, seen = add_linear(graph, inputs, linear), np.arange(len(task.classes))
    elif isinstance(estimator, TreeModel):
        forest = forest_of(estimator.learner)
        if forest is None or not estimator.design.width:
            return None
        decision = add_forest(graph, add_tree_inputs(graph, inputs, estimator.design, estimator.gap), forest)
        seen = np.asarray(getattr(estimator.learner, "classes_", ()), dtype=np.int64)
    else:
        return None
    if task.problem == "regression":
        add_value_output(graph, decision)
    else:
        probabilities = add_probabilities(graph, decision, task, seen, shares=forest is not None and forest.shares)
        add_class_outputs(graph, probabilities, task, model.threshold)
    return graph


def forest_of(learner: Any) -> Forest | None:
    """The trees of a learner; None when it is of a kind that is not known here."""
    kind = type(learner).__name__
    if kind in ("HistGradientBoostingClassifier", "HistGradientBoostingRegressor"):
        return from_histogram_boosting(learner)
    if kind in AVERAGES:
        return from_average(learner)
    if hasattr(learner, "booster_"):  # LightGBM's own classes, as a project may use them
        return from_lightgbm(learner.booster_.dump_model())
    if isinstance(learner, Booster):
        return from_lightgbm(learner.booster().dump_model())
    return None


def _answers_alike(model: TrainedModel, data: bytes) -> bool:
    from threefold.packaging.parity import difference  # ONNX Runtime: only who proves pays for it
    from threefold.packaging.scoring import Scorer, columns_of

    scorer = Scorer.of_onnx(data, model.task)
    scores = scorer.score(columns_of(model.sample, model.task))
    return difference(model.score(model.sample), scores, model.task) <= LIMIT
