"""A linear model as a graph, in double precision: numbers like a year lose too much in float32 once standardised."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from onnx import TensorProto

from threefold.packaging.graph import Graph
from threefold.packaging.inputs import add_codes, add_weighed, add_words
from threefold.training.adapted import DesignedModel
from threefold.training.candidates.linear import LinearModel, class_weights
from threefold.training.designs import CLIP, LinearDesign
from threefold.training.lookups import stacked

LINEAR = ("LogisticRegression", "LinearRegression", "Ridge", "RidgeCV", "Lasso", "ElasticNet", "HuberRegressor")


def linear_of(estimator: Any) -> LinearModel | None:
    """An estimator as a linear model: our own, or a linear one of scikit-learn behind the same design."""
    if isinstance(estimator, LinearModel):
        return estimator
    if not isinstance(estimator, DesignedModel) or type(estimator.learner).__name__ not in LINEAR:
        return None
    learner = estimator.learner
    model = LinearModel(estimator.task, 0.0, 0)
    model.design = estimator.design
    if estimator.task.problem == "regression":
        model.weights = np.asarray(learner.coef_, dtype=np.float64).reshape(-1, 1)
        model.bias = np.asarray(learner.intercept_, dtype=np.float64).reshape(-1)
    else:
        weights, intercept = learner.coef_, learner.intercept_
        model.weights, model.bias = class_weights(weights, intercept, learner.classes_, estimator.task)
    return model


def add_linear(graph: Graph, inputs: dict[str, str], model: LinearModel) -> str:
    """The decision x w + b, shape (n, k), double."""
    design = model.design
    borders = np.cumsum([0, *design.widths])
    blocks = [model.weights[begin:end] for begin, end in pairwise(borders)]
    parts = [graph.constant(model.bias[None, :])]
    if design.numbers:
        parts += _numbers(graph, [inputs[name] for name in design.numbers], design, blocks[0], blocks[1])
    if design.categories:
        parts.append(_categories(graph, inputs, design, blocks[2 : 2 + len(design.categories)]))
    for (name, vocabulary), weights in zip(
        design.vocabularies.items(), blocks[2 + len(design.categories) :], strict=True
    ):
        if vocabulary.size:
            present = add_words(graph, inputs[name], vocabulary)
            parts.append(graph.add("MatMul", add_weighed(graph, present, vocabulary), graph.constant(weights)))
    if len(parts) == 1 or not (design.numbers or design.categories):
        parts.append(_rows_of_zeros(graph, next(iter(inputs.values())), len(model.bias)))
    return graph.sum(parts)


def _numbers(
    graph: Graph, values: list[str], design: LinearDesign, weights: np.ndarray, signs: np.ndarray
) -> list[str]:
    raw = graph.cast(graph.beside(values), TensorProto.DOUBLE)
    missing = graph.add("IsNaN", raw)
    filled = graph.add("Where", missing, graph.constant(design.middle), raw)
    scaled = graph.add("Div", graph.add("Sub", filled, graph.constant(design.mean)), graph.constant(design.scale))
    clipped = graph.add("Clip", scaled, graph.constant(np.array(-CLIP)), graph.constant(np.array(CLIP)))
    parts = [graph.add("MatMul", clipped, graph.constant(weights))]
    if design.marked:
        spread = np.zeros((len(design.numbers), weights.shape[1]))
        spread[list(design.marked)] = signs
        parts.append(graph.add("MatMul", graph.cast(missing, TensorProto.DOUBLE), graph.constant(spread)))
    return parts


def _categories(graph: Graph, inputs: dict[str, str], design: LinearDesign, blocks: list[np.ndarray]) -> str:
    table, starts = stacked(blocks)
    codes = [
        add_codes(graph, inputs[name], known, start)
        for (name, known), start in zip(design.categories.items(), starts, strict=True)
    ]
    picked = graph.add("Gather", graph.constant(table), graph.beside(codes), axis=0)
    return graph.add("ReduceSum", picked, graph.constant(np.array([1], dtype=np.int64)), keepdims=0)


def _rows_of_zeros(graph: Graph, value: str, width: int) -> str:
    rows = graph.add("Shape", value, start=0, end=1)
    shape = graph.add("Concat", rows, graph.constant(np.array([width], dtype=np.int64)), axis=0)
    return graph.add("Expand", graph.constant(np.zeros((1, 1))), shape)
