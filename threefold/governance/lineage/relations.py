"""What rests on what: every relation of the catalogue as one row (upper thing, lower thing, word).

The lower thing rests on the upper one: a step on the table it read, a table on the step that made it, a version on its
bundle, a release on its version. Nobody writes this down; it is the shape of the tables.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Text, cast

from threefold.store.schema import (
    aliases,
    cache,
    edges,
    executions,
    logged_models,
    model_versions,
    releases,
    run_datasets,
    run_models,
    run_tags,
    runs,
)

GIT_COMMIT = "mlflow.source.git.commit"  # the tag in which clients of the tracking protocol name it
PACKED_BY = ("package", "accept")  # the steps that a version rests on; what they read leads to all others


@dataclass(frozen=True, slots=True)
class Relation:
    """One way in which things hang together."""

    upper: str  # kind of the thing that is rested on
    lower: str  # kind of the thing that rests
    word: str  # what the upper thing is to the lower one
    upper_id: ColumnElement[Any]
    lower_id: ColumnElement[Any]
    source: FromClause
    where: tuple[ColumnElement[bool], ...] = ()


def key_of(table: Any, *names: str) -> ColumnElement[str]:
    """An id made of several columns, as in "churn/3"."""
    first, second = (cast(table.c[name], Text) for name in names)
    return first + ("@" if names[1] == "alias" else "/") + second


def every() -> tuple[Relation, ...]:
    """All relations."""
    return (*_steps(), *_runs(), *_versions(), *_releases())


def _steps() -> Iterator[Relation]:
    for direction, upper, lower, word in (("input", "object", "step", "read"), ("output", "step", "object", "made")):
        ends = {"object": edges.c.digest, "step": edges.c.execution_id}
        yield Relation(upper, lower, word, ends[upper], ends[lower], edges, (edges.c.direction == direction,))
    yield Relation(
        "run", "step", "ran", executions.c.run_id, executions.c.id, executions, (executions.c.status == "ran",)
    )


def _runs() -> Iterator[Relation]:
    yield Relation("commit", "run", "commit", runs.c.code["commit"].as_string(), runs.c.id, runs)
    tagged = run_tags.join(runs, runs.c.number == run_tags.c.run)
    yield Relation("commit", "run", "commit", run_tags.c.value, runs.c.id, tagged, (run_tags.c.name == GIT_COMMIT,))
    # Archives of code and environments are objects, too. Under kinds of their own, no table looks through all runs.
    yield Relation("code", "run", "code", runs.c.code["archive"].as_string(), runs.c.id, runs)
    yield Relation("environment", "run", "environment", runs.c.environment, runs.c.id, runs)
    yield Relation("run", "run", "part of it", runs.c.id, runs.c.parent_id, runs)
    used = run_datasets.join(runs, runs.c.number == run_datasets.c.run)
    yield Relation("dataset", "run", "dataset", run_datasets.c.dataset, runs.c.id, used)
    models = run_models.join(runs, runs.c.number == run_models.c.run)
    yield Relation(
        "logged model",
        "run",
        "model it used",
        run_models.c.model_id,
        runs.c.id,
        models,
        (run_models.c.role == "input",),
    )
    yield Relation(
        "run", "logged model", "logged it", runs.c.id, run_models.c.model_id, models, (run_models.c.role == "output",)
    )
    yield Relation("run", "logged model", "logged it", logged_models.c.source_run_id, logged_models.c.id, logged_models)


def _versions() -> Iterator[Relation]:
    table = model_versions
    version, lineage = key_of(table, "name", "number"), table.c.lineage
    yield Relation("object", "version", "bundle", table.c.bundle, version, table, (table.c.bundle != "",))
    yield Relation("run", "version", "run", table.c.run_id, version, table, (table.c.run_id != "",))
    yield Relation("logged model", "version", "model", table.c.model_id, version, table)
    for name in ("training_set", "test_set", "canvas"):
        yield Relation("object", "version", name.replace("_", " "), lineage[name].as_string(), version, table)
    yield Relation("environment", "version", "environment", lineage["environment"].as_string(), version, table)
    yield Relation("code", "version", "code", lineage[("code", "archive")].as_string(), version, table)
    yield Relation("commit", "version", "commit", lineage[("code", "commit")].as_string(), version, table)
    # The steps of the run that packed it; one that was reused is the execution that filled the cache.
    steps = table.join(executions, executions.c.run_id == table.c.run_id).join(cache, cache.c.key == executions.c.key)
    packed = (executions.c.step.in_(PACKED_BY),)
    yield Relation("step", "version", "packed or tested it", cache.c.execution_id, version, steps, packed)


def _releases() -> Iterator[Relation]:
    version, alias = key_of(releases, "name", "number"), key_of(aliases, "name", "alias")
    yield Relation("version", "release", "version", version, releases.c.id, releases)
    yield Relation("release", "endpoint", "release", releases.c.id, releases.c.endpoint, releases)
    yield Relation("version", "alias", "version", key_of(aliases, "name", "number"), alias, aliases)
