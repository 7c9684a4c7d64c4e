"""What a home of MLflow's history holds, whichever kind of home it is."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from threefold.store.tracking.metrics import Point
from threefold.store.tracking.reading import DatasetUse

LARGEST = 1.7976931348623157e308  # stands for infinity in MLflow's tables and answers
Files = Iterator[tuple[str, Iterator[bytes]]]  # path within the artifacts of a run or model, and its bytes


@dataclass(frozen=True, slots=True)
class Experiment:
    """One experiment; `key` is its id over there."""

    key: str
    name: str
    created_ms: int
    updated_ms: int
    deleted: bool
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Run:
    """One run with all that was logged to it but its files."""

    id: str
    name: str
    user: str
    status: str  # as MLflow says it: RUNNING, SCHEDULED, FINISHED, FAILED, KILLED
    started_ms: int
    ended_ms: int | None
    deleted: bool
    root: str  # where its files are
    params: Mapping[str, str]
    tags: Mapping[str, str]
    points: tuple[Point, ...]
    datasets: tuple[DatasetUse, ...] = ()
    models: tuple[tuple[str, str, int], ...] = ()  # "input" or "output", id of the logged model, step


@dataclass(frozen=True, slots=True)
class LoggedModel:
    """One logged model; `status` is a number, as the protocol counts."""

    id: str
    name: str
    status: int
    status_message: str | None
    type: str | None
    run_id: str | None
    created_ms: int
    updated_ms: int
    deleted: bool
    root: str
    params: Mapping[str, str]
    tags: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Version:
    """One registered version."""

    number: int
    source: str
    run_id: str
    model_id: str | None
    stage: str
    description: str | None
    run_link: str | None
    user: str
    created_ms: int
    updated_ms: int
    tags: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Model:
    """One registered model with its versions and aliases."""

    name: str
    description: str | None
    created_ms: int
    updated_ms: int
    tags: Mapping[str, str]
    aliases: Mapping[str, int]
    versions: tuple[Version, ...]


class History(Protocol):
    """A home of MLflow's history. Everything is read when it is asked for, one run at a time."""

    name: str  # as people are told

    def experiments(self) -> list[Experiment]:
        """Every experiment, deleted ones too."""
        ...

    def run_ids(self, experiment: Experiment) -> list[str]:
        """The ids of its runs, deleted ones too. They are asked for, one after the other, before those of the next."""
        ...

    def run(self, experiment: Experiment, run_id: str) -> Run:
        """One run."""
        ...

    def logged_models(self, experiment: Experiment) -> list[LoggedModel]:
        """Its logged models."""
        ...

    def models(self) -> list[Model]:
        """Every registered model."""
        ...

    def files(self, root: str) -> Files | None:
        """The files below an address; None where they cannot be read from here."""
        ...

    def close(self) -> None:
        """Give connections back."""
        ...


def as_logged(value: float) -> float:
    """A metric's value as it was logged, from how MLflow keeps it.

    >>> as_logged(0.5), as_logged(-LARGEST)
    (0.5, -inf)
    """
    return math.copysign(math.inf, value) if abs(value) >= LARGEST else value
