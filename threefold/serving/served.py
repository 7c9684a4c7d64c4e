"""What a server answers from: one immutable picture of an endpoint, taken once at the start of a request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from hashlib import blake2b
from typing import Any

import msgspec
import numpy as np

from threefold.records import Routing, Tensor, plain
from threefold.serving.arms import Answer, LoadedArm
from threefold.serving.journal import Columns
from threefold.serving.labels import Outcomes
from threefold.serving.plain import PlainReader
from threefold.serving.protocol import ID, TIME, Layout, Rows

ABSENT, IGNORED = "absent", "ignored"  # the checks of inputs that a canary needs and that no version needs


class Predicted(msgspec.Struct, frozen=True, gc=False):
    """The rows of one request with what was said about them; the lists have one entry for each row.

    Attributes:
        arm: the version that answered most of the rows.
        scores: shape (rows, k), float64.
        ms: how long the answering version took; a list with one element holds for all rows.
    """

    arm: LoadedArm
    scores: np.ndarray
    versions: list[int]
    sources: list[str]
    checks: list[list[str]] | None
    ms: list[float]


class Served:
    """An endpoint as a server answers it. Replaced whole when the routing changes, never edited.

    Args:
        routing: as read from the store.
        arms: the loaded versions, in the order of `routing.arms`.
        previous: the version before, kept warm.
        others: more versions whose inputs clients may send; they are accepted and ignored, as those of `previous` are.
    """

    def __init__(
        self,
        routing: Routing,
        arms: Sequence[LoadedArm],
        previous: LoadedArm | None,
        others: Sequence[LoadedArm] = (),
    ) -> None:
        self.routing = routing
        self.arms = tuple(arms)
        self.previous = previous
        self._bridge = _bridge(arms[0], previous)
        self.layout = _layout(arms, [*([previous] if previous else []), *others], self._bridge)
        self.plain = PlainReader(self.layout)
        self.outcomes = Outcomes(arm.bundle.task for arm in (*arms, previous) if arm)
        answering = [*arms, *([self._bridge] if self._bridge else [])]
        self.slow = any(arm.slow for arm in answering)
        self._views = {arm.number: _view(self.layout.columns, arm.columns) for arm in answering}
        self._canary = routing.arms[1] if len(arms) > 1 else None

    def version(self, number: int) -> Served | None:
        """The endpoint as if one loaded version were all there is; None where that version is not loaded."""
        if len(self.arms) == 1 and self.arms[0].number == number and self._bridge is None:
            return self
        loaded = zip((*self.routing.arms, self.routing.previous), (*self.arms, self.previous), strict=False)
        for route, arm in loaded:
            if route is not None and arm is not None and arm.number == number:
                alone = replace(self.routing, arms=(replace(route, share=1.0),), previous=None, rollout=None)
                return Served(alone, [arm], None, [one for one in (*self.arms, self.previous) if one])
        return None

    def predict(self, rows: Rows) -> Predicted:
        """Let each row be answered by the version its id belongs to."""
        predicted = self._predict(rows)
        return _flagged(predicted, rows) if rows.absent or rows.ignored else predicted

    def _predict(self, rows: Rows) -> Predicted:
        arm, canary = self._chosen(rows)
        if canary:
            return self._split(rows, canary)
        answer = self._answer(arm, rows, None)
        return Predicted(arm, answer.scores, [arm.number] * rows.count, answer.sources, answer.checks, [answer.ms])

    def _chosen(self, rows: Rows) -> tuple[LoadedArm, list[int]]:
        """The version for all rows; or the champion, and the rows that belong to the canary."""
        champion = self.arms[0]
        if self._bridge is not None and rows.absent & self._needs(0):
            return self._bridge, []
        if self._canary is None or rows.absent & self._needs(1):
            return champion, []
        salt, share = self._canary.release_id, self._canary.share
        if not self._alike():  # other classes, other answer: a request cannot be half of each
            whole = position(rows.ids[0], salt) < share if rows.ids else False
            return self.arms[int(whole)], []
        canary = [row for row, id_ in enumerate(rows.ids) if position(id_, salt) < share]
        return (self.arms[1], []) if canary and len(canary) == rows.count else (champion, canary)

    def _split(self, rows: Rows, canary: list[int]) -> Predicted:
        mine = set(canary)
        parts = [
            (self.arms[0], [row for row in range(rows.count) if row not in mine]),
            (self.arms[1], canary),
        ]
        answers = [(arm, index, self._answer(arm, rows, index)) for arm, index in parts]
        return _merged(answers, rows.count)

    def _answer(self, arm: LoadedArm, rows: Rows, index: list[int] | None) -> Answer:
        numbers, texts = rows.numbers, rows.texts
        view = self._views[arm.number]
        if view is not None:
            numbers, texts = numbers[view[0]], [texts[column] for column in view[1]]
        if index is not None:
            numbers, texts = np.ascontiguousarray(numbers[:, index]), [[t[row] for row in index] for t in texts]
        return arm.answer(numbers, texts, stopped=self.routing.stopped)

    def _needs(self, position: int) -> frozenset[str]:
        return _needs(self.arms[position])

    def _alike(self) -> bool:
        return _alike(self.arms[0], self.arms[1])

    def metadata(self) -> dict[str, Any]:
        """The model metadata of the protocol."""
        champion = self.arms[0].bundle
        inputs = [{"name": t.name, "datatype": t.datatype, "shape": list(t.shape)} for t in _tensors(self.arms)]
        optional = [
            {"name": name, "datatype": "BYTES", "shape": [-1, 1], "parameters": {"optional": True}}
            for name in (ID, TIME)
        ]
        outputs = [{"name": t.name, "datatype": t.datatype, "shape": list(t.shape)} for t in champion.outputs]
        return {
            "name": self.routing.endpoint,
            "versions": [str(arm.number) for arm in (*self.arms, self.previous) if arm],
            "platform": f"threefold_{champion.format}",
            "inputs": inputs + optional,
            "outputs": outputs,
        }

    def state(self) -> dict[str, Any]:
        """What is served, for people and programs that look after the server."""
        warm = self.previous.number if self.previous else None
        loaded = [{"version": arm.number, "slow": arm.slow} for arm in self.arms]
        return {**plain(self.routing), "loaded": loaded, "warm": warm}


def position(prediction_id: str, salt: str) -> float:
    """Where an id stands between 0 and 1: the same for the whole rollout, so that a growing canary keeps its ids."""
    digest = blake2b(prediction_id.encode("utf-8", "surrogatepass"), digest_size=8, key=salt.encode()[:64]).digest()
    return int.from_bytes(digest, "little") / 2**64


def _merged(answers: Sequence[tuple[LoadedArm, list[int], Answer]], rows: int) -> Predicted:
    first = answers[0][2].scores
    scores = np.empty((rows, first.shape[1]), dtype=np.float64)
    versions, sources, ms = [0] * rows, [""] * rows, [0.0] * rows
    checks: list[list[str]] = [[] for _ in range(rows)]
    for arm, index, answer in answers:
        scores[index] = answer.scores
        for place, row in enumerate(index):
            versions[row], sources[row], ms[row] = arm.number, answer.sources[place], answer.ms
            if answer.checks:
                checks[row] = answer.checks[place]
    most = max(answers, key=lambda item: len(item[1]))[0]
    return Predicted(most, scores, versions, sources, checks if any(checks) else None, ms)


def _flagged(predicted: Predicted, rows: Rows) -> Predicted:
    """The same with a flag on each row for the inputs that were left out, and for those that nobody uses."""
    flags = [f"input:{ABSENT}:{name}" for name in sorted(rows.absent)]
    flags += [f"input:{IGNORED}:{name}" for name in sorted(rows.ignored)]
    checks = [flags + row for row in predicted.checks or [[]] * rows.count]
    return msgspec.structs.replace(predicted, checks=checks)


def _needs(arm: LoadedArm) -> frozenset[str]:
    return frozenset((*arm.columns.numbers, *arm.columns.texts))


def _alike(first: LoadedArm, second: LoadedArm) -> bool:
    one, other = first.bundle.task, second.bundle.task
    return (one.problem, one.classes) == (other.problem, other.classes)


def _bridge(champion: LoadedArm, previous: LoadedArm | None) -> LoadedArm | None:
    """The version before, where the new one only asks for more: it answers the clients that do not send that yet.

    Never a newer one, as that was left by a rollback and is not trusted.
    """
    if previous is None or previous.number >= champion.number or not _alike(champion, previous):
        return None
    return previous if _needs(previous) < _needs(champion) else None


def _layout(arms: Sequence[LoadedArm], others: Sequence[LoadedArm], bridge: LoadedArm | None) -> Layout:
    numbers = dict.fromkeys(name for arm in arms for name in arm.columns.numbers)
    texts = dict.fromkeys(name for arm in arms for name in arm.columns.texts if name not in numbers)
    features, required = frozenset((*numbers, *texts)), _needs(bridge or arms[0])
    accepted = {tensor.name: tensor.datatype for tensor in _tensors([*arms, *others])}
    datatypes = {ID: "BYTES", TIME: "BYTES"} | accepted
    return Layout(Columns(tuple(numbers), tuple(texts)), features, required, datatypes, frozenset(accepted) - features)


def _tensors(arms: Sequence[LoadedArm]) -> list[Tensor]:
    """The inputs of some versions, each name once."""
    found: dict[str, Tensor] = {}
    for arm in arms:
        for tensor in arm.bundle.inputs:
            found.setdefault(tensor.name, tensor)
    return list(found.values())


def _view(layout: Columns, arm: Columns) -> tuple[list[int], list[int]] | None:
    """Which columns of the layout a version takes; None where it takes them all in this order."""
    if layout == arm:
        return None
    numbers = [layout.numbers.index(name) for name in arm.numbers if name in layout.numbers]
    return numbers, [layout.texts.index(name) for name in arm.texts if name in layout.texts]
