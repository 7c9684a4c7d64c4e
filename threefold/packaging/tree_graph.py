"""A model of trees as a graph."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto

from threefold.packaging.graph import ML, Graph
from threefold.packaging.inputs import add_rates, add_words
from threefold.packaging.trees import Forest
from threefold.training.designs import TreeDesign


def add_tree_inputs(graph: Graph, inputs: dict[str, str], design: TreeDesign, gap: float | None) -> str:
    """The matrix that the trees were trained on, shape (n, width), float32; `gap` stands for a missing number."""
    parts = [inputs[name] for name in design.numbers]
    parts += [add_rates(graph, inputs[name], known, design.tables[name]) for name, known in design.categories.items()]
    parts += [
        add_words(graph, inputs[name], vocabulary)
        for name, vocabulary in design.vocabularies.items()
        if vocabulary.size
    ]
    matrix = graph.beside(parts)
    if gap is None:
        return matrix
    return graph.add("Where", graph.add("IsNaN", matrix), graph.constant(np.array(gap, dtype=np.float32)), matrix)


def add_forest(graph: Graph, matrix: str, forest: Forest) -> str:
    """The sums of the leaves plus the base, shape (n, outputs), double."""
    sums = graph.add(
        "TreeEnsembleRegressor",
        matrix,
        domain=ML,
        n_targets=forest.outputs,
        aggregate_function="SUM",
        post_transform="NONE",
        nodes_treeids=forest.tree,
        nodes_nodeids=forest.node,
        nodes_modes=forest.mode,
        nodes_featureids=forest.column,
        nodes_values=forest.border,
        nodes_truenodeids=forest.yes,
        nodes_falsenodeids=forest.no,
        nodes_missing_value_tracks_true=forest.missing_yes,
        target_treeids=forest.leaf_tree,
        target_nodeids=forest.leaf_node,
        target_ids=forest.leaf_output,
        target_weights=forest.leaf_value,
    )
    # The base stays out of the float32 sum: small leaves on top of a large mean would lose their digits.
    return graph.add("Add", graph.cast(sums, TensorProto.DOUBLE), graph.constant(np.asarray(forest.base)[None, :]))
