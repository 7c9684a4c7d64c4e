"""Histories of metrics, and the datasets of experiments."""

from __future__ import annotations

import math
from typing import Any, cast

from sqlalchemy import Connection

from threefold.server.call import Call, missing, sent
from threefold.server.refusals import invalid
from threefold.server.routes import reading
from threefold.store.tracking import experiments, histories, inputs
from threefold.store.tracking.histories import Row

PAGE = 25_000  # points
RUNS_AT_ONCE = 100
POINTS_OF_RUN = 2_500  # in a drawing
EXPERIMENTS_AT_ONCE, SUMMARIES = 20, 1_000


def history(connection: Connection, call: Call) -> dict[str, Any]:
    """Every value of one metric of a run, page by page."""
    run_id, name = call.run_id(), call.need("metric_key")
    limit = cast(int, call.whole("max_results", PAGE))
    if limit < 0:
        raise invalid(f"Invalid value {limit} for parameter 'max_results' supplied. It must be a positive integer")
    if limit == 0:
        return {"metrics": []}
    rows, token = histories.page(connection, run_id, name, limit, call.text("page_token"))
    answer: dict[str, Any] = {"metrics": [_metric(name, row) for row in rows]}
    if token:
        answer["next_page_token"] = token
    return answer


def bulk(connection: Connection, call: Call) -> dict[str, Any]:
    """The values of one metric of several runs."""
    run_ids, name = call.texts("run_id"), call.text("metric_key")
    if not run_ids:
        raise invalid("GetMetricHistoryBulk request must specify at least one run_id")
    if len(run_ids) > RUNS_AT_ONCE:
        raise _too_many("GetMetricHistoryBulk", "cannot specify more than", len(run_ids))
    if name is None:
        raise invalid("GetMetricHistoryBulk request must specify a metric_key")
    limit = min(cast(int, call.whole("max_results", PAGE)), PAGE)
    found: list[dict[str, Any]] = []
    for run_id in sorted(run_ids):
        rows, _ = histories.page(connection, run_id, name, max(1, limit - len(found)))
        found += [{**_metric(name, row), "run_id": run_id} for row in rows]
        if len(found) >= limit:
            break
    return {"metrics": found[:limit]}


def interval(connection: Connection, call: Call) -> dict[str, Any]:
    """The values of one metric of several runs, thinned out evenly over their steps."""
    run_ids = call.texts("run_ids")
    if not run_ids:
        raise missing("run_ids")
    if len(run_ids) > RUNS_AT_ONCE:
        raise _too_many("GetMetricHistoryBulkInterval", "must specify at most", len(run_ids))
    name = call.need("metric_key")
    first, last, count = call.whole("start_step"), call.whole("end_step"), call.whole("max_results", POINTS_OF_RUN)
    if count is None or not 1 <= count <= POINTS_OF_RUN:
        raise invalid(f"max_results must be between 1 and {POINTS_OF_RUN}")
    if (first is None) != (last is None):
        raise invalid("If either start step or end step are specified, both must be specified")
    if first is not None and last is not None and first > last:
        raise invalid(f"end_step must be greater than start_step. Found start_step={first} and end_step={last}")
    found = histories.thinned(connection, run_ids, name, count, first, last)
    return {"metrics": [{**_metric(name, row), "run_id": run_id} for run_id, rows in found for row in rows[:PAGE]]}


def search_datasets(connection: Connection, call: Call) -> dict[str, Any]:
    """The datasets that the runs of some experiments used."""
    asked = call.texts("experiment_ids")
    if not asked:
        raise invalid("SearchDatasets request must specify at least one experiment_id")
    if len(asked) > EXPERIMENTS_AT_ONCE:
        raise invalid(
            f"SearchDatasets request cannot specify more than {EXPERIMENTS_AT_ONCE} experiment_ids. Received {len(asked)}"
            " experiment_ids"
        )
    found = inputs.summaries(connection, experiments.ids_of(asked), SUMMARIES)
    return {"dataset_summaries": [_summary(*row) for row in found]}


def _summary(experiment: int, name: str, digest: str, context: str | None) -> dict[str, str]:
    summary = {"experiment_id": str(experiment), "name": name, "digest": digest}
    return summary if context is None else {**summary, "context": context}


def _metric(name: str, row: Row) -> dict[str, Any]:
    value: Any = row[0]
    if (
        value is None or value - value != 0.0
    ):  # NaN or infinite; a call of a function for each of 100,000 points is felt
        value = sent(math.nan if value is None else value)
    return {"key": name, "value": value, "timestamp": row[1], "step": row[2]}


def _too_many(request: str, bound: str, count: int) -> Exception:
    return invalid(f"{request} request {bound} {RUNS_AT_ONCE} run_ids. Received {count} run_ids")


_METRICS = "/api/2.0/mlflow/metrics"
ROUTES = {
    ("GET", f"{_METRICS}/get-history"): reading(history),
    ("GET", f"{_METRICS}/get-history-bulk"): reading(bulk),
    ("GET", f"{_METRICS}/get-history-bulk-interval"): reading(interval),
    ("POST", "/api/2.0/mlflow/experiments/search-datasets"): reading(search_datasets),
}
