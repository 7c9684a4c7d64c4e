"""One look at the live traffic, and the turn of the loop that it may cause."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from threefold.errors import NotFound
from threefold.loop import lifecycle
from threefold.loop.project import Project
from threefold.loop.triggers import Cause, due
from threefold.monitoring.notify import NotSent
from threefold.monitoring.watch import watch
from threefold.records import Alert, WindowReport
from threefold.registry import versions
from threefold.serving import routing
from threefold.store import checkpoints


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen, and what came of it."""

    reports: tuple[WindowReport, ...]
    new_alerts: tuple[Alert, ...]
    open_alerts: tuple[Alert, ...]
    cause: Cause | None
    version: int | None  # the version that a retraining released
    not_sent: tuple[NotSent, ...] = ()  # alerts that a channel did not take; they wait for the next look


def look(project: Project, *, until: datetime | None, retrain: bool) -> Look:
    """Close the full windows, raise alerts, and turn the loop where a trigger and `retrain` say so.

    Args:
        until: data time; None closes every window that the log fills.
    Raises:
        GateFailed: the retrained model was refused; the champion goes on answering.
    """
    result = watch(project.store, project.canvas, project.endpoint, until=until)
    now = until or _last_moment(result.reports)
    cause = due(project.canvas.retrain, result.open_alerts, now, last_training(project)) if now else None
    version = None
    if cause is not None and retrain:
        turn = lifecycle.turn(project, as_of=until, reason=f"{cause.on}: {cause.sentence}")
        version = turn.release.number if turn.release else None
    checkpoints.make_daily(project.store)
    return Look(result.reports, result.new_alerts, result.open_alerts, cause, version, result.not_sent)


def last_training(project: Project) -> datetime | None:
    """The data time that the champion was trained as of; None where it saw all data, or where there is none."""
    try:
        champion = routing.current(project.store, project.endpoint).arms[0]
    except NotFound:
        return None
    lineage = versions.get(project.store, project.canvas.project, champion.number).lineage
    return datetime.fromisoformat(lineage.as_of) if lineage.as_of else None


def _last_moment(reports: tuple[WindowReport, ...]) -> datetime | None:
    return max((datetime.fromisoformat(one.end) for one in reports), default=None)
