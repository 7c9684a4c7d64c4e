"""Experiments: the groups that runs belong to. The runs of a project stand in the experiment of its name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, delete, insert, select, update

from threefold.errors import Conflict, DataError, NotFound
from threefold.records import now_ms
from threefold.store.schema import experiment_tags, experiments, runs

DEFAULT = 0  # the experiment of runs that name none; it is there from the beginning
ROOT = "mlflow-artifacts:/"  # addresses below it are files of this store, in the words of the tracking protocol
LARGEST_ID = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Experiment:
    """One experiment.

    Attributes:
        artifact_root: where its runs put their files.
        deleted: it was deleted, and can be restored.
    """

    id: int
    name: str
    artifact_root: str
    created_ms: int
    updated_ms: int
    deleted: bool
    tags: Mapping[str, str] = field(default_factory=dict)


def create(connection: Connection, name: str, artifact_root: str | None = None, *, number: int | None = None) -> int:
    """Make an experiment; returns its id.

    Args:
        artifact_root: where its runs put their files; None: into this store.
        number: the id it gets; None: the next one.
    Raises:
        Conflict: the name is taken.
    """
    taken = connection.scalar(select(experiments.c.id).where(experiments.c.name == name))
    if taken is not None:
        raise Conflict(
            f"Experiment(name={name}) already exists, with id {taken}", "the store",
            "use it, or choose another name; a deleted one can be restored",
        )  # fmt: skip
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


def get(connection: Connection, key: int) -> Experiment:
    """One experiment, deleted or not. Raises NotFound."""
    found = load(connection, [key])
    if not found:
        raise missing(key)
    return found[0]


def active(connection: Connection, key: int) -> Experiment:
    """One experiment that is not deleted. Raises NotFound, DataError."""
    found = get(connection, key)
    if found.deleted:
        raise DataError(
            f"The experiment {key} must be in the 'active' state. Current state is deleted", f"experiment {key}",
            "restore it, or use another",
        )  # fmt: skip
    return found


def named(connection: Connection, name: str) -> Experiment | None:
    """The experiment of a name, deleted or not."""
    key = connection.scalar(select(experiments.c.id).where(experiments.c.name == name))
    return None if key is None else get(connection, key)


def load(connection: Connection, wanted: Sequence[int]) -> list[Experiment]:
    """Experiments with their tags, in the order of the ids; one that is not there is left out."""
    tags: dict[int, dict[str, str]] = {}
    query = select(experiment_tags).where(experiment_tags.c.experiment_id.in_(wanted)).order_by(experiment_tags.c.name)
    for row in connection.execute(query):
        tags.setdefault(row.experiment_id, {})[row.name] = row.value
    rows = {
        row.id: Experiment(
            row.id, row.name, row.artifact_root, row.created_ms, row.updated_ms, row.deleted_at is not None,
            tags.get(row.id, {}),
        )
        for row in connection.execute(select(experiments).where(experiments.c.id.in_(wanted)))
    }  # fmt: skip
    return [rows[key] for key in wanted if key in rows]


def rename(connection: Connection, key: int, name: str) -> None:
    """Give an experiment another name. Raises Conflict where it is taken."""
    taken = connection.scalar(select(experiments.c.id).where(experiments.c.name == name, experiments.c.id != key))
    if taken is not None:
        raise Conflict(f"Experiment(name={name}) already exists, with id {taken}", "the store", "choose another name")
    connection.execute(update(experiments).where(experiments.c.id == key).values(name=name, updated_ms=now_ms()))


def set_deleted(connection: Connection, key: int, at: str | None) -> None:
    """Delete an experiment with all its runs, or restore it with them.

    Args:
        at: the moment; None restores.
    Raises:
        NotFound: there is none, or it is in that state already.
    """
    was = experiments.c.deleted_at.is_(None) if at else experiments.c.deleted_at.is_not(None)
    change = update(experiments).where(experiments.c.id == key, was).values(deleted_at=at, updated_ms=now_ms())
    if connection.execute(change).rowcount == 0:
        raise missing(key)
    connection.execute(update(runs).where(runs.c.experiment_id == key).values(deleted_at=at))


def set_tags(connection: Connection, key: int, tags: Mapping[str, str]) -> None:
    """Keep tags of an experiment; a name that is there already gets the new value."""
    if not tags:
        return
    mine = experiment_tags.c.experiment_id == key
    connection.execute(delete(experiment_tags).where(mine, experiment_tags.c.name.in_(list(tags))))
    rows = [{"experiment_id": key, "name": name, "value": value} for name, value in tags.items()]
    connection.execute(insert(experiment_tags), rows)


def delete_tag(connection: Connection, key: int, name: str) -> None:
    """Take a tag away. Raises NotFound."""
    mine = (experiment_tags.c.experiment_id == key, experiment_tags.c.name == name)
    if connection.execute(delete(experiment_tags).where(*mine)).rowcount == 0:
        raise NotFound(f"No tag with name: {name} in experiment with id {key}", f"experiment {key}", "see its tags")


def ids_of(texts: Sequence[str]) -> list[int]:
    """Ids as clients write them; a text that cannot be one finds nothing."""
    return [number for number in map(number_of, texts) if number is not None]


def number_of(text: str) -> int | None:
    """An id as clients write it; None where it cannot be one."""
    return int(text) if text.isascii() and text.isdecimal() and int(text) <= LARGEST_ID else None


def missing(key: object) -> NotFound:
    """There is no such experiment."""
    return NotFound(f"No Experiment with id={key} exists", "the store", "see experiments/search")
