"""Let a past period happen again: predictions over HTTP, labels when they became known, monitors, triggers, rollouts.

A replay is how a project finds out, before it goes live, how often its monitors would have called and what
retraining would have been worth. Nothing in it knows the future: features are built by the views' own cut-offs, a
label is handed in on the day it became known, and a training sees the data as of its day.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

import polars as pl

from threefold.design.settings import price_of
from threefold.errors import DataError, GateFailed, ThreefoldError
from threefold.features.building import AT, build
from threefold.features.views import View
from threefold.loop import lifecycle
from threefold.loop.client import Client
from threefold.loop.project import Project
from threefold.loop.triggers import Cause, due
from threefold.loop.watching import last_training
from threefold.monitoring.watch import watch
from threefold.packaging.bundles import load_bundle
from threefold.pipeline import engine
from threefold.records import Alert, TaskSpec
from threefold.serving import routing
from threefold.serving.rollout import RolloutDecision, step_rollout

FOLLOW_TIMEOUT_S = 30.0  # a server that does not serve a new routing after this long is broken


@dataclass(frozen=True, slots=True)
class Day:
    """What one replayed day brought."""

    day: date
    rows: int
    labels: int
    alerts: tuple[Alert, ...]
    decision: RolloutDecision | None
    cause: Cause | None = None
    turn: lifecycle.Turn | None = None
    refused: str | None = None  # what the gates said against a retrained model


@dataclass(slots=True)
class Spent:
    """Where the time of a replay went, in seconds."""

    features: float = 0.0
    predictions: float = 0.0
    labels: float = 0.0
    watching: float = 0.0
    training: float = 0.0


@dataclass(slots=True)
class Replay:
    """A replay under way: the rows to come and what was learned so far."""

    project: Project
    client: Client
    task: TaskSpec
    features: pl.DataFrame  # one row per prediction: `_id`, `_at`, features, in order of time
    labels: pl.DataFrame  # id, value, known_at; in the order in which they become known
    last_training: datetime | None
    spent: Spent = field(default_factory=Spent)
    handed_in: int = 0  # labels so far


def prepare(project: Project, client: Client, start: datetime, end: datetime) -> Replay:
    """Build the features of the whole period, and the order in which its labels become known.

    Args:
        start, end: data time; start is in, end is out.
    Raises:
        DataError: the project has no time, or no rows in the period.
    """
    prediction = project.canvas.predict
    if prediction.at is None:
        raise DataError("a replay needs a moment per prediction", str(project.canvas.file), "say predict: at: <column>")
    began = time.perf_counter()
    steps = lifecycle.graph(project, lifecycle.Setting())
    wanted = [step.name for step in steps if step.stage == "data"]
    outcome = engine.run(
        project.store, steps, root=project.root, project=project.canvas.project, kind="replay", name="tables",
        targets=wanted, imported=project.code.imported, price=price_of(project.canvas),
    )  # fmt: skip
    tables = {name: outcome.value(step) for name, step in lifecycle.tables(project).items()}
    rows = tables[prediction.table].filter(pl.col(prediction.at).is_between(start, end, closed="left"))
    if rows.is_empty():
        raise DataError(f"there is no row from {start} to {end}", f"table {prediction.table}", "choose another period")
    views: tuple[View, ...] = lifecycle.views(project)
    features = build(views, tables, rows, prediction, lifecycle.sources(project)).sort(AT)
    routed = routing.current(project.store, project.endpoint)
    task = load_bundle(project.store, routed.arms[0].bundle).task
    replay = Replay(project, client, task, features, _labels(project, rows), last_training(project))
    replay.spent.features = time.perf_counter() - began
    return replay


def _labels(project: Project, rows: pl.DataFrame) -> pl.DataFrame:
    prediction = project.canvas.predict
    source = project.canvas.data[prediction.table]
    known = [column for column, late in source.later.items() if prediction.target in late]
    moment = known[0] if known else prediction.at
    assert prediction.at is not None
    identity = prediction.id or prediction.at
    return (
        rows.select(
            pl.col(identity).cast(pl.String).alias("id"),
            pl.col(prediction.target).cast(pl.String).alias("value"),
            pl.col(moment or prediction.at).alias("known_at"),
        )
        .drop_nulls()
        .sort("known_at")
    )


def run_days(replay: Replay, *, retrain: bool = True, on_turn: Callable[[Cause], None] | None = None) -> Iterator[Day]:
    """Replay day after day; each yields what happened.

    Args:
        retrain: whether triggers may turn the loop.
        on_turn: told the cause before a training starts.
    """
    for (day,), frame in replay.features.group_by(pl.col(AT).dt.date(), maintain_order=True):
        assert isinstance(day, date)
        yield _one_day(replay, day, frame, retrain, on_turn)


def _one_day(
    replay: Replay, day: date, frame: pl.DataFrame, retrain: bool, on_turn: Callable[[Cause], None] | None
) -> Day:
    now = datetime.combine(day, datetime.min.time()) + timedelta(days=1)
    _predict(replay, frame)
    labels = _hand_in(replay, now)
    began = time.perf_counter()
    result = watch(replay.project.store, replay.project.canvas, replay.project.endpoint, until=now, tell=False)
    decision = _step(replay)
    replay.spent.watching += time.perf_counter() - began
    happened = Day(day, frame.height, labels, tuple(result.new_alerts), decision)
    canvas = replay.project.canvas
    cause = due(canvas.retrain, result.open_alerts, now, replay.last_training) if retrain else None
    if cause is None or routing.current(replay.project.store, replay.project.endpoint).rollout is not None:
        return happened
    if on_turn:
        on_turn(cause)
    return _turn(replay, happened, cause, now)


def _predict(replay: Replay, frame: pl.DataFrame) -> None:
    """The rows of one day, one request for each hour."""
    began = time.perf_counter()
    for (hour,), rows in frame.group_by(pl.col(AT).dt.truncate("1h"), maintain_order=True):
        assert isinstance(hour, datetime)
        replay.client.predict(rows, replay.task, request_id=hour.strftime("%Y-%m-%dT%H"))
    replay.spent.predictions += time.perf_counter() - began


def _hand_in(replay: Replay, now: datetime) -> int:
    """Labels that became known until now, for predictions that were made."""
    began = time.perf_counter()
    rest = replay.labels.slice(replay.handed_in)
    ready = rest.filter(pl.col("known_at") <= now)
    if ready.height:
        replay.client.feedback(ready["id"].to_list(), ready["value"].to_list(), ready["known_at"].to_list())
        replay.handed_in += ready.height
    replay.spent.labels += time.perf_counter() - began
    return ready.height


def _step(replay: Replay) -> RolloutDecision | None:
    store, endpoint = replay.project.store, replay.project.endpoint
    if routing.current(store, endpoint).rollout is None:
        return None
    decision = step_rollout(store, endpoint)
    follow(replay.project, replay.client)
    return decision


def _turn(replay: Replay, happened: Day, cause: Cause, now: datetime) -> Day:
    began = time.perf_counter()
    replay.last_training = now
    turn, refused = None, None
    try:
        turn = lifecycle.turn(replay.project, as_of=now, reason=f"{cause.on}: {cause.sentence}")
        follow(replay.project, replay.client)
    except GateFailed as error:
        refused = error.what
    replay.spent.training += time.perf_counter() - began
    return Day(happened.day, happened.rows, happened.labels, happened.alerts, happened.decision, cause, turn, refused)


def follow(project: Project, client: Client) -> float:
    """Wait until the server serves the routing of the store; returns the seconds it took.

    Raises:
        ThreefoldError: it does not follow within FOLLOW_TIMEOUT_S.
    """
    began = time.perf_counter()
    wanted = routing.current(project.store, project.endpoint).generation
    while client.routing().get("generation") != wanted:
        if time.perf_counter() - began > FOLLOW_TIMEOUT_S:
            raise ThreefoldError(
                f"the server does not serve generation {wanted} after {FOLLOW_TIMEOUT_S:.0f} s",
                client.address,
                "look at its output; it may be unable to read the store",
            )
        time.sleep(0.01)
    return time.perf_counter() - began
