"""Trees of any library in one form, with borders that are exact in float32."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(slots=True)
class Forest:
    """Trees whose leaf values are added up, one sum per output.

    A row goes to the yes branch where value <= border, and a missing value where `missing_yes` says so.
    """

    outputs: int
    base: np.ndarray  # shape (outputs,), added to the sums
    shares: bool = False  # the sums are probabilities already, one per seen class
    tree: list[int] = field(default_factory=list)
    node: list[int] = field(default_factory=list)
    mode: list[str] = field(default_factory=list)  # BRANCH_LEQ, LEAF
    column: list[int] = field(default_factory=list)
    border: list[float] = field(default_factory=list)
    yes: list[int] = field(default_factory=list)
    no: list[int] = field(default_factory=list)
    missing_yes: list[int] = field(default_factory=list)
    leaf_tree: list[int] = field(default_factory=list)
    leaf_node: list[int] = field(default_factory=list)
    leaf_output: list[int] = field(default_factory=list)
    leaf_value: list[float] = field(default_factory=list)

    def branch(self, tree: int, node: int, column: int, border: float, yes: int, no: int, missing_yes: bool) -> None:
        """Add a node that asks."""
        self._node(tree, node, "BRANCH_LEQ", column, exact_border(border), yes, no, int(missing_yes))

    def leaf(self, tree: int, node: int, output: int, value: float) -> None:
        """Add a node that answers."""
        self._node(tree, node, "LEAF", 0, 0.0, 0, 0, 0)
        self._answer(tree, node, output, value)

    def leaves(self, tree: int, node: int, values: np.ndarray) -> None:
        """Add a node that answers for every output."""
        self._node(tree, node, "LEAF", 0, 0.0, 0, 0, 0)
        for output, value in enumerate(values):
            self._answer(tree, node, output, float(value))

    def _answer(self, tree: int, node: int, output: int, value: float) -> None:
        self.leaf_tree.append(tree)
        self.leaf_node.append(node)
        self.leaf_output.append(output)
        self.leaf_value.append(float(np.float32(value)))

    def _node(
        self, tree: int, node: int, mode: str, column: int, border: float, yes: int, no: int, missing_yes: int
    ) -> None:
        self.tree.append(tree)
        self.node.append(node)
        self.mode.append(mode)
        self.column.append(column)
        self.border.append(border)
        self.yes.append(yes)
        self.no.append(no)
        self.missing_yes.append(missing_yes)


def exact_border(border: float) -> float:
    """The largest float32 that is not above a border.

    For every float32 value x, x <= border exactly when x <= exact_border(border); rounding to the nearest would turn
    rows that lie between the two.

    >>> exact_border(0.1) <= 0.1
    True
    """
    with np.errstate(over="ignore"):
        near = np.float32(border)
    if not np.isfinite(near):
        return float(np.finfo(np.float32).max) if border > 0 else float(np.finfo(np.float32).min)
    return float(near if float(near) <= border else np.nextafter(near, np.float32("-inf")))


def from_histogram_boosting(model: Any) -> Forest:
    """The trees of scikit-learn's HistGradientBoosting, fitted on numbers only."""
    rounds = model._predictors  # scikit-learn has no public door to its trees
    outputs = len(rounds[0]) if rounds else 1
    forest = Forest(outputs, np.ravel(model._baseline_prediction).astype(np.float64))
    tree = 0
    for grown in rounds:
        for output, predictor in enumerate(grown):
            for number, node in enumerate(predictor.nodes):
                if node["is_leaf"]:
                    forest.leaf(tree, number, output, node["value"])
                    continue
                forest.branch(
                    tree,
                    number,
                    int(node["feature_idx"]),
                    float(node["num_threshold"]),
                    int(node["left"]),
                    int(node["right"]),
                    bool(node["missing_go_to_left"]),
                )
            tree += 1
    return forest


def from_average(model: Any) -> Forest:
    """The trees of scikit-learn's random forests and extra trees, whose leaves are averaged."""
    classes = hasattr(model, "classes_")
    outputs = len(model.classes_) if classes else 1
    forest = Forest(outputs, np.zeros(outputs), shares=classes)
    for tree, member in enumerate(model.estimators_):
        grown = member.tree_
        for node in range(grown.node_count):
            yes, no = int(grown.children_left[node]), int(grown.children_right[node])
            if yes < 0:
                forest.leaves(tree, node, grown.value[node, 0] / len(model.estimators_))
                continue
            border, gaps = float(grown.threshold[node]), bool(grown.missing_go_to_left[node])
            forest.branch(tree, node, int(grown.feature[node]), border, yes, no, gaps)
    return forest


def from_lightgbm(dump: dict[str, Any]) -> Forest:
    """The trees of a LightGBM model, from its `dump_model()`; numbers only."""
    outputs = int(dump["num_tree_per_iteration"])
    forest = Forest(outputs, np.zeros(outputs))  # LightGBM puts the base into its first leaves
    for tree, grown in enumerate(dump["tree_info"]):
        _walk(forest, tree, tree % outputs, grown["tree_structure"])
    return forest


def _walk(forest: Forest, tree: int, output: int, root: dict[str, Any]) -> None:
    """Number the nodes of one tree in the order they are met, and add them."""
    waiting, count = [(root, 0)], 1
    while waiting:
        node, number = waiting.pop()
        if "split_feature" not in node:
            forest.leaf(tree, number, output, node["leaf_value"])
            continue
        border = float(node["threshold"])
        # Without missing values in training LightGBM reads a missing one as 0; otherwise it goes the learned way.
        missing_yes = bool(node["default_left"]) if node["missing_type"] == "NaN" else border >= 0.0
        forest.branch(tree, number, int(node["split_feature"]), border, count, count + 1, missing_yes)
        waiting += [(node["left_child"], count), (node["right_child"], count + 1)]
        count += 2
