"""Watch: close the windows that are full, judge them, and say what moved. Call it as often as you like."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import polars as pl

from threefold.design.canvas import Canvas
from threefold.errors import NotFound
from threefold.monitoring import memory
from threefold.monitoring.alerts import TOGETHER, decide
from threefold.monitoring.memory import Mark, Segment, State
from threefold.monitoring.notify import NotSent, send
from threefold.monitoring.promises import Promises
from threefold.monitoring.rules import MATURE
from threefold.monitoring.windows import main_version, relabel, summarise
from threefold.records import Alert, WindowReport
from threefold.serving import log
from threefold.store import Store

MONDAY = datetime(2001, 1, 1)  # windows are counted from a Monday midnight: days are days, seven days are a week
EPOCH = datetime(1970, 1, 1)
START = "_start"
MENDED = 3  # windows back, a window whose labels are nearly complete is still restated when more come
EARLY = timedelta(days=1)  # a label may be known so long before the time its prediction is about
TRIES = 3  # two processes that watch at once: the slower one looks again


@dataclass(frozen=True, slots=True)
class WatchResult:
    """What one look brought.

    Attributes:
        reports: windows judged in this look: new ones, and older ones whose labels came in; in order of time.
        new_alerts: opened in this look.
        open_alerts: all that are open after it.
        not_sent: what a channel did not take, of this look and of earlier ones; each look tries again.
    """

    reports: tuple[WindowReport, ...]
    new_alerts: tuple[Alert, ...]
    open_alerts: tuple[Alert, ...]
    not_sent: tuple[NotSent, ...] = ()


def watch(
    store: Store, canvas: Canvas, endpoint: str, *, until: datetime | None = None, tell: bool = True
) -> WatchResult:
    """Bring the log in, judge every full window that is not judged yet, and open and close alerts.

    A look that finds nothing new costs a handful of queries. A window is judged again when rows or labels come late.

    Args:
        endpoint: its name; the model has the same.
        until: data time; windows that end by then count as full. None: those that a later prediction proves full.
        tell: whether alerts go to the channels of the canvas; a replay of the past wakes nobody.
    Raises:
        NotFound: a version that answered is not registered.
    """
    log.ingest(store, endpoint)
    for _ in range(TRIES):
        result = _look(store, canvas, endpoint, until, canvas.watch.notify if tell else ())
        if result is not None:
            break
    else:
        result = WatchResult((), (), open_alerts(store, endpoint))
    return replace(result, not_sent=send(store, canvas, endpoint)) if tell else result


def open_alerts(store: Store, endpoint: str) -> tuple[Alert, ...]:
    """The alerts that are open, oldest first."""
    return memory.read_alerts(store, endpoint, only_open=True)


def all_alerts(store: Store, endpoint: str) -> tuple[Alert, ...]:
    """Every alert there ever was, oldest first."""
    return memory.read_alerts(store, endpoint)


def all_windows(store: Store, endpoint: str) -> tuple[WindowReport, ...]:
    """Every judged window, in order of time."""
    return memory.read_windows(store, endpoint)


def floor(moment: datetime, window: timedelta) -> datetime:
    """The start of the window that a moment falls into.

    >>> floor(datetime(2013, 7, 3, 15), timedelta(days=7))
    datetime.datetime(2013, 7, 1, 0, 0)
    """
    return moment - (moment - MONDAY) % window


# --------------------------------------------------------------------------------------------------------- one look


def _look(
    store: Store, canvas: Canvas, endpoint: str, until: datetime | None, notify: Sequence[str]
) -> WatchResult | None:
    """One look; None when another process was faster."""
    window = canvas.watch.window
    state = memory.read_state(store, endpoint)
    last = until or memory.newest_prediction(store, endpoint)
    full = floor(last, window) if last is not None else None
    if full is None or (state.log == state.seen and state.end is not None and full <= state.end):
        return WatchResult((), (), state.open)
    marks = memory.read_marks(store, endpoint, memory.shelf_life(window))
    span = _span(store, endpoint, state, marks, full, window)
    if span is not None and marks and span.start.isoformat() < marks[0].start:  # rows of long ago came in
        marks = memory.read_marks(store, endpoint)
        span = _span(store, endpoint, state, marks, full, window)
    if span is None:
        return WatchResult((), (), state.open)
    known = memory.read_reports(store, endpoint, {one.start for one in marks[-_past(canvas) :]} | span.stale)
    promises = Promises(store, canvas.project)
    reports = tuple(_judge(store, canvas, endpoint, span, known, promises))
    if not reports:
        return WatchResult((), (), state.open)
    together = known | {one.start: one for one in reports}
    decision = decide(
        [together[start] for start in sorted(together)],
        canvas.watch,
        promises.task(reports),
        state.open,
        before={one.start: known.get(one.start) for one in reports},
        recent=state.recent,
        importances=promises.importances(),
    )
    if not memory.save(store, endpoint, marks, reports, decision, state.log, notify=notify):
        return None
    return WatchResult(reports, decision.opened, decision.open)


def _past(canvas: Canvas) -> int:
    """How many windows back a decision looks: a week, and some more for windows that could not be judged."""
    _, k = canvas.watch.persist
    return max(k, TOGETHER // canvas.watch.window) + 2 * k + 6


@dataclass(frozen=True, slots=True)
class _Span:
    """The time whose rows are to be read, and which windows in it may have changed."""

    start: datetime
    end: datetime
    stale: frozenset[str]  # starts of judged windows that may read differently now
    settled: frozenset[str]  # starts of judged windows that do not


def _span(
    store: Store, endpoint: str, state: State, marks: Sequence[Mark], full: datetime, window: timedelta
) -> _Span | None:
    """What to read again; None when nothing can have changed."""
    # Each look goes through all that the log held by then, so only what came after the last one can matter.
    segments = memory.read_segments(store, endpoint, after=state.seen, until=state.end)
    stale = [one for one in marks if _stale(one, segments, state)]
    starts = [datetime.fromisoformat(one.start) for one in stale]
    for segment in segments:
        if segment.kind == "predictions":
            first = segment.first if segment.ingested > state.seen else max(segment.first, state.end or segment.first)
            if first < full:
                starts.append(floor(first, window))
    if not starts:
        return None
    ends = [datetime.fromisoformat(one.end) for one in stale]
    again = frozenset(one.start for one in stale)
    return _Span(min(starts), max([full, *ends]), again, frozenset(one.start for one in marks) - again)


def _stale(mark: Mark, segments: Sequence[Segment], state: State) -> bool:
    """Whether rows or labels came that may change what a window said."""
    start, end = datetime.fromisoformat(mark.start), datetime.fromisoformat(mark.end)
    late = [one for one in segments if one.ingested > state.seen]
    if any(one.kind == "predictions" and one.first < end and one.last >= start for one in late):
        return True
    if mark.labelled >= mark.rows or not any(one.kind == "feedback" for one in late):
        return False
    return mark.labelled < MATURE * mark.rows or (state.end or end) - end <= MENDED * (end - start)


def _judge(
    store: Store, canvas: Canvas, endpoint: str, span: _Span, known: Mapping[str, WindowReport], promises: Promises
) -> Iterator[WindowReport]:
    """The reports of the windows in a span that are new or read differently now."""
    window = canvas.watch.window
    rows = _labelled_rows(store, endpoint, span).with_columns(_starts(window))
    for (start,), part in rows.group_by(START, maintain_order=True):
        assert isinstance(start, datetime)
        old = known.get(start.isoformat())
        if start + window > span.end or start.isoformat() in span.settled:
            continue
        number = main_version(part)
        judged = promises.of(number) if number is not None else None
        if old is None or old.rows != part.height:
            yield summarise(part, judged, start, start + window, endpoint=endpoint, watching=canvas.watch)
        elif old.labelled != part["label"].count():
            yield relabel(old, part, judged, canvas.watch)


def _starts(window: timedelta) -> pl.Expr:
    """The start of the window of each row, as `floor` has it."""
    length, origin = window // timedelta(microseconds=1), (MONDAY - EPOCH) // timedelta(microseconds=1)
    past = pl.col("time").dt.epoch("us") - origin
    return ((past // length) * length + origin).cast(pl.Datetime("us")).alias(START)


def _same(old: WindowReport, part: pl.DataFrame, stale: frozenset[str]) -> bool:
    counted = (old.rows, old.labelled) == (part.height, int(part["label"].count()))
    return old.start not in stale or counted


def _labelled_rows(store: Store, endpoint: str, span: _Span) -> pl.DataFrame:
    """The predictions of a span in order of time, with their label as far as it is known; the last label counts."""
    rows = log.read_predictions(store, endpoint, span.start, span.end)
    told = log.read_feedback(store, endpoint, start=span.start - EARLY)
    labels = told.unique("prediction_id", keep="last", maintain_order=True)
    return rows.join(
        labels.select("prediction_id", pl.col("value").alias("label")), on="prediction_id", how="left",
        maintain_order="left",
    )  # fmt: skip


__all__ = ["NotFound", "WatchResult", "all_alerts", "all_windows", "floor", "open_alerts", "watch"]
