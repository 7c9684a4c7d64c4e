"""The story of a project: everything its report tells, as one frozen record.

Any part may be empty; the report then says so in words. Times named `at`, `start` and `end` are ISO texts on the
clock of the project's data, so that a replay of a past year is drawn on that year.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from threefold.design.canvas import Canvas
from threefold.errors import Finding
from threefold.records import Alert, CandidateReport, FeatureSpec, Gate, GateResult, Snapshot, WindowReport


@dataclass(frozen=True, slots=True)
class CanvasSummary:
    """The canvas in a few lines."""

    digest: str  # of threefold.yaml
    lines: Mapping[str, str]  # what a reader asks -> the answer in words; empty answers are left out
    gates: tuple[str, ...] = ()  # "roc_auc >= 0.7"


@dataclass(frozen=True, slots=True)
class VersionStory:
    """One version before its gates: let through or stopped, and by which sentence."""

    number: int
    status: str  # approved, refused, candidate, retired
    gates: tuple[GateResult, ...]
    candidate: str = ""  # "boosting"
    at: str = ""
    why: str = ""  # what started the training: "first training", "decay", "a deliberately broken model"


@dataclass(frozen=True, slots=True)
class ReleaseStory:
    """One release on the clock of the data."""

    number: int
    at: str
    reason: str  # first release, decay, calibration, schedule, rollback …
    approved_by: str
    rollout: str = ""  # "5 %, 25 %, 100 %"
    trained_on: str = ""  # "2013-01-01 to 2013-06-30, 166,158 rows"


@dataclass(frozen=True, slots=True)
class RollbackStory:
    """One way back to the version before."""

    at: str
    left: int  # the version that was left
    to: int  # the version that answers since
    reason: str
    took_ms: float  # from the command to the first answer of the old version; 0: not measured


@dataclass(frozen=True, slots=True)
class Month:
    """One month of live traffic: what Threefold answered, and what the first model would have answered."""

    start: str  # first day, "2013-04-01"
    rows: int  # predictions whose label has arrived
    positive_rate: float | None  # binary: share of "yes" among the labels; None: not a yes-or-no target
    frozen: Mapping[str, float]  # metric -> value of the first release, never trained again
    live: Mapping[str, float]  # metric -> value of what Threefold served
    versions: tuple[int, ...] = ()  # versions that answered in this month, in order
    alerts: int = 0  # pages opened in this month; digest lines are not counted


@dataclass(frozen=True, slots=True)
class Latency:
    """How fast the server answered, measured over HTTP."""

    name: str  # "one row a request", "replay, 500 rows a request"
    requests: int
    rows_per_s: float | None  # None: not measured
    p50_ms: float
    p99_ms: float


@dataclass(frozen=True, slots=True)
class Stage:
    """Where time went."""

    name: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Hop:
    """One station on the way from a prediction back to where it came from."""

    kind: str  # prediction, release, version, bundle, run, training set, snapshot, code, evidence
    name: str
    digest: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Comparison:
    """One thing that was built twice."""

    what: str  # "training set", "model.onnx", "predictions of 1,000 rows"
    before: str
    after: str
    equal: bool


@dataclass(frozen=True, slots=True)
class Reproduction:
    """A version built again from its lineage."""

    number: int
    comparisons: tuple[Comparison, ...]
    largest_difference: float  # of the predictions
    took_s: float


@dataclass(frozen=True, slots=True)
class Story:
    """The life of a project so far."""

    project: str
    made_at: datetime  # UTC, with time zone
    target: str = ""  # "late"
    currency: str = ""
    canvas: CanvasSummary | None = None
    snapshots: tuple[Snapshot, ...] = ()
    notes: tuple[str, ...] = ()  # what cleaning and the contract had to say, as sentences
    findings: tuple[Finding, ...] = ()  # what was wrong in the data and what to do
    features: tuple[FeatureSpec, ...] = ()
    refused_features: tuple[Finding, ...] = ()  # leaks, with their reason
    candidates: tuple[CandidateReport, ...] = ()  # of the first training
    chosen: str = ""  # the name of the candidate that went on to the gates
    baseline: Mapping[str, float] = field(default_factory=dict)  # cross-validated metrics of the heuristic
    versions: tuple[VersionStory, ...] = ()
    releases: tuple[ReleaseStory, ...] = ()
    rollbacks: tuple[RollbackStory, ...] = ()
    months: tuple[Month, ...] = ()
    windows: tuple[WindowReport, ...] = ()
    drift_limit: float | None = None  # the limit of the canvas
    alerts: tuple[Alert, ...] = ()
    latency: tuple[Latency, ...] = ()
    stages: tuple[Stage, ...] = ()
    trace: tuple[Hop, ...] = ()
    reproduction: Reproduction | None = None


def summarise_canvas(canvas: Canvas) -> CanvasSummary:
    """The canvas in the words of its report."""
    value, predict, mistakes = canvas.value, canvas.predict, canvas.value.mistakes
    when = f", at {predict.at}" if predict.at else ""
    ahead = f", known {_span(predict.ahead)} ahead" if predict.ahead else ""
    lines = {
        "For": value.audience,
        "Need": value.need,
        "Benefit": value.benefit,
        "Mistakes": "; ".join(f"{k.replace('_', ' ')} {v:g} {value.currency}".strip() for k, v in mistakes.items()),
        "Risk": value.risk,
        "Predicts": f"{predict.target} of {predict.table}{when}{ahead}",
        "Test share": f"{predict.test_share:.0%}, split by {predict.split_by}, sealed",
        "Baseline": canvas.train.baseline,
        "Candidates": ", ".join(canvas.train.candidates),
        "Trains again on": ", ".join(canvas.retrain.on),
    }
    gates = tuple(_gate_line(gate) for gate in canvas.accept)
    return CanvasSummary(canvas.digest, {key: text for key, text in lines.items() if text}, gates)


def _gate_line(gate: Gate) -> str:
    return f"{gate.name} {gate.operator} {gate.limit:g} {gate.unit}".strip()


def _span(span: timedelta) -> str:
    hours = span.total_seconds() / 3600
    return f"{hours / 24:g} days" if hours >= 48 else f"{hours:g} h"
