"""The frozen records that rooms hand to one another.

Takes     nothing but the errors below it.
Hands on  one dataclass per noun of the field, and the two functions that turn them to JSON and back.
Start in  Snapshot, then Bundle, ModelVersion and Release: the line from data to production.

Times are datetimes in UTC with time zone where they say when Threefold did something; times in a project's data
keep the clock of the data (naive) and are named so. Digests are sha256, hex.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import PurePath
from typing import Any, Literal, TypeVar

import msgspec

Problem = Literal["binary", "multiclass", "regression"]
Kind = Literal["number", "category", "text", "time", "boolean"]

T = TypeVar("T")


def to_json(record: Any) -> bytes:
    """Canonical JSON of a record: keys sorted, so that equal records have equal bytes."""
    return msgspec.json.encode(record, order="sorted")


def from_json(data: bytes | str, kind: type[T]) -> T:
    """A record read back. Raises msgspec.ValidationError where the bytes do not fit the kind."""
    return msgspec.json.decode(data, type=kind)


def plain(record: Any) -> Any:
    """A record as dicts, lists, strings and numbers, for a JSON column or for --json."""
    return msgspec.to_builtins(record, enc_hook=_as_text)


def _as_text(value: Any) -> str:
    if isinstance(value, PurePath):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no plain form")


def from_plain(value: Any, kind: type[T]) -> T:
    """A record from what `plain` made of it."""
    return msgspec.convert(value, type=kind)


def utc_now() -> datetime:
    """This moment, in UTC with time zone."""
    return datetime.now(UTC)


def now_ms() -> int:
    """This moment in milliseconds since 1970."""
    return time.time_ns() // 1_000_000


# ------------------------------------------------------------------------------------------------------- data


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One table as it was at one moment: immutable bytes and where they came from."""

    name: str
    digest: str  # of the Parquet object in the store
    rows: int
    size_bytes: int
    columns: Mapping[str, str]  # name -> Polars type, as text
    source: str  # as written in the canvas, without secrets
    source_digest: str  # of the bytes that were read
    taken_at: datetime
    as_of: str | None = None  # data time up to which rows and late columns are known; None: all of it


@dataclass(frozen=True, slots=True)
class ColumnProfile:
    """What one column looks like."""

    name: str
    dtype: str
    kind: Kind
    rows: int
    nulls: int
    unique: int
    minimum: float | str | None = None
    maximum: float | str | None = None
    mean: float | None = None
    deviation: float | None = None
    quantiles: tuple[float, ...] = ()  # at 0, 5, 25, 50, 75, 95, 100 percent; numbers only
    top: tuple[tuple[str, int], ...] = ()  # the most frequent values with their counts; not for numbers


@dataclass(frozen=True, slots=True)
class Profile:
    """What one table looks like."""

    table: str
    rows: int
    duplicates: int  # rows that stand twice, whole
    columns: tuple[ColumnProfile, ...]


@dataclass(frozen=True, slots=True)
class ColumnRule:
    """What a column promises. A limit of None is not checked."""

    name: str
    kind: Kind
    max_null_share: float = 0.0
    minimum: float | None = None
    maximum: float | None = None
    values: tuple[str, ...] | None = None  # the allowed categories
    max_unseen_share: float = 0.0  # share of rows that may hold a category not in `values`


@dataclass(frozen=True, slots=True)
class Contract:
    """What a table, or the input of a model, promises."""

    table: str
    rules: tuple[ColumnRule, ...]
    unique_key: tuple[str, ...] = ()
    version: int = 1


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken promise, with its number."""

    table: str
    column: str
    rule: str  # missing, type, kind (number or true/false), nulls, range, values, unique
    rows: int  # how many rows break it
    share: float
    sentence: str


# ---------------------------------------------------------------------------------------------------- features


@dataclass(frozen=True, slots=True)
class FeatureSpec:
    """One input of the model."""

    name: str
    kind: Literal["number", "category", "text"]
    view: str  # the feature view that makes it
    source: str = ""  # the table the view reads


@dataclass(frozen=True, slots=True)
class TaskSpec:
    """What is predicted from what; all a candidate needs to know about the project."""

    problem: Problem
    target: str
    features: tuple[FeatureSpec, ...]
    classes: tuple[str, ...] = ()  # labels as text, in the order of the probability columns; empty for regression
    positive: str | None = None  # binary: the label whose probability is reported
    mistakes: Mapping[str, float] = field(default_factory=dict)  # false_positive, false_negative -> cost
    currency: str = ""


# ---------------------------------------------------------------------------------------------------- training


@dataclass(frozen=True, slots=True)
class CandidateReport:
    """How one candidate did in training; the model itself is an artifact beside it."""

    name: str
    run_id: str
    params: Mapping[str, Any]  # the best of the search
    metrics: Mapping[str, float]  # cross-validated means, and "<metric>_std"
    folds: tuple[Mapping[str, float], ...]
    trials: tuple[Mapping[str, Any], ...]  # every point of the search: params and the value of the metric
    curves: Mapping[str, tuple[tuple[float, float], ...]]  # roc, calibration, learning … as points
    duration_s: float
    threshold: float | None = None  # binary: the probability above which "yes" costs least


# ----------------------------------------------------------------------------------------------------- quality


@dataclass(frozen=True, slots=True)
class Gate:
    """One release gate, as it stands in the canvas."""

    name: str  # "roc_auc over baseline"
    metric: str  # "roc_auc"
    operator: Literal[">=", "<=", ">", "<"]
    limit: float
    unit: str = ""
    over: str | None = None  # "baseline", "champion": the value is the gain over it
    across: str | None = None  # a column: the value is taken over its slices
    reduce: Literal["gap", "worst"] | None = None


@dataclass(frozen=True, slots=True)
class GateResult:
    """What a gate said, with its number."""

    gate: str
    passed: bool
    value: float | None
    limit: str
    sentence: str  # by what, by how much, and what would pass
    details: Mapping[str, Any] = field(default_factory=dict)


# --------------------------------------------------------------------------------------------------- packaging


@dataclass(frozen=True, slots=True)
class Tensor:
    """One input or output of a model, in the words of the Open Inference Protocol."""

    name: str
    datatype: str  # FP32, FP64, INT64, BOOL, BYTES …
    shape: tuple[int, ...]  # -1 is free


@dataclass(frozen=True, slots=True)
class Bundle:
    """A model with all its surroundings. Its digest is that of its manifest, which names each file's digest."""

    digest: str
    name: str
    format: str  # onnx, python
    task: TaskSpec
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    files: Mapping[str, str]  # model.onnx, contract.json, fallback.json, reference.json, environment.json -> digest
    threshold: float | None
    created_at: datetime


