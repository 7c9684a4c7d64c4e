"""Experiments: the groups that runs belong to. The runs of a project stand in the experiment of its name."""

from __future__ import annotations

from sqlalchemy import Connection, insert, select, update

from threefold.records import now_ms
from threefold.store.schema import experiments

DEFAULT = 0  # the experiment of runs that name none; it is there from the beginning
ROOT = "mlflow-artifacts:/"  # addresses below it are files of this store, in the words of the tracking protocol


def create(connection: Connection, name: str, artifact_root: str | None = None, *, number: int | None = None) -> int:
    """Make an experiment; returns its id.

    Args:
        artifact_root: where its runs put their files; None: into this store.
        number: the id it gets; None: the next one.
    Raises:
        IntegrityError: the name is taken.
    """
    at = now_ms()
    values = {"name": name, "artifact_root": artifact_root or "", "created_ms": at, "updated_ms": at}
    if number is not None:
        values["id"] = number
    made = connection.execute(insert(experiments).values(**values)).inserted_primary_key
    assert made is not None  # an insert of one row has a key
    if not artifact_root:
        mine = update(experiments).where(experiments.c.id == made[0])
        connection.execute(mine.values(artifact_root=f"{ROOT}{made[0]}"))
    return int(made[0])


def of_project(connection: Connection, project: str) -> int:
    """The experiment of a project, made at its first run."""
    found = connection.scalar(select(experiments.c.id).where(experiments.c.name == project))
    return create(connection, project) if found is None else int(found)
