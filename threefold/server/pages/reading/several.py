"""Several runs side by side: what differs between them, and what came of it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, select

from threefold.server.pages.reading import one_run
from threefold.store.schema import series
from threefold.store.tracking.runs import params_of

LOWER = ("loss", "error", "rmse", "mae", "mse", "brier", "cost", "gap", "latency", "deviance", "perplexity")
HIGHER = ("auc", "accuracy", "f1", "precision", "recall", "r2", "score", "map", "ndcg")


def rows_of(connection: Connection, ids: Sequence[str]) -> list[Row[Any]]:
    """The runs of some ids, each once, in the order given. Raises NotFound."""
    return [one_run.find(connection, run_id) for run_id in dict.fromkeys(ids)]


def params_side_by_side(connection: Connection, numbers: Sequence[int]) -> list[dict[str, Any]]:
    """Every parameter with its value in each run (None where it has none), and whether they differ."""
    found = params_of(connection, numbers)
    names = sorted({name for values in found.values() for name in values})
    lines = [{"name": name, "values": [found.get(number, {}).get(name) for number in numbers]} for name in names]
    return [{**line, "differs": len(set(line["values"])) > 1} for line in lines]


def metrics_side_by_side(connection: Connection, numbers: Sequence[int]) -> list[dict[str, Any]]:
    """Every metric with its last value in each run, and the places of the best where it is known which way is good."""
    found: dict[str, dict[int, float]] = {}
    query = select(series.c.name, series.c.run, series.c.last_value).where(series.c.run.in_(list(numbers)))
    for row in connection.execute(query.order_by(series.c.name)):
        if row.name[-2:] not in (".x", ".y"):
            found.setdefault(row.name, {})[row.run] = math.nan if row.last_value is None else row.last_value
    lines = [{"name": name, "values": [values.get(number) for number in numbers]} for name, values in found.items()]
    return [{**line, "best": _best(line)} for line in lines if not _of_another(str(line["name"]), found)]


def drawn_names(connection: Connection, numbers: Sequence[int]) -> tuple[list[str], list[str]]:
    """The metrics that are curves in some run, and the curves that were logged as two axes."""
    query = select(series.c.name, series.c.length).where(series.c.run.in_(list(numbers)))
    rows = connection.execute(query).all()
    curves = {row.name for row in rows if row.length > 1 and row.name[-2:] not in (".x", ".y")}
    return sorted(curves), sorted({row.name[:-2] for row in rows if row.name.endswith(".x")})


def axes(
    params: Sequence[Mapping[str, Any]], metrics: Sequence[Mapping[str, Any]], most: int = 9
) -> list[dict[str, Any]]:
    """The columns that are worth an axis: parameters that differ, then metrics that differ."""
    differing = [
        {"name": line["name"], "kind": "params", "values": _typed(line["values"])}
        for line in params
        if len(set(line["values"]) - {None}) > 1
    ]
    told = [
        {"name": line["name"], "kind": "metrics", "values": [_finite(value) for value in line["values"]]}
        for line in sorted(metrics, key=lambda line: not line["best"])
        if len({value for value in line["values"] if _finite(value) is not None}) > 1
    ]
    return differing[: most - min(4, len(told))] + told[: most - min(len(differing), most - min(4, len(told)))]


def _of_another(name: str, known: Mapping[str, Any]) -> bool:
    return name.endswith("_std") and name.removesuffix("_std") in known


def _best(line: Mapping[str, Any]) -> list[int]:
    values = [(value, place) for place, value in enumerate(line["values"]) if _finite(value) is not None]
    name = line["name"].lower()
    down, up = any(word in name for word in LOWER), any(word in name for word in HIGHER)
    if down == up or len({value for value, _ in values}) < 2:
        return []
    best = (min if down else max)(value for value, _ in values)
    return [place for value, place in values if value == best]


def _finite(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def _typed(values: Sequence[str | None]) -> list[float | str | None]:
    """Numbers where every value is one, texts otherwise."""
    try:
        numbers = [None if value is None else float(value) for value in values]
    except ValueError:
        return [None if value is None else value[:60] for value in values]
    return [None if value is None or not math.isfinite(value) else value for value in numbers]