# ---------------------------------------------------------------------------------------------------- registry


@dataclass(frozen=True, slots=True)
class Lineage:
    """What a model version rests on."""

    snapshots: Mapping[str, str]  # table -> digest, as known at `as_of`
    training_set: str
    test_set: str
    code: Mapping[str, Any]  # commit, dirty, files (digest of the project's source)
    environment: str
    run_id: str
    candidate: str
    as_of: str | None
    canvas: str  # digest of threefold.yaml
    seed: int
    champion: str | None = None  # bundle in production when this version was made: its rival, and its tables' contracts
    accepted: tuple[str, ...] = ()  # tables whose new shape was accepted on purpose, in spite of those contracts


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """One registered model: what was built, and by which run. Only its status and its semantic name ever change."""

    name: str
    number: int  # 1, 2, 3 … within a name; never reused
    run_id: str
    bundle: str
    status: str  # candidate, refused, approved, released, retired
    metrics: Mapping[str, float]
    lineage: Lineage  # of a version that a client logged, only the run is known
    created_at: datetime
    semantic: str | None = None  # the name people give it: 2.1.0
    user: str = ""  # who registered it


@dataclass(frozen=True, slots=True)
class Release:
    """This data, this model, this code, this environment, and the evidence that they were tested together."""

    id: str
    endpoint: str
    name: str
    number: int
    bundle: str
    lineage: Lineage
    evidence: tuple[str, ...]  # ids
    approved_by: str
    reason: str  # first release, drift, decay, schedule, rollback …
    created_at: datetime


# ----------------------------------------------------------------------------------------------------- serving


@dataclass(frozen=True, slots=True)
class Arm:
    """One version behind an endpoint, with its share of the traffic."""

    number: int
    bundle: str
    release_id: str
    share: float  # 0 to 1; the shares of an endpoint add up to 1


@dataclass(frozen=True, slots=True)
class Rollout:
    """A canary under way."""

    number: int
    steps: tuple[float, ...]  # shares, the last one 1.0
    position: int
    started_at: datetime
    min_requests: int


@dataclass(frozen=True, slots=True)
class Routing:
    """All that the data plane needs to answer. Replaced whole, never edited."""

    endpoint: str
    model: str
    generation: int
    arms: tuple[Arm, ...]
    previous: Arm | None = None  # kept warm, so that a rollback is one assignment
    rollout: Rollout | None = None
    stopped: bool = False  # the stop switch: answer from the fallback


# -------------------------------------------------------------------------------------------------- monitoring


@dataclass(frozen=True, slots=True)
class Drift:
    """How far one column moved between two windows."""

    column: str
    method: str
    score: float
    low: float  # lower end of the 95 % interval of the score
    drifted: bool
    sentence: str
    nulls_before: float = 0.0
    nulls_after: float = 0.0
    unseen: float = 0.0


@dataclass(frozen=True, slots=True)
class WindowReport:
    """One window of live traffic, compared with training."""

    endpoint: str
    start: str  # data time
    end: str
    rows: int
    labelled: int
    versions: Mapping[str, int]  # model version -> rows
    drift: tuple[Drift, ...]
    metrics: Mapping[str, float]
    checks: Mapping[str, int]  # input and output checks that failed, fallbacks, errors
    latency_ms: Mapping[str, float]  # p50, p99


@dataclass(frozen=True, slots=True)
class Alert:
    """One thing that needs a look: a sentence, a number, a probable cause, what to do."""

    id: str
    endpoint: str
    cause: str  # what makes two alerts the same one: "decay", "calibration", "prediction drift", "input checks"
    severity: Literal["page", "digest"]
    sentence: str
    value: float
    limit: float
    probable: str
    do: str
    window_start: str
    window_end: str
    opened_at: datetime


# ---------------------------------------------------------------------------------------------------- event log


@dataclass(frozen=True, slots=True)
class Event:
    """One row of the append-only log."""

    seq: int
    at: str
    kind: str
    subject: str
    actor: str
    body: Mapping[str, Any]
    previous: str
    hash: str
