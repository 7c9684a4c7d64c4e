"""The same ONNX graph with all its numbers in one tensor.

A bundle has one input for each feature, which suits clients. Handing thirty arrays to ONNX Runtime takes longer than
running the model on one row, so a server rewires the graph when it loads the bundle, and then proves on a few rows that
both forms answer the same to the last bit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from threefold.packaging.scoring import OnnxRuntime, Scorer
from threefold.serving.journal import Columns

PACKED = "threefold.numbers"


class NamedScorer:
    """Any scorer, fed feature by feature."""

    def __init__(self, scorer: Scorer, columns: Columns) -> None:
        self._scorer = scorer
        self._columns = columns

    def score(self, numbers: np.ndarray, texts: Sequence[list[str]]) -> np.ndarray:
        """Scores as TrainedModel.score; arguments as LoadedArm.answer."""
        return self._scorer.score(named(self._columns, numbers, texts))


class PackedScorer:
    """An ONNX bundle, fed with one tensor of numbers and the texts beside it."""

    def __init__(self, model: bytes, scorer: Scorer, columns: Columns) -> None:
        self._scorer = scorer
        self._texts = columns.texts
        self._wanted = scorer.outputs[:1]
        self._runtime = OnnxRuntime(repacked(model, columns.numbers, self._wanted[0]))

    def score(self, numbers: np.ndarray, texts: Sequence[list[str]]) -> np.ndarray:
        """Scores as TrainedModel.score; arguments as LoadedArm.answer."""
        feed = {PACKED: np.ascontiguousarray(numbers.T)}
        for name, values in zip(self._texts, texts, strict=True):
            feed[name] = np.array(values, dtype=object).reshape(-1, 1)
        answers = self._runtime.run(feed, self._wanted)
        return self._scorer.scores_of({self._wanted[0]: answers[0]})


def named(columns: Columns, numbers: np.ndarray, texts: Sequence[list[str]]) -> Mapping[str, np.ndarray]:
    """Feature -> its values, shape (rows,)."""
    found = dict(zip(columns.numbers, numbers, strict=True))
    for name, values in zip(columns.texts, texts, strict=True):
        found[name] = np.array(values, dtype=object)
    return found


def pack_if_equal(model: bytes, scorer: Scorer, columns: Columns) -> PackedScorer | NamedScorer:
    """The packed form of a model, or the plain one where there is nothing to gain or any doubt."""
    plain = NamedScorer(scorer, columns)
    if len(columns.numbers) < 2:
        return plain
    try:
        packed = PackedScorer(model, scorer, columns)
        rows = probe(columns)
        same = np.array_equal(packed.score(*rows), plain.score(*rows), equal_nan=True)
    except Exception:  # a graph this cannot be done to is served as it is; what is wrong with it shows there
        return plain
    return packed if same else plain


def probe(columns: Columns) -> tuple[np.ndarray, list[list[str]]]:
    """A few rows to compare two forms on: nothing, zeros, and numbers that differ in every column."""
    size = len(columns.numbers)
    rows = np.random.default_rng(7).normal(0, 100, (size, 8)).astype(np.float32)
    rows[:, 0], rows[:, 1], rows[:, 2] = np.nan, 0.0, np.arange(size)
    return rows, [["", "a", *[f"word {row}" for row in range(6)]] for _ in columns.texts]


def repacked(model: bytes, names: Sequence[str], output: str) -> bytes:
    """The graph of a model for a server.

    Its inputs `names`, each [-1, 1], become one, [-1, len(names)]; of its outputs only one is left, as ONNX Runtime
    computes all there are, asked or not.
    """
    # 0.1 s and some memory, once for each bundle, and not while answering.
    import onnx
    from onnx import TensorProto, helper

    proto = onnx.load_from_string(model)
    graph = proto.graph
    kept = [value for value in graph.input if value.name not in names]
    wanted = [value for value in graph.output if value.name == output]
    del graph.input[:], graph.output[:]
    graph.input.extend([helper.make_tensor_value_info(PACKED, TensorProto.FLOAT, [None, len(names)]), *kept])
    graph.output.extend(wanted)
    whole = _whole(graph, names)
    if whole is None:
        opset = next(one.version for one in proto.opset_import if one.domain in ("", "ai.onnx"))
        more: dict[str, Any] = {"num_outputs": len(names)} if opset >= 18 else {}
        graph.node.insert(0, helper.make_node("Split", [PACKED], list(names), axis=1, **more))
    else:
        whole.CopyFrom(helper.make_node("Identity", [PACKED], list(whole.output)))
    data: bytes = proto.SerializeToString()
    return data


def _whole(graph: Any, names: Sequence[str]) -> Any:
    """The node that does nothing but put all these inputs beside one another, in this order; None: there is none."""
    users = [node for node in graph.node if set(node.input) & set(names)]
    if len(users) == 1 and users[0].op_type == "Concat" and list(users[0].input) == list(names):
        return users[0] if users[0].attribute[0].i == 1 else None
    return None
