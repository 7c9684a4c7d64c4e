"""What a run used and made: datasets and logged models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, insert, select

from threefold.store.schema import datasets, run_datasets, run_models
from threefold.store.tracking.reading import DatasetUse

CONTEXT = "mlflow.data.context"


def use_datasets(connection: Connection, run: int, experiment: int, uses: Sequence[DatasetUse]) -> None:
    """Keep which datasets a run used. One that the run has already stays as it is, its tags too."""
    first: dict[tuple[str, str], DatasetUse] = {}
    for use in uses:
        first.setdefault((use.name, use.digest), use)
    for use in first.values():
        key = _dataset(connection, experiment, use)
        mine = (run_datasets.c.run == run, run_datasets.c.dataset == key)
        if connection.scalar(select(run_datasets.c.run).where(*mine)) is None:
            connection.execute(insert(run_datasets).values(run=run, dataset=key, tags=use.tags))


def link_models(connection: Connection, run: int, role: str, models: Sequence[tuple[str, int]]) -> None:
    """Keep which logged models a run used ("input") or made ("output"), each at a step."""
    known = select(run_models.c.model_id).where(run_models.c.run == run, run_models.c.role == role)
    seen = set(connection.scalars(known))
    rows: dict[str, dict[str, Any]] = {}
    for model_id, step in models:
        if model_id not in seen:
            rows[model_id] = {"run": run, "role": role, "model_id": model_id, "step": step}
    if rows:
        connection.execute(insert(run_models), list(rows.values()))


def summaries(connection: Connection, experiments: Sequence[int], limit: int) -> list[tuple[int, str, str, str | None]]:
    """The datasets that runs of some experiments used: experiment, name, digest, what for."""
    query = (
        select(datasets.c.experiment_id, datasets.c.name, datasets.c.digest, run_datasets.c.tags[CONTEXT].as_string())
        .join(run_datasets, run_datasets.c.dataset == datasets.c.id)
        .where(datasets.c.experiment_id.in_(list(experiments)))
        .distinct()
        .limit(limit)
    )
    return [(row[0], row[1], row[2], row[3]) for row in connection.execute(query)]


def _dataset(connection: Connection, experiment: int, use: DatasetUse) -> int:
    same = (datasets.c.experiment_id == experiment, datasets.c.name == use.name, datasets.c.digest == use.digest)
    known = connection.scalar(select(datasets.c.id).where(*same))
    if known is not None:
        return int(known)
    row = {
        "experiment_id": experiment, "name": use.name, "digest": use.digest, "source_type": use.source_type,
        "source": use.source, "schema": use.schema, "profile": use.profile,
    }  # fmt: skip
    made = connection.execute(insert(datasets).values(**row)).inserted_primary_key
    assert made is not None  # an insert of one row has a key
    return int(made[0])
