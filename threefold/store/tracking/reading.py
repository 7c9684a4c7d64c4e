"""Runs read back whole: with their last metrics, parameters, tags, datasets and models."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, bindparam, select

from threefold.errors import NotFound
from threefold.store.schema import datasets, params, run_datasets, run_models, run_tags, runs, series

AT_ONCE = 500  # runs asked for in one query; the catalogue takes some thousand variables, not more


@dataclass(frozen=True, slots=True)
class DatasetUse:
    """A dataset that a run used, and the tags that say for what."""

    name: str
    digest: str
    source_type: str
    source: str
    schema: str | None
    profile: str | None
    tags: dict[str, str]


@dataclass(slots=True)
class RunDocument:
    """One run with all that is searched and shown.

    Attributes:
        metrics: name, last value, its step, its moment in ms; by name.
        inputs, outputs: id of a logged model, step.
    """

    number: int
    id: str
    experiment_id: int
    parent_id: str | None
    kind: str
    name: str
    user: str
    status: str
    started_at: str
    ended_at: str | None
    deleted_at: str | None
    artifact_root: str
    metrics: list[tuple[str, float, int, int]] = field(default_factory=list)
    params: list[tuple[str, str]] = field(default_factory=list)
    tags: list[tuple[str, str]] = field(default_factory=list)
    datasets: list[DatasetUse] = field(default_factory=list)
    inputs: list[tuple[str, int]] = field(default_factory=list)
    outputs: list[tuple[str, int]] = field(default_factory=list)


_NUMBERS: Any = bindparam("numbers", expanding=True)
_HEAD = select(
    runs.c.number, runs.c.id, runs.c.experiment_id, runs.c.parent_id, runs.c.kind, runs.c.name, runs.c.user, runs.c.status,
    runs.c.started_at, runs.c.ended_at, runs.c.deleted_at, runs.c.artifact_root,
)  # fmt: skip
_HEADS = _HEAD.where(runs.c.number.in_(_NUMBERS))
_BY_ID = _HEAD.where(runs.c.id == bindparam("run_id"))
_METRICS = (
    select(series.c.run, series.c.name, series.c.last_value, series.c.last_step, series.c.last_at_ms)
    .where(series.c.run.in_(_NUMBERS))
    .order_by(series.c.run, series.c.name)
)
_PARAMS = select(params.c.run, params.c.name, params.c.value).where(params.c.run.in_(_NUMBERS)).order_by(
    params.c.run, params.c.name
)  # fmt: skip
_TAGS = select(run_tags.c.run, run_tags.c.name, run_tags.c.value).where(run_tags.c.run.in_(_NUMBERS)).order_by(
    run_tags.c.run, run_tags.c.name
)  # fmt: skip
_DATASETS = (
    select(
        run_datasets.c.run, datasets.c.name, datasets.c.digest, datasets.c.source_type, datasets.c.source,
        datasets.c.schema, datasets.c.profile, run_datasets.c.tags,
    )
    .join(datasets, datasets.c.id == run_datasets.c.dataset)
    .where(run_datasets.c.run.in_(_NUMBERS))
    .order_by(run_datasets.c.run, datasets.c.id)
)  # fmt: skip
_MODELS = (
    select(run_models.c.run, run_models.c.role, run_models.c.model_id, run_models.c.step)
    .where(run_models.c.run.in_(_NUMBERS))
    .order_by(run_models.c.run, run_models.c.step, run_models.c.model_id)
)


def get(connection: Connection, run_id: str) -> RunDocument:
    """One run, deleted or not. Raises NotFound."""
    row = connection.execute(_BY_ID, {"run_id": run_id}).first()
    if row is None:
        raise NotFound(f"Run with id={run_id} not found", "the store", "see runs/search")
    document = RunDocument(*tuple(row))
    _fill(connection, {document.number: document})
    return document


def load(connection: Connection, numbers: Sequence[int]) -> list[RunDocument]:
    """Some runs, in the order of their numbers as given."""
    found: dict[int, RunDocument] = {}
    for begin in range(0, len(numbers), AT_ONCE):
        asked = {"numbers": list(numbers[begin : begin + AT_ONCE])}
        part = {row[0]: RunDocument(*tuple(row)) for row in connection.execute(_HEADS, asked)}
        _fill(connection, part)
        found |= part
    return [found[number] for number in numbers]


def _fill(connection: Connection, documents: dict[int, RunDocument]) -> None:
    asked: dict[str, Any] = {"numbers": list(documents)}
    for run, name, value, step, at_ms in connection.execute(_METRICS, asked):
        documents[run].metrics.append((name, math.nan if value is None else value, step, at_ms))
    for run, name, text in connection.execute(_PARAMS, asked):
        documents[run].params.append((name, text))
    for run, name, text in connection.execute(_TAGS, asked):
        documents[run].tags.append((name, text))
    for run, *facts in connection.execute(_DATASETS, asked):
        documents[run].datasets.append(DatasetUse(*facts))
    for run, role, model_id, step in connection.execute(_MODELS, asked):
        (documents[run].inputs if role == "input" else documents[run].outputs).append((model_id, step))
