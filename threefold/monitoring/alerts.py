"""Alerts: who is told, when, and when it is over.

An alert opens when m of the last k windows are over the limit on the same side, and all k together are too: their mean
is over the limit, and the lower end of its interval over half of it. For short windows "all together" are those of a week. It closes
when k windows in a row are calm, or when another model version takes over. While it is open, the same cause is not told again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import sqrt

from threefold.design.canvas import Watching
from threefold.monitoring.rules import OF_CALIBRATION, Reading, Rule, rules
from threefold.monitoring.telling import alert_of
from threefold.monitoring.windows import judged_rows, judged_version
from threefold.records import Alert, TaskSpec, WindowReport

TOGETHER = timedelta(days=7)  # short windows are weighed together over this time: a week holds every weekday once
CALM = 0.8  # of the limit: an alert that closes right at it would open again next week
PAGE_BUDGET = timedelta(days=7)  # at most one page in this time, on the clock of the data …
URGENT = ("unanswered", "input checks")  # … but for what is broken rather than worse


@dataclass(frozen=True, slots=True)
class Closing:
    """An alert that is over, and why."""

    alert: Alert
    window_end: str  # data time
    reason: str


@dataclass(frozen=True, slots=True)
class Decision:
    """What the newest windows changed."""

    opened: tuple[Alert, ...] = ()
    closed: tuple[Closing, ...] = ()
    open: tuple[Alert, ...] = ()  # after it


def decide(
    reports: Sequence[WindowReport],
    watching: Watching,
    task: TaskSpec,
    open_alerts: Sequence[Alert] = (),
    *,
    before: Mapping[str, WindowReport | None] | None = None,
    recent: Sequence[Alert] = (),
    importances: Mapping[int, Mapping[str, float]] | None = None,
) -> Decision:
    """Walk over the windows that are new, or that only now can be judged, and decide after each.

    Args:
        reports: in order of time, with enough of the past to look back k windows.
        open_alerts: before the first of these windows.
        before: start of a window -> the report it had so far, None for a new one; windows that are not in it are
            unchanged. None: all are new.
        recent: alerts of the last week, closed ones too; they count against the budget of pages.
        importances: model version -> feature -> how much of the score hangs on it; for the probable cause.
    """
    changed = dict.fromkeys((one.start for one in reports), None) if before is None else dict(before)
    desk = _Desk(watching, task, list(open_alerts), list(recent), importances or {})
    tracks = [_Track(rule, reports, changed, watching, task) for rule in rules(watching)]
    for report in reports:
        if report.start in changed:
            desk.hand_over(report, reports)
            for track in tracks:
                if report.start in track.fresh:
                    desk.look(track.rule, track.upto(report))
    return Decision(tuple(desk.opened), tuple(desk.closed), tuple(desk.open))


class _Track:
    """The readings of one rule over all windows, and which of them are new."""

    def __init__(
        self,
        rule: Rule,
        reports: Sequence[WindowReport],
        changed: Mapping[str, WindowReport | None],
        watching: Watching,
        task: TaskSpec,
    ) -> None:
        self.rule = rule
        told = [rule.read(report, watching, task) for report in reports]
        self.readings = [one for one in told if one is not None]
        earlier = {
            start for start, old in changed.items() if old is not None and rule.read(old, watching, task) is not None
        }
        # A window is walked over once, when it can be judged for the first time; later labels mend its numbers.
        self.fresh = {one.report.start for one in self.readings if one.report.start in changed} - earlier
        self._known = max((one.report.start for one in self.readings if one.report.start not in self.fresh), default="")

    def upto(self, report: WindowReport) -> list[Reading]:
        """The readings up to a window, of the version that answered last."""
        newest = max(report.start, self._known)
        found = [one for one in self.readings if one.report.start <= newest]
        if not self.rule.by_version or not found:
            return found
        version = judged_version(found[-1].report)
        size = next((n for n, one in enumerate(reversed(found)) if judged_version(one.report) != version), len(found))
        return found[len(found) - size :]


@dataclass(slots=True)
class _Desk:
    """What is open while the windows pass."""

    watching: Watching
    task: TaskSpec
    open: list[Alert]
    recent: list[Alert]
    importances: Mapping[int, Mapping[str, float]]
    opened: list[Alert] = field(default_factory=list)
    closed: list[Closing] = field(default_factory=list)

    def look(self, rule: Rule, readings: Sequence[Reading]) -> None:
        """Open or close the alert of one rule after its newest reading."""
        m, k = self.watching.persist
        last, pool = readings[-k:], week_of(readings, k)
        now = self.of(rule.cause)
        if now is not None:
            if len(last) == k and self._past(now, pool) and calm(last, pool) and self._quiet(rule, now, last[-1]):
                self.close(now, last[-1].report.end, f"calm for {k} windows")
            return
        if (
            persistent(last, m, pool)
            and not self._explained(rule, last[-1])
            and self._within_budget(rule, last[-1].report)
        ):
            weights = self.importances.get(judged_version(last[-1].report) or 0, {})
            alert = alert_of(rule, last if last[-1].error == 0.0 else pool, self.task, self.watching, weights)
            self.open.append(alert)
            self.opened.append(alert)
            self.recent.append(alert)

    def hand_over(self, report: WindowReport, reports: Sequence[WindowReport]) -> None:
        """Close what was said of a version that no longer answers."""
        version = judged_version(report)
        if version is None or judged_rows(report) < self.watching.min_rows:
            return
        bound = {rule.cause for rule in rules(self.watching) if rule.by_version}
        for alert in [one for one in self.open if one.cause in bound and one.window_end <= report.start]:
            about = next((judged_version(one) for one in reports if one.end >= alert.window_end), version)
            if about is not None and about != version:
                self.close(alert, report.end, f"version {version} answers instead of version {about}")

    def close(self, alert: Alert, window_end: str, reason: str) -> None:
        """The alert is over."""
        self.open.remove(alert)
        self.closed.append(Closing(alert, window_end, reason))

    def of(self, cause: str) -> Alert | None:
        """The open alert of a cause."""
        return next((one for one in self.open if one.cause == cause), None)

    def _past(self, alert: Alert, pool: Sequence[Reading]) -> bool:
        """Whether all that is weighed now came after what the alert was opened for."""
        return pool[0].report.start >= alert.window_end

    def _quiet(self, rule: Rule, alert: Alert, reading: Reading) -> bool:
        """Several metrics share the cause decay: only the one that was called can call it off."""
        return rule.cause != "decay" or alert.sentence.startswith(reading.about)

    def _explained(self, rule: Rule, reading: Reading) -> bool:
        """Whether an open alert already says it: a metric that falls with the calibration, predictions that moved."""
        if rule.cause == "decay":
            return reading.about in OF_CALIBRATION and self.of("calibration") is not None
        return rule.cause == "prediction drift" and any(self.of(cause) for cause in ("calibration", "decay"))

    def _within_budget(self, rule: Rule, report: WindowReport) -> bool:
        if rule.severity != "page" or rule.cause in URGENT:
            return True
        end = datetime.fromisoformat(report.end)
        pages = [one for one in self.recent if one.severity == "page" and one.cause not in URGENT]
        return all(abs(end - datetime.fromisoformat(one.window_end)) >= PAGE_BUDGET for one in pages)


def week_of(readings: Sequence[Reading], k: int) -> Sequence[Reading]:
    """The readings of the last week, and at least the last k: what is weighed together.

    Weather and weekdays keep neighbouring days alike, so three bad days in a row may be one storm.
    """
    newest = datetime.fromisoformat(readings[-1].report.end)
    count = sum(newest - datetime.fromisoformat(one.report.start) <= TOGETHER for one in readings)
    return readings[-max(k, count) :]


def persistent(last: Sequence[Reading], m: int, pool: Sequence[Reading]) -> bool:
    """Whether at least m of the last windows are over the limit on one side, and all of the pool together is.

    Together means: their mean is over the limit, and the lower end of its 95 % interval over half the limit. What is
    five standard errors over twice the limit need not wait for the rest of a week.
    """
    over = [one for one in last if one.over]
    up = [one for one in over if one.value > 0]
    side = up if len(up) * 2 >= len(over) else [one for one in over if one.value <= 0]
    if len(side) < m or last[-1] not in side:
        return False
    limit = last[-1].limit
    if last[-1].error == 0.0:
        return True  # effect and interval were looked at in each window
    now, error = _together(last)
    if abs(now) - 5 * error > 2 * limit:
        return True
    mean, error = _together(pool)
    return abs(mean) > limit and abs(mean) - 1.96 * error > limit / 2


def calm(last: Sequence[Reading], pool: Sequence[Reading]) -> bool:
    """Whether none of the last windows is over its limit, nor the pool near it."""
    if last[-1].error == 0.0:
        return not any(one.over for one in pool)
    return not any(one.over for one in last) and abs(_together(pool)[0]) <= CALM * last[-1].limit


def _together(pool: Sequence[Reading]) -> tuple[float, float]:
    """Mean of some readings and its standard error: from theirs, or from how they differ where that is more."""
    size = len(pool)
    mean = sum(one.value for one in pool) / size
    own = sqrt(sum(one.error**2 for one in pool)) / size
    between = sqrt(sum((one.value - mean) ** 2 for one in pool) / ((size - 1) * size)) if size > 2 else 0.0
    return mean, max(own, between)
