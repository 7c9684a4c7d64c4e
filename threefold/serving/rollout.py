"""Rollout: when a canary grows, waits or goes.

A canary is looked at again and again while rows come in, so its proportions are compared by a test that stays valid
however often one looks: the mixture sequential probability ratio test. With a fixed-size test, a canary as good as
the champion would be thrown out in one rollout of four.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import exp, log, sqrt
from typing import Any, Literal

import polars as pl

from threefold.errors import Conflict
from threefold.records import Routing
from threefold.serving import routing
from threefold.serving.log import ingest, read_received
from threefold.serving.plane import LOAD_FAILED
from threefold.serving.served import ABSENT
from threefold.store import Store, events

Action = Literal["advance", "wait", "abort"]

ALPHA = 0.01  # chance that a canary as good as the champion is ever thrown out by one of the tests
MIXING = 0.05  # the difference of shares the test is tuned to: five in a hundred rows
WORSE_BY = 0.02  # a difference in failing rows that is proved but smaller than this is let pass
SLOWER = 3.0  # times the champion's p99 latency …
SLOWER_MS = 20.0  # … and at least so many milliseconds more
LACKS = f"input:{ABSENT}:"  # the check of a row that came without an input which only the canary needs
ENOUGH_ROWS = 200  # fewer say nothing about a 99th percentile or a distribution


@dataclass(frozen=True, slots=True)
class RolloutDecision:
    """What to do with a canary, in one sentence, and the numbers it rests on."""

    action: Action
    sentence: str
    numbers: Mapping[str, Any] = field(default_factory=dict)


def judge_canary(canary: pl.DataFrame, champion: pl.DataFrame, min_requests: int) -> RolloutDecision:
    """Compare the rows that a canary answered with those that the champion answered in the same time.

    Thrown out: rows the model did not answer itself (it raised, or its score failed a check), proved more frequent
    than the champion's;
    answers much slower; the same score for everything. Otherwise it grows after `min_requests` rows. How far the two
    distributions of scores lie apart is a number of the decision but no reason: a model that was retrained because
    the world moved is meant to answer differently, and whether it answers better was the gates' question.

    Args:
        canary, champion: as `log.read_predictions`; both since the rollout started.
    """
    numbers: dict[str, Any] = {"canary_rows": canary.height, "champion_rows": champion.height}
    for judge in (_fallbacks, _latency, _scores):
        sentence = judge(canary, champion, numbers)
        if sentence:
            return RolloutDecision("abort", sentence, numbers)
    if canary.height < min_requests:
        return RolloutDecision("wait", f"the canary has answered {canary.height} of {min_requests} rows", numbers)
    return RolloutDecision("advance", f"the canary answered {canary.height} rows as soundly as the champion", numbers)


def step_rollout(store: Store, endpoint: str) -> RolloutDecision:
    """Read the log since the last step, judge the canary and act: advance, abort or wait.

    Raises:
        NotFound: nothing is served under this name.
        Conflict: no rollout is under way.
    """
    now = routing.current(store, endpoint)
    if now.rollout is None:
        raise Conflict("no rollout is under way", f"endpoint {endpoint}", "release a version first")
    ingest(store, endpoint)
    decision = _not_loaded(store, now) or _judged(store, now)
    if decision.action == "advance":
        routing.advance(store, endpoint, decision.numbers)
    elif decision.action == "abort":
        routing.abort(store, endpoint, decision.sentence)
    return decision


def never_worse(bad: int, rows: int, base_bad: int, base_rows: int) -> float:
    """A p-value, valid at every look, that two shares of failing rows are the same.

    p = min(1, 1/L), with L = sqrt(V / (V + T²)) · exp(T² d² / (2 V (V + T²))), d the difference of the shares, V its
    variance and T the difference the test is tuned to. Source: Johari, Pekelis, Walsh (2015), Always Valid Inference.

    >>> never_worse(5, 1000, 5, 1000)
    1.0
    >>> never_worse(150, 1000, 5, 1000) < 1e-6
    True
    """
    if not rows or not base_rows:
        return 1.0
    # Half a row more on each side: without it, no failure at all would mean no variance at all.
    share, base = (bad + 0.5) / (rows + 1), (base_bad + 0.5) / (base_rows + 1)
    variance = share * (1 - share) / rows + base * (1 - base) / base_rows
    wide = variance + MIXING**2
    evidence = log(sqrt(variance / wide)) + MIXING**2 * (share - base) ** 2 / (2 * variance * wide)
    return min(1.0, exp(-evidence))


def distance(left: pl.Series, right: pl.Series) -> float:
    """Largest gap between two cumulative distributions: 0 for equal ones, 1 for ones that do not touch."""
    both = pl.concat([left, right]).unique().sort()
    below = [side.sort().search_sorted(both, side="right") / side.len() for side in (left, right)]
    gap: Any = (below[0] - below[1]).abs().max()
    return float(gap)


def _not_loaded(store: Store, now: Routing) -> RolloutDecision | None:
    """A server that cannot load the canary says so in the event log."""
    with store.read() as connection:
        found = [e for e in events.read(connection, subject=f"endpoint {now.endpoint}", kind=LOAD_FAILED)]
    here = [e.body for e in found if e.body["generation"] == now.generation and e.body["version"] == now.arms[1].number]
    if not here:
        return None
    return RolloutDecision("abort", f"a server cannot load the canary: {here[-1]['error']}", dict(here[-1]))


def _judged(store: Store, now: Routing) -> RolloutDecision:
    assert now.rollout is not None
    rows = read_received(store, now.endpoint, now.rollout.started_at)
    champion, canary = (rows.filter(pl.col("version") == arm.number) for arm in now.arms)
    # min_requests counts for each step; what the earlier ones brought is known to be enough.
    decision = judge_canary(canary, champion, now.rollout.min_requests * (now.rollout.position + 1))
    last = now.rollout.steps[now.rollout.position + 1] >= 1.0
    if decision.action == "wait" or (decision.action == "advance" and last):
        return _with_callers(decision, rows.tail(max(now.rollout.min_requests, ENOUGH_ROWS)), now.arms[1].number)
    return decision


def _with_callers(decision: RolloutDecision, recent: pl.DataFrame, number: int) -> RolloutDecision:
    """Wait for callers that do not send what the canary needs: at its last step they would all be refused."""
    names = recent.select(pl.col("checks").list.explode().alias("check")).filter(pl.col("check").str.starts_with(LACKS))
    if names.is_empty():
        return decision
    rows = recent.filter(pl.col("checks").list.eval(pl.element().str.starts_with(LACKS)).list.any()).height
    listing = ", ".join(name.removeprefix(LACKS) for name in names["check"].unique().sort())
    sentence = (
        f"{rows} of the last {recent.height} rows came without {listing}, which version {number} needs; the champion "
        "answers them, and they would be refused after the last step: let the callers send it first"
    )
    if decision.action == "wait":
        sentence = f"{decision.sentence}; {sentence}"
    return RolloutDecision("wait", sentence, {**decision.numbers, "rows_lacking_inputs": rows})


def _fallbacks(canary: pl.DataFrame, champion: pl.DataFrame, numbers: dict[str, Any]) -> str | None:
    bad, base = (int(rows.select((pl.col("status") != "ok").sum()).item()) for rows in (canary, champion))
    p = never_worse(bad, canary.height, base, champion.height)
    numbers |= {"canary_fallbacks": bad, "champion_fallbacks": base, "p_fallbacks": round(p, 6)}
    # Flagged inputs are only counted: two versions learned their limits from different months, and may both be right.
    numbers |= {"canary_flagged": _flagged(canary), "champion_flagged": _flagged(champion)}
    share, base_share = bad / max(canary.height, 1), base / max(champion.height, 1)
    if p < ALPHA and share - base_share > WORSE_BY:
        return f"{share:.1%} of the canary's rows were not answered by its model, {base_share:.1%} of the champion's"
    return None


def _flagged(rows: pl.DataFrame) -> int:
    return int(rows.select((pl.col("checks").list.len() > 0).sum()).item())


def _latency(canary: pl.DataFrame, champion: pl.DataFrame, numbers: dict[str, Any]) -> str | None:
    if min(canary.height, champion.height) < ENOUGH_ROWS:
        return None
    slow, base = (_p99(rows) for rows in (canary, champion))
    numbers |= {"canary_p99_ms": round(slow, 3), "champion_p99_ms": round(base, 3)}
    if slow > SLOWER * base and slow > base + SLOWER_MS:
        return f"the canary takes {slow:.0f} ms (99th percentile), the champion {base:.0f} ms"
    return None


def _p99(rows: pl.DataFrame) -> float:
    value: Any = rows["latency_ms"].quantile(0.99)
    return float(value)


def _scores(canary: pl.DataFrame, champion: pl.DataFrame, numbers: dict[str, Any]) -> str | None:
    left, right = (rows.filter(pl.col("source") == "model")["score"].drop_nulls() for rows in (canary, champion))
    if min(left.len(), right.len()) < ENOUGH_ROWS:
        return None
    numbers["score_distance"] = round(distance(left, right), 4)
    if left.n_unique() == 1 and right.n_unique() > 1:
        return f"the canary answers {left[0]:.4g} to every row, whatever is asked"
    return None
