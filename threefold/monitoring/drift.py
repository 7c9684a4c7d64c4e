"""Drift: how far each column of a window lies from training, said with care.

A column has drifted when three things hold: the distance is over the limit, the lower end of its interval is over
half of it, and the finding survives the control of false discoveries over all columns of the window.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import erfc, log, sqrt

import numpy as np
import polars as pl

from threefold.monitoring import bins, detectors
from threefold.monitoring.bins import NULLS, UNSEEN, Column
from threefold.records import Drift

METHOD = "js"
FALSE_DISCOVERIES = 0.05  # share of wrong names among those listed, at most
NOISY = 1 / 3  # of the limit, in terms of divergence; more noise than this means no verdict


def compare(
    columns: Sequence[Column],
    window: pl.DataFrame,
    limit: float,
    usual: Mapping[str, float] | None = None,
    *,
    min_rows: int = 0,
) -> tuple[Drift, ...]:
    """The drift of each column that stands in a window, furthest first.

    Args:
        columns: as they were in training.
        window: the rows; a column that is missing counts as null throughout.
        limit: Jensen-Shannon distance from which on a column counts as drifted, 0 to 1.
        usual: column -> distance that windows of this length reached in training; a larger one than the limit takes
            its place.
        min_rows: a smaller window gets distances but no verdict.
    """
    limits = [max(limit, (usual or {}).get(column.name, 0.0)) for column in columns]
    found = [_one(column, _series(column, window), own, min_rows) for column, own in zip(columns, limits, strict=True)]
    named = _discovered([chance for _, chance in found])
    drifts = [replace(drift, drifted=drift.drifted and kept) for (drift, _), kept in zip(found, named, strict=True)]
    return tuple(sorted(drifts, key=lambda drift: -drift.score))


def _series(column: Column, window: pl.DataFrame) -> pl.Series:
    if column.name in window.columns:
        return window[column.name]
    return pl.Series(column.name, [None] * window.height, dtype=pl.Float64 if column.kind == "number" else pl.String)


def _one(column: Column, values: pl.Series, limit: float, min_rows: int) -> tuple[Drift, float]:
    """The drift of one column, and the chance that sampling alone brings one as large."""
    current = bins.count(column, values)
    before, after = bins.merged(column, current)
    distance = detectors.measure(METHOD, before, after)
    enough = len(values) >= min_rows and distance.noise**2 <= NOISY * limit**2
    over = enough and distance.score > limit and distance.low > limit / 2
    known, rows = max(sum(column.counts), 1), max(len(values), 1)
    drift = Drift(
        column.name, METHOD, round(distance.score, 4), round(distance.low, 4), over, "",
        round(column.counts[NULLS] / known, 4), round(int(current[NULLS]) / rows, 4),
        round(int(current[UNSEEN]) / rows, 4),
    )  # fmt: skip
    psi = detectors.measure("psi", before, after).score
    sentence = _sentence(column, drift, values, limit, psi) if enough else _too_few(column, len(values))
    return replace(drift, sentence=sentence), _chance(distance.score, distance.noise, len(before))


def _sentence(column: Column, drift: Drift, values: pl.Series, limit: float, psi: float) -> str:
    how = f"distance {drift.score:.2f} from training (limit {limit:.2f}; PSI {psi:.2f})"
    more = []
    if abs(drift.nulls_after - drift.nulls_before) >= 0.02:
        more.append(f"{drift.nulls_before:.0%} → {drift.nulls_after:.0%} missing")
    if drift.unseen >= 0.02:
        what = "outside what training saw" if column.kind != "category" else "of kinds training did not know"
        more.append(f"{drift.unseen:.0%} {what}")
    middle = _median(column, values) if drift.score > limit / 2 else None
    if middle is not None and column.middle is not None:
        more.append(f"median {column.middle:.4g} → {middle:.4g}")
    return f"{column.name}: {how}" + (f"; {', '.join(more)}" if more else "")


def _too_few(column: Column, rows: int) -> str:
    return f"{column.name}: {rows} rows are too few for a verdict; widen the window"


def _median(column: Column, values: pl.Series) -> float | None:
    if column.kind != "number":
        return None
    middle = values.cast(pl.Float64, strict=False).median()
    return float(middle) if isinstance(middle, int | float) else None


def _chance(score: float, noise: float, size: int) -> float:
    """p-value of the distance under equal laws: 8 ln 2 * divergence / (1/n + 1/m) is chi-squared with bins - 1.

    The cube-root approximation of Wilson and Hilferty (1931) is close enough to rank names by.
    """
    freedom = size - 1
    if freedom < 1 or noise <= 0:
        return 1.0
    chi = (score**2 / noise**2 + 1) * freedom  # the noise is (bins - 1) / (8 ln 2) * (1/n + 1/m)
    z = ((chi / freedom) ** (1 / 3) - (1 - 2 / (9 * freedom))) / sqrt(2 / (9 * freedom))
    return 0.5 * erfc(z / sqrt(2))


def _discovered(chances: Sequence[float]) -> list[bool]:
    """Which findings stand when at most 5 % of them may be wrong, columns depending on one another as they like.

    Source: Benjamini and Yekutieli (2001), The Control of the False Discovery Rate under Dependency.
    """
    count = len(chances)
    if not count:
        return []
    order = np.argsort(chances)
    harmonic = log(count) + 0.5772156649 + 1 / (2 * count)
    limits = FALSE_DISCOVERIES * np.arange(1, count + 1) / (count * harmonic)
    passed = np.flatnonzero(np.array(chances)[order] <= limits)
    kept = set(order[: passed[-1] + 1].tolist()) if len(passed) else set()
    return [position in kept for position in range(count)]
