"""The charts of the report, as data: what is drawn is decided here, how it is drawn in templates/report.js."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from statistics import mean
from typing import Literal

from threefold.governance.comparison import Measure, MonthLine, compare, first_version
from threefold.governance.figures import plural
from threefold.governance.story import Story
from threefold.records import CandidateReport, WindowReport

CURVE_POINTS = 80  # more cannot be told apart at the size of a chart
TOP_FEATURES = 5  # more lines than this are not read, they are admired


@dataclass(frozen=True, slots=True)
class Line:
    """One series of a chart; `values` stand at the chart's `x`, None where there is nothing."""

    label: str
    values: tuple[float | None, ...]
    role: str  # frozen, live, guide, or "1" to "5" for one of several equals


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that happened at one place of the x axis."""

    x: float
    label: str
    kind: Literal["release", "rollback", "alert"]


@dataclass(frozen=True, slots=True)
class Chart:
    """One chart; x is seconds since 1970 for `time`, a plain number otherwise."""

    id: str
    title: str
    said: str  # the chart in one sentence, for those who do not see it
    kind: Literal["lines", "bars"]
    lines: tuple[Line, ...]
    x: tuple[float, ...] = ()
    time: bool = True
    digits: int = 3
    ticks: tuple[float, ...] = ()  # places of the x axis that carry a label
    labels: tuple[str, ...] = ()
    marks: tuple[Mark, ...] = ()
    limit: float | None = None  # a horizontal line: the limit of an alert
    x_title: str = ""
    y_title: str = ""
    hint: str = ""  # which direction is good
    span: tuple[float, float] | None = None  # the x axis from and to; None: the data
    zero: bool = False  # the y axis begins at zero


def month_charts(story: Story) -> tuple[Chart, ...]:
    """One chart per measure, frozen against Threefold, with the releases on the time axis."""
    lines = compare(story.months, first_version(story))
    if not lines:
        return ()
    marks = release_marks(story)
    charts = [_measure_chart(lines, position, marks) for position in range(len(lines[0].cells))]
    if all(line.frozen_cost is not None and line.live_cost is not None for line in lines):
        charts = [chart for chart in charts if chart.id != "cost-per-prediction"]
        charts.append(_cost_chart(lines, marks, story.currency))
    return tuple(charts)


def _measure_chart(lines: Sequence[MonthLine], position: int, marks: tuple[Mark, ...]) -> Chart:
    measure = lines[0].cells[position].measure
    cells = [line.cells[position] for line in lines]
    chart = Chart(
        id=measure.name.replace(" ", "-").replace("_", "-"),
        title=f"{measure.title} by month",
        said=_said(measure, lines, position),
        kind="lines",
        lines=(
            Line("Frozen model", tuple(cell.frozen for cell in cells), "frozen"),
            Line("Threefold", tuple(cell.live for cell in cells), "live"),
        ),
        digits=measure.digits,
        hint="higher is better" if measure.higher_is_better else "lower is better",
        zero=measure.name == "calibration_gap",
        marks=marks,
    )
    return _on_months(chart, lines)


def _said(measure: Measure, lines: Sequence[MonthLine], position: int) -> str:
    better = sum(line.cells[position].sign == "better" for line in lines)
    worse = sum(line.cells[position].sign == "worse" for line in lines)
    return (
        f"{measure.title}: Threefold was better than the frozen model in {better} of {plural(len(lines), 'month')}"
        f" and worse in {worse}."
    )


def _cost_chart(lines: Sequence[MonthLine], marks: tuple[Mark, ...], currency: str) -> Chart:
    dearer = sum((line.live_cost or 0.0) > (line.frozen_cost or 0.0) for line in lines)
    chart = Chart(
        id="cost",
        title="Cost of mistakes by month, in total",
        said=f"Threefold cost more than the frozen model in {dearer} of {plural(len(lines), 'month')}.",
        kind="bars",
        lines=(
            Line("Frozen model", tuple(line.frozen_cost for line in lines), "frozen"),
            Line("Threefold", tuple(line.live_cost for line in lines), "live"),
        ),
        digits=0,
        hint=f"{currency}, lower is better".strip(", "),
        zero=True,
        marks=marks,
    )
    return _on_months(chart, lines)


def _on_months(chart: Chart, lines: Sequence[MonthLine]) -> Chart:
    # A month is drawn at its middle, so that the marks of releases stand where they belong between the points.
    bounds = [_month_bounds(line.month.start) for line in lines]
    middles = tuple((start + end) / 2 for start, end in bounds)
    labels = tuple(f"{date.fromisoformat(line.month.start[:10]):%b}" for line in lines)
    return replace(chart, x=middles, ticks=middles, labels=labels, span=(bounds[0][0], bounds[-1][1]))


def _month_bounds(start: str) -> tuple[float, float]:
    first = date.fromisoformat(start[:10]).replace(day=1)
    following = (first + timedelta(days=32)).replace(day=1)
    return _seconds(first.isoformat()), _seconds(following.isoformat())


def release_marks(story: Story) -> tuple[Mark, ...]:
    """Releases and rollbacks on the clock of the data; what happened before live traffic is left out."""
    releases = [Mark(_seconds(release.at), f"v{release.number}", "release") for release in story.releases if release.at]
    back = [Mark(_seconds(r.at), f"↩v{r.to}", "rollback") for r in story.rollbacks if r.at]
    return tuple(sorted((*releases, *back), key=lambda mark: mark.x))


def drift_chart(story: Story) -> Chart | None:
    """The features that moved most, window by window, with the pages that were sent."""
    names = _most_moved(story.windows)
    if not names:
        return None
    windows = sorted(story.windows, key=lambda window: window.start)
    scores = [{drift.column: drift.score for drift in window.drift} for window in windows]
    lines = [
        Line(name, tuple(_finite(row.get(name)) for row in scores), str(position))
        for position, name in enumerate(names, 1)
    ]
    pages = [alert for alert in story.alerts if alert.severity == "page"]
    marks = tuple(Mark(_seconds(alert.window_end), alert.cause, "alert") for alert in pages)
    ticks = _month_ticks(windows)
    return Chart(
        id="drift",
        title="Drift of the features that moved most",
        said=f"{names[0]} moved most; {plural(len(pages), 'page')} sent over {plural(len(windows), 'window')}.",
        kind="lines",
        x=tuple((_seconds(window.start) + _seconds(window.end)) / 2 for window in windows),
        lines=tuple(lines),
        ticks=tuple(ticks),
        labels=tuple(ticks.values()),
        marks=marks,
        limit=story.drift_limit,
        hint="distance from the training data, 0 is equal",
        zero=True,
        span=(_seconds(windows[0].start), _seconds(windows[-1].end)),
    )


def _most_moved(windows: Sequence[WindowReport]) -> list[str]:
    scores: dict[str, list[float]] = {}
    for window in windows:
        for drift in window.drift:
            if math.isfinite(drift.score):
                scores.setdefault(drift.column, []).append(drift.score)
    return sorted(scores, key=lambda name: -mean(scores[name]))[:TOP_FEATURES]


def _month_ticks(windows: Sequence[WindowReport]) -> dict[float, str]:
    starts = sorted({window.start[:7] for window in windows})
    begin = _seconds(windows[0].start)
    firsts = {_seconds(f"{month}-01"): f"{date.fromisoformat(month + '-01'):%b}" for month in starts}
    return {x: label for x, label in firsts.items() if x >= begin}


def curve_charts(candidates: Sequence[CandidateReport]) -> tuple[Chart, ...]:
    """ROC and calibration curves of all candidates, where they have them."""
    roc = _curves(candidates, "roc", "ROC curve", "false positive rate", "true positive rate", "chance")
    calibration = _curves(
        candidates, "calibration", "Calibration", "predicted probability", "share that came true", "perfect"
    )
    return tuple(chart for chart in (roc, calibration) if chart is not None)


def _curves(
    candidates: Sequence[CandidateReport], name: str, title: str, x_title: str, y_title: str, guide: str
) -> Chart | None:
    curves = {c.name: _thin(c.curves[name]) for c in candidates if c.curves.get(name)}
    if not curves:
        return None
    x = sorted({0.0, 1.0} | {point for curve in curves.values() for point in curve})
    lines = [
        Line(candidate, tuple(curve.get(point) for point in x), str(position))
        for position, (candidate, curve) in enumerate(curves.items(), 1)
    ]
    lines.append(Line(guide, tuple(point if point in (0.0, 1.0) else None for point in x), "guide"))
    return Chart(
        id=name,
        title=title,
        said=f"{title} of {', '.join(curves)}, cross-validated.",
        kind="lines",
        x=tuple(x),
        lines=tuple(lines),
        time=False,
        digits=2,
        x_title=x_title,
        y_title=y_title,
        span=(0.0, 1.0),
        zero=True,
    )


def _thin(points: Sequence[tuple[float, float]]) -> dict[float, float]:
    """At most CURVE_POINTS places; where several points share one, the highest stays (a step of a ROC curve)."""
    highest: dict[float, float] = {}
    for x, y in points:
        if math.isfinite(x) and math.isfinite(y):
            highest[round(x, 4)] = max(y, highest.get(round(x, 4), y))
    places = sorted(highest)
    stride = max(1, math.ceil(len(places) / CURVE_POINTS))
    kept = {*places[::stride], *places[-1:]}
    return {x: round(highest[x], 4) for x in places if x in kept}


def _seconds(at: str) -> float:
    moment = datetime.fromisoformat(at)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
