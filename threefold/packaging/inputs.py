"""The first part of every graph: one input per feature, turned into the columns that the model was trained on."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto

from threefold.packaging.graph import ML, Graph
from threefold.records import TaskSpec
from threefold.training.lookups import Categories
from threefold.training.words import Vocabulary

SPLITS = ("", "\n", "\t")  # "" is one or more spaces; words.py cuts at the same places


def add_inputs(graph: Graph, task: TaskSpec) -> dict[str, str]:
    """One input per feature, named as the feature. Returns the names of their values."""
    return {feature.name: graph.input(feature.name, text=feature.kind != "number") for feature in task.features}


def add_codes(graph: Graph, value: str, known: Categories, start: int) -> str:
    """Category -> its code plus `start`, shape (n, 1), int64."""
    if not known.keys:
        return _constant_column(graph, value, np.array(start, dtype=np.int64))
    return graph.add(
        "LabelEncoder",
        value,
        domain=ML,
        keys_strings=list(known.keys),
        values_int64s=list(range(start, start + len(known.keys))),
        default_int64=start + len(known.keys),
    )


def add_rates(graph: Graph, value: str, known: Categories, table: np.ndarray) -> str:
    """Category -> its row of the table, shape (n, d), float32."""
    if table.shape[1] > 1 or not known.keys:
        codes = add_codes(graph, value, known, 0)
        flat = graph.add("Squeeze", codes, graph.constant(np.array([1], dtype=np.int64)))
        return graph.add("Gather", graph.constant(table), flat, axis=0)
    return graph.add(
        "LabelEncoder",
        value,
        domain=ML,
        keys_strings=list(known.keys),
        values_floats=[float(rate) for rate in table[:-1, 0]],
        default_float=float(table[-1, 0]),
    )


def add_words(graph: Graph, value: str, vocabulary: Vocabulary) -> str:
    """Text -> which words of the vocabulary stand in it, shape (n, size), float32 0 or 1."""
    if vocabulary.size == 0:
        raise ValueError("a vocabulary without words has no columns")
    pieces = value
    for delimiter in SPLITS:
        attributes = {"delimiter": delimiter} if delimiter else {}
        pieces = graph.first_of("StringSplit", 2, pieces, **attributes)
    flat = graph.add("Flatten", pieces, axis=1)
    numbers = graph.add(
        "LabelEncoder",
        flat,
        domain=ML,
        keys_strings=list(vocabulary.forms),
        values_int64s=[number + 1 for number in vocabulary.forms.values()],
        default_int64=0,
    )
    counts = graph.add(
        "TfIdfVectorizer",
        numbers,
        mode="TF",
        min_gram_length=1,
        max_gram_length=1,
        max_skip_count=0,
        ngram_counts=[0],
        ngram_indexes=list(range(vocabulary.size)),
        pool_int64s=list(range(1, vocabulary.size + 1)),
    )
    return graph.add("Min", counts, graph.constant(np.array([1.0], dtype=np.float32)))


def add_weighed(graph: Graph, present: str, vocabulary: Vocabulary) -> str:
    """Words present -> words weighed, each text scaled to length 1, shape (n, size), double."""
    weighed = graph.add("Mul", graph.cast(present, TensorProto.DOUBLE), graph.constant(vocabulary.weights))
    length = graph.add("ReduceL2", weighed, graph.constant(np.array([1], dtype=np.int64)), keepdims=1)
    # The shortest text with a word has length 1, so this only keeps texts without one from dividing 0 by 0.
    return graph.add("Div", weighed, graph.add("Max", length, graph.constant(np.array([1e-9]))))


def _constant_column(graph: Graph, value: str, number: np.ndarray) -> str:
    shape = graph.add("Shape", value)
    return graph.add("Expand", graph.constant(number.reshape(1, 1)), shape)
