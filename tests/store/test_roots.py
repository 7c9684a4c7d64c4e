"""A column of digests that nobody follows would let `gc` take its objects away."""

from sqlalchemy import JSON, Column
from sqlalchemy.sql import visitors

from threefold.store import roots, schema

NO_OBJECT = {
    "artifacts.digest",  # a list of what there was, which needs nothing
    "seal_readings.digest",  # who opened what; the run that sealed it needs it
    "datasets.digest", "points.dataset_digest", "logged_model_metrics.dataset_digest",  # as clients say them
}  # fmt: skip
NO_DIGEST = {
    "artifacts.meta", "snapshots.body", "executions.error", "runs.error", "run_datasets.tags", "model_versions.metrics",
    "evidence.body", "windows.body", "alerts.body", "webhooks.events",
}  # fmt: skip


def followed() -> set[str]:
    """The columns that the queries read."""
    found = set()
    for query, *_ in (*roots._columns(), *roots._texts()):
        for element in visitors.iterate(query):
            if isinstance(element, Column):
                found.add(f"{element.table.name}.{element.name}")
    return found


def test_every_column_of_digests_is_followed_or_known_to_name_no_object() -> None:
    digests = {
        f"{table.name}.{column.name}"
        for table in schema.metadata.tables.values()
        for column in table.columns
        if "digest" in column.name or column.name in ("bundle", "environment")
    }
    assert digests - NO_OBJECT - followed() == set()


def test_every_json_is_searched_for_digests_or_known_to_hold_none() -> None:
    bodies = {
        f"{table.name}.{column.name}"
        for table in schema.metadata.tables.values()
        for column in table.columns
        if isinstance(column.type, JSON)
    }
    assert bodies - NO_DIGEST - followed() == set()
