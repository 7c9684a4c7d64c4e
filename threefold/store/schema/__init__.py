"""Every table of the catalogue, one file for each part of the house.

One schema for SQLite and Postgres. A change here needs a migration under migrations/versions and a new HEAD; a test
compares the two. Moments at which Threefold did something are ISO 8601 text in UTC, so that both engines order and
show them alike; columns named `…_ms` hold milliseconds since 1970 as clients of the tracking protocol give them.
"""

from threefold.store.schema.base import HEAD, MOVED, metadata
from threefold.store.schema.data import seal_readings, snapshots
from threefold.store.schema.engine import artifacts, cache, edges, executions
from threefold.store.schema.live import alerts, endpoints, log_segments, notices, windows
from threefold.store.schema.log import checkpoints, events, log_head
from threefold.store.schema.making import collate, create, sort_bytewise
from threefold.store.schema.registry import (
    alias_moves,
    aliases,
    approvals,
    evidence,
    holds,
    model_tags,
    model_versions,
    models,
    releases,
    signatures,
    version_tags,
)
from threefold.store.schema.tracking import (
    datasets,
    experiment_tags,
    experiments,
    files,
    logged_model_metrics,
    logged_model_params,
    logged_model_tags,
    logged_models,
    params,
    points,
    run_datasets,
    run_models,
    run_tags,
    runs,
    series,
)
from threefold.store.schema.web import deliveries, views, webhooks

__all__ = [
    "HEAD",
    "MOVED",
    "alerts",
    "alias_moves",
    "aliases",
    "approvals",
    "artifacts",
    "cache",
    "checkpoints",
    "collate",
    "create",
    "datasets",
    "deliveries",
    "edges",
    "endpoints",
    "events",
    "evidence",
    "executions",
    "experiment_tags",
    "experiments",
    "files",
    "holds",
    "log_head",
    "log_segments",
    "logged_model_metrics",
    "logged_model_params",
    "logged_model_tags",
    "logged_models",
    "metadata",
    "model_tags",
    "model_versions",
    "models",
    "notices",
    "params",
    "points",
    "releases",
    "run_datasets",
    "run_models",
    "run_tags",
    "runs",
    "seal_readings",
    "series",
    "signatures",
    "snapshots",
    "version_tags",
    "views",
    "webhooks",
    "windows",
]

sort_bytewise(metadata)
