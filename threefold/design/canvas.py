"""The canvas as records: what `threefold.yaml` says, checked and with every convention filled in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Literal

from threefold.records import Gate, Problem


@dataclass(frozen=True, slots=True)
class Value:
    """Why the project exists, and what a mistake costs."""

    audience: str = ""  # key `for`
    need: str = ""
    benefit: str = ""
    mistakes: Mapping[str, float] = field(default_factory=dict)  # false_positive, false_negative -> cost of one
    currency: str = ""
    risk: Literal["unknown", "minimal", "transparency", "high", "prohibited"] = "unknown"


@dataclass(frozen=True, slots=True)
class Source:
    """One table."""

    name: str
    source: str  # a path (CSV, Parquet, JSON lines, zipped CSV), package:<distribution>/<file>, or a database URL
    time: str | None = None  # the column that says when a row is known; may be made by the cleaning function
    later: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # time column -> columns known only then
    key: tuple[str, ...] = ()  # what makes a row unique
    owner: str = ""
    nulls: tuple[str, ...] = ("", "NA", "NaN", "null", "NULL")  # texts that mean "no value" in a CSV


@dataclass(frozen=True, slots=True)
class Prediction:
    """What is predicted, from when on, and how the data are split."""

    table: str
    target: str
    problem: Problem | None = None  # None: inferred from the target
    positive: str | None = None  # binary: the label that counts as "yes"; None: true, 1, yes, or the rarer one
    at: str | None = None  # the column with the moment a prediction is about; None: no time in this project
    ahead: timedelta = timedelta(0)  # predictions are made this long before `at`
    split_by: Literal["time", "random"] = "random"
    test_share: float = 0.2  # locked away until the acceptance test
    leave_out: tuple[str, ...] = ()  # columns that are no features
    id: str | None = None  # the column that names a prediction; None: the row's number


@dataclass(frozen=True, slots=True)
class Training:
    """How models are built."""

    baseline: str = "prior"  # "prior", "rate by <column>", or a function in model.py
    candidates: tuple[str, ...] = ("linear", "boosting")  # built-in names, or functions and classes in model.py
    budget_s: float = 60.0  # for the search of all candidates together
    metric: str | None = None  # what the search maximises or minimises; None: by problem
    folds: int = 3
    seed: int = 7
    window: timedelta | None = None  # train on this much of the newest data only; None: all of it


@dataclass(frozen=True, slots=True)
class Serving:
    """How releases reach their users."""

    pattern: Literal["service"] = "service"
    rollout: tuple[float, ...] = (1.0,)  # shares; "canary 5% 25% 100%" is (0.05, 0.25, 1.0)
    port: int = 8080
    min_requests: int = 200  # rows a canary must answer before its next step


@dataclass(frozen=True, slots=True)
class Watching:
    """What is compared in each window, and when somebody is told."""

    window: timedelta = timedelta(days=1)
    drift: float = 0.2  # Jensen-Shannon distance; alert limit
    drops: Mapping[str, float] = field(default_factory=dict)  # metric -> loss against acceptance that is decay
    calibration: float | None = 0.1  # binary: |mean predicted - share that came true|
    persist: tuple[int, int] = (2, 3)  # m of k windows must agree before an alert
    min_rows: int = 500
    notify: tuple[str, ...] = ("console",)


@dataclass(frozen=True, slots=True)
class Retraining:
    """What starts a new training."""

    on: tuple[str, ...] = ()  # drift, decay, calibration, new data
    every: timedelta | None = None
    cool_down: timedelta = timedelta(days=14)


@dataclass(frozen=True, slots=True)
class CommandStep:
    """A step that is a command line, with declared inputs and outputs."""

    name: str
    run: str  # the command; {input} and {output} names stand for paths
    inputs: tuple[str, ...] = ()  # files of the project, or tables
    outputs: tuple[str, ...] = ()  # files the command writes, relative to its own empty folder
    code: tuple[str, ...] = ()  # further files whose content counts
    table: str | None = None  # an output (CSV or Parquet) that becomes a table of this name: `name: file`


@dataclass(frozen=True, slots=True)
class Canvas:
    """The whole project."""

    root: Path
    file: Path
    digest: str  # of the file's bytes
    project: str
    value: Value
    data: Mapping[str, Source]
    predict: Prediction
    train: Training
    accept: tuple[Gate, ...]
    serve: Serving
    watch: Watching
    retrain: Retraining
    steps: tuple[CommandStep, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)
