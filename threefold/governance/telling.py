"""Put the story of a project together from its store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from threefold.data import snapshots
from threefold.errors import Finding
from threefold.governance.story import (
    CanvasSummary,
    Comparison,
    Hop,
    Latency,
    Month,
    ReleaseStory,
    Reproduction,
    RollbackStory,
    Stage,
    Story,
    VersionStory,
    summarise_canvas,
)
from threefold.governance.trace import trace
from threefold.loop.project import Project
from threefold.loop.reproduce import REPRODUCED
from threefold.loop.reproduce import Reproduction as Rebuilt
from threefold.monitoring.watch import all_alerts, all_windows
from threefold.packaging.bundles import columns_of, load_bundle
from threefold.packaging.scoring import Scorer
from threefold.pipeline import runs
from threefold.pipeline.lineage import outputs_of, value_of
from threefold.records import Alert, CandidateReport, ModelVersion, Snapshot, TaskSpec, from_plain, utc_now
from threefold.registry import evidence, releases, versions
from threefold.serving import log
from threefold.store import events
from threefold.training import metrics
from threefold.training.task import encode_labels

STEPS_SHOWN = 8


def tell(project: Project) -> Story:
    """The life of the project so far; what did not happen yet stays empty."""
    store = project.store
    known = tuple(one for one in versions.list_versions(store, project.canvas.project) if one.bundle)
    own = [one for one in known if one.lineage.code]  # what a client logged has no steps that could be told
    alerts = tuple(all_alerts(store, project.endpoint))
    summary: CanvasSummary = summarise_canvas(project.canvas)
    first = _Made(project, own[0]) if own else None
    log.ingest(store, project.endpoint)
    predictions = log.read_predictions(store, project.endpoint)  # once: it may hold a year
    return Story(
        project=project.canvas.project,
        made_at=utc_now(),
        target=project.canvas.predict.target,
        currency=project.canvas.value.currency,
        canvas=summary,
        snapshots=first.snapshots() if first else (),
        notes=first.notes() if first else (),
        findings=first.findings() if first else (),
        features=load_bundle(store, known[0].bundle).task.features if known else (),
        candidates=first.reports() if first else (),
        chosen=known[0].lineage.candidate if known else "",
        versions=tuple(_version(project, one) for one in known),
        releases=tuple(_releases(project, known)),
        rollbacks=tuple(_rollbacks(project)),
        months=months(project, known, alerts, predictions),
        windows=tuple(all_windows(store, project.endpoint)),
        drift_limit=project.canvas.watch.drift,
        alerts=alerts,
        latency=_latency(predictions),
        stages=_stages(project),
        trace=_last_way(project, predictions),
        reproduction=_last_reproduction(project),
    )


class _Made:
    """What the run of one version made on its way."""

    def __init__(self, project: Project, version: ModelVersion) -> None:
        self.project = project
        self.lineage = version.lineage
        self.outputs = outputs_of(project.store, version.run_id)

    def snapshots(self) -> tuple[Snapshot, ...]:
        """The sources as they were read."""
        found = (snapshots.find(self.project.store, name, digest) for name, digest in self.lineage.snapshots.items())
        return tuple(one for one in found if one is not None)

    def notes(self) -> tuple[str, ...]:
        """What cleaning did."""
        said: list[str] = []
        for name in self.lineage.snapshots:
            said += [f"{name}: {note}" for note in self._value(f"clean/{name}.notes") or ()]
        return tuple(said)

    def findings(self) -> tuple[Finding, ...]:
        """Which promises the tables broke."""
        return tuple(
            Finding(one.sentence, f"table {name}", "look at these rows; clean them away in data.py if they are wrong")
            for name in self.lineage.snapshots
            for one in self._value(f"check/{name}") or ()
        )

    def reports(self) -> tuple[CandidateReport, ...]:
        """The candidates that were tried."""
        names = [name for name in self.outputs if name.startswith("train/") and name.endswith(".report")]
        return tuple(value_of(self.project.store, self.outputs[name]) for name in names)

    def _value(self, reference: str) -> Any:
        return value_of(self.project.store, self.outputs[reference]) if reference in self.outputs else None


def _version(project: Project, version: ModelVersion) -> VersionStory:
    proof = evidence.of(project.store, versions.subject(version.name, version.number))
    return VersionStory(
        version.number, version.status, tuple(one.result for one in proof), version.lineage.candidate,
        version.lineage.as_of or "",
    )  # fmt: skip


def _releases(project: Project, known: Sequence[ModelVersion]) -> list[ReleaseStory]:
    steps = ", ".join(f"{share:.0%}" for share in project.canvas.serve.rollout)
    when = {one.number: one.lineage.as_of or one.created_at.date().isoformat() for one in known}
    return [
        ReleaseStory(one.number, when[one.number], one.reason, one.approved_by, steps)
        for one in releases.list_releases(project.store, project.endpoint)
    ]


def _rollbacks(project: Project) -> list[RollbackStory]:
    with project.store.read() as connection:
        found = list(events.read(connection, kind="endpoint.rolled back", subject=f"endpoint {project.endpoint}"))
    return [
        RollbackStory(one.at, one.body["from"], one.body["to"], one.body["reason"], one.body.get("took_ms", 0.0))
        for one in found
    ]


def _latency(rows: pl.DataFrame) -> tuple[Latency, ...]:
    """How fast the server was with what is in the log; the way over the network is not in it."""
    if rows.is_empty():
        return ()
    p50, p99 = (float(rows["latency_ms"].quantile(share) or 0.0) for share in (0.5, 0.99))
    return (Latency("in the server, without the network", rows["request_id"].n_unique(), None, p50, p99),)


def _stages(project: Project) -> tuple[Stage, ...]:
    """The seconds of the steps that the last run of the lifecycle executed; longest first, the rest together."""
    last = runs.list_runs(project.store, project=project.canvas.project, kind="pipeline", limit=20)
    for run in last:
        took = {
            one.step: (datetime.fromisoformat(one.ended_at) - datetime.fromisoformat(one.started_at)).total_seconds()
            for one in runs.executions_of(project.store, run.id)
            if one.status == "ran" and one.ended_at
        }
        if took:
            longest = sorted(took.items(), key=lambda item: -item[1])
            rest = sum(seconds for _, seconds in longest[STEPS_SHOWN:])
            told = [Stage(name, seconds) for name, seconds in longest[:STEPS_SHOWN]]
            return (*told, Stage(f"{len(longest) - STEPS_SHOWN} other steps", rest)) if rest else tuple(told)
    return ()


def _last_way(project: Project, rows: pl.DataFrame) -> tuple[Hop, ...]:
    """The way of the newest prediction back to its sources."""
    return trace(project, rows["prediction_id"][-1]) if rows.height else ()


def _last_reproduction(project: Project) -> Reproduction | None:
    """What came of building a version again, the last time somebody did."""
    with project.store.read() as connection:
        found = [event.body for event in events.read(connection, kind=REPRODUCED)]
    mine = [body for body in found if body["name"] == project.canvas.project]
    return told_again(from_plain(mine[-1], Rebuilt)) if mine else None


# -------------------------------------------------------------------------------------------------------- months


def months(
    project: Project, known: Sequence[ModelVersion], alerts: Sequence[Alert], predictions: pl.DataFrame
) -> tuple[Month, ...]:
    """Month by month what was answered, and what the first release would have answered to the same rows."""
    rows = labelled(project, predictions)
    made = releases.list_releases(project.store, project.endpoint)
    if rows.is_empty() or not made:
        return ()
    first = next(one for one in known if one.number == made[0].number)
    bundle = load_bundle(project.store, first.bundle)
    scorer = Scorer.open(project.store.objects.get, bundle, key=project.store.key())
    thresholds = {one.number: load_bundle(project.store, one.bundle).threshold for one in known}
    told = []
    for (start,), frame in rows.group_by(pl.col("time").dt.truncate("1mo"), maintain_order=True):
        assert isinstance(start, datetime)
        told.append(_month(start, frame, bundle.task, scorer, bundle.threshold, thresholds, alerts))
    return tuple(told)


def labelled(project: Project, predictions: pl.DataFrame) -> pl.DataFrame:
    """Every answered prediction whose label has arrived, in order of time; the last label of an id counts."""
    predictions = predictions.filter(pl.col("score").is_not_null())
    feedback = log.read_feedback(project.store, project.endpoint).unique(
        "prediction_id", keep="last", maintain_order=True
    )
    values = feedback.select("prediction_id", pl.col("value").alias("label"))
    return predictions.join(values, on="prediction_id", how="inner").sort("time")


def _month(
    start: datetime, frame: pl.DataFrame, task: TaskSpec, scorer: Scorer, threshold: float | None,
    thresholds: Mapping[int, float | None], alerts: Sequence[Alert],
) -> Month:  # fmt: skip
    y = encode_labels(frame["label"], task)
    readable = np.isfinite(y)  # a label that is no class, or no number, tells nothing about the model
    frame, y = frame.filter(readable), y[readable]
    features = frame.select(pl.col(f"x.{spec.name}").alias(spec.name) for spec in task.features)
    frozen = scorer.score(columns_of(features, task))
    live = frame["score"].to_numpy() if task.problem != "multiclass" else np.array(frame["scores"].to_list())
    used = _thresholds(frame, thresholds, threshold)
    end = (start + timedelta(days=32)).replace(day=1)
    pages = [one for one in alerts if one.severity == "page" and start.isoformat() <= one.window_end < end.isoformat()]
    return Month(
        start=start.date().isoformat(),
        rows=frame.height,
        positive_rate=float(np.mean(y)) if task.problem == "binary" else None,
        frozen=metrics.compute(None, y, frozen, task, threshold),
        live=_pooled(y, live, task, used),
        versions=tuple(frame["version"].drop_nulls().unique(maintain_order=True).to_list()),
        alerts=len(pages),
    )


def _thresholds(frame: pl.DataFrame, known: Mapping[int, float | None], default: float | None) -> np.ndarray:
    """The threshold that was in force for each row: that of the version that answered."""
    numbers = frame["version"].to_list()
    return np.array([known.get(number, default) or 0.5 for number in numbers], dtype=float)


def _pooled(y: np.ndarray, scores: np.ndarray, task: TaskSpec, thresholds: np.ndarray) -> dict[str, float]:
    """Metrics of answers that came from several versions; decisions are each version's own."""
    values = metrics.compute(None, y, scores, task, float(np.median(thresholds)))
    if task.problem == "binary" and task.mistakes:
        decided = scores >= thresholds
        wrong_yes = float(np.sum(decided & (y == 0))) * task.mistakes.get("false_positive", 0.0)
        wrong_no = float(np.sum(~decided & (y == 1))) * task.mistakes.get("false_negative", 0.0)
        values["cost per prediction"] = (wrong_yes + wrong_no) / max(len(y), 1)
    return values


def told_again(again: Rebuilt) -> Reproduction:
    """A reproduction as the report shows it."""
    return Reproduction(
        again.number,
        tuple(Comparison(one.what, one.before, one.after, one.equal) for one in again.compared),
        again.largest_difference,
        again.took_s,
    )
