"""Purging: rows of what was deleted so long ago that nobody can restore it any more."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, or_, select

from threefold.store import schema
from threefold.store.store import Writer

AT_A_TIME = 500  # of anything in one statement
OWN = "mlflow-artifacts:/"  # addresses of files that lie in this store
IDS = re.compile(r"m-[0-9a-f]{32}|[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Doomed:
    """What may be removed for good, and what would have been if it were not held or needed."""

    runs: tuple[Any, ...] = ()
    models: tuple[Any, ...] = ()  # logged models
    versions: tuple[Any, ...] = ()
    experiments: tuple[Any, ...] = ()
    held: tuple[str, ...] = ()

    @property
    def subjects(self) -> tuple[str, ...]:
        """How the event log names what goes."""
        return (
            *(f"model {row.name}/{row.number}" for row in self.versions),
            *(f"logged model {row.id}" for row in self.models),
            *(f"run {row.id}" for row in self.runs),
            *(f"experiment {row.id}" for row in self.experiments),
        )


def doomed(connection: Connection, before: str) -> Doomed:
    """What was deleted before a moment (ISO 8601, UTC), is not held, and is needed by nothing that stays."""
    held = frozenset(connection.scalars(select(schema.holds.c.subject).where(schema.holds.c.released_at.is_(None))))
    table, experiments = schema.model_versions, schema.experiments
    versions, kept = _parted(
        connection.execute(select(table.c.name, table.c.number).where(table.c.deleted_at <= before)).all(),
        lambda row: {f"model {row.name}/{row.number}", f"model {row.name}"} & held,
    )
    needed = _needed_by_versions(connection, {(row.name, row.number) for row in versions})

    def held_or_needed(kind: str, row: Any) -> bool:
        return bool({f"{kind} {row.id}", f"experiment {row.experiment_id}"} & held) or row.id in needed

    gone = experiments.c.deleted_at <= before
    runs, kept_runs = _parted(
        connection.execute(_deleted(schema.runs, before)).all(), lambda row: held_or_needed("run", row)
    )
    models, kept_models = _parted(
        connection.execute(_deleted(schema.logged_models, before)).all(),
        lambda row: held_or_needed("logged model", row),
    )
    stay = {row.experiment_id for row in (*kept_runs, *kept_models)}
    for owned, going in ((schema.runs, runs), (schema.logged_models, models)):
        ids = {row.id for row in going}
        rows = connection.execute(select(owned.c.id, owned.c.experiment_id).join(experiments).where(gone))
        stay |= {row.experiment_id for row in rows if row.id not in ids}
    emptied, kept_experiments = _parted(
        connection.execute(select(experiments.c.id).where(gone, experiments.c.id != 0)).all(),
        lambda row: row.id in stay or f"experiment {row.id}" in held,
    )
    left = Doomed(tuple(kept_runs), tuple(kept_models), tuple(kept), tuple(kept_experiments)).subjects
    return Doomed(tuple(runs), tuple(models), tuple(versions), tuple(emptied), left)


def purge(tx: Writer, going: Doomed) -> None:
    """Remove rows for good, with one event for each thing that goes; its objects are left to `store gc`."""
    versions, tags = schema.model_versions, schema.version_tags
    for row in going.versions:
        tx.execute(delete(tags).where(tags.c.name == row.name, tags.c.number == row.number))
        tx.execute(delete(versions).where(versions.c.name == row.name, versions.c.number == row.number))
    for rows in _portions(going.models):
        _remove_files(tx, rows)
        tx.execute(delete(schema.logged_models).where(schema.logged_models.c.id.in_([row.id for row in rows])))
    for rows in _portions(going.runs):
        _remove_files(tx, rows)
        _remove_runs(tx, [row.id for row in rows])
    for rows in _portions(going.experiments):
        ids = [row.id for row in rows]
        tx.execute(delete(schema.datasets).where(schema.datasets.c.experiment_id.in_(ids)))
        tx.execute(delete(schema.experiments).where(schema.experiments.c.id.in_(ids)))
    for subject in going.subjects:
        kind = subject.split(" ")[0] if not subject.startswith("logged") else "logged model"
        tx.event(f"{kind}.purged", subject)


def _portions(rows: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(rows), AT_A_TIME):
        yield rows[start : start + AT_A_TIME]


def _deleted(table: Any, before: str) -> Any:
    """Rows that are deleted themselves, or with their experiment."""
    query = select(table.c.id, table.c.experiment_id, table.c.artifact_root).join(schema.experiments)
    return query.where(or_(table.c.deleted_at <= before, schema.experiments.c.deleted_at <= before))


def _parted(rows: Sequence[Any], stays: Any) -> tuple[list[Any], list[Any]]:
    return [row for row in rows if not stays(row)], [row for row in rows if stays(row)]


def _needed_by_versions(connection: Connection, going: set[tuple[str, int]]) -> set[str]:
    """The runs and logged models that a version which stays was made from."""
    table = schema.model_versions
    query = select(table.c.name, table.c.number, table.c.run_id, table.c.model_id, table.c.source)
    found: set[str] = set()
    for row in connection.execute(query):
        if (row.name, row.number) not in going:
            found |= {row.run_id, row.model_id or "", *IDS.findall(row.source)}
    return found - {""}


def _remove_files(tx: Writer, rows: Sequence[Any]) -> None:
    paths = schema.files.c.path
    for root in _own_roots(rows):
        tx.execute(delete(schema.files).where(paths > f"{root}/", paths < f"{root}0"))  # "0" comes after "/"


def _own_roots(rows: Sequence[Any]) -> Iterator[str]:
    for row in rows:
        if row.artifact_root.startswith(OWN):
            yield row.artifact_root.removeprefix(OWN).strip("/")


def _remove_runs(tx: Writer, ids: Sequence[str]) -> None:
    """The rows of some runs. What they cached goes, too, unless another run goes back to it."""
    executions, edges, cache = schema.executions, schema.edges, schema.cache
    mine = select(executions.c.id).where(executions.c.run_id.in_(ids))
    others = select(executions.c.key).where(executions.c.run_id.not_in(ids))
    tx.execute(delete(cache).where(cache.c.execution_id.in_(mine), cache.c.key.not_in(others)))
    tx.execute(delete(edges).where(edges.c.execution_id.in_(mine)))
    tx.execute(delete(executions).where(executions.c.run_id.in_(ids)))
    tx.execute(delete(schema.runs).where(schema.runs.c.id.in_(ids)))
