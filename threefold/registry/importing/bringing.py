"""Writing a history into the store: run by run, each whole or not at all, so that a second call goes on where one ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import insert, select, update

from threefold.errors import DataError
from threefold.registry.importing.history import Experiment, History, LoggedModel, Model, Run, Version
from threefold.store import Store, Writer
from threefold.store.schema import (
    alias_moves,
    aliases,
    logged_models,
    model_tags,
    model_versions,
    models,
    run_tags,
    runs,
    version_tags,
)
from threefold.store.schema import experiments as experiments_table
from threefold.store.tracking import experiments, files, inputs, metrics, model_metrics
from threefold.store.tracking import logged_models as logged
from threefold.store.tracking import runs as tracked
from threefold.store.tracking.lifecycle import PARENT, below, moment

ROOT_TAG = "threefold.imported.root"  # where the files of an imported run were; sources of versions are told by it
STATUS = {
    "RUNNING": "interrupted", "SCHEDULED": "interrupted", "FINISHED": "done", "FAILED": "failed", "KILLED": "interrupted"
}  # fmt: skip
Kept = list[tuple[str, str, int]]  # path below the root, digest, size


@dataclass(slots=True)
class Report:
    """What came, what was there already, and what could not come.

    Attributes:
        left: one sentence each.
    """

    source: str
    experiments: int = 0
    runs: int = 0
    known_runs: int = 0
    points: int = 0
    logged_models: int = 0
    models: int = 0
    versions: int = 0
    files: int = 0
    size_bytes: int = 0
    left: list[str] = field(default_factory=list)


def open_history(source: str, artifacts: Path | None = None) -> History:
    """The history at a place: an address of a server, a database, or a folder `mlruns`.

    Raises:
        DataError: there is none.
    """
    if source.startswith(("http://", "https://")):
        from threefold.registry.importing.server import ServerHistory  # httpx: only who speaks HTTP pays

        return ServerHistory(source)
    if "://" in source and not source.startswith("file://"):
        from threefold.registry.importing.database import DatabaseHistory

        return DatabaseHistory(source, artifacts)
    path = Path(source.removeprefix("file://"))
    if path.is_dir():
        from threefold.registry.importing.folder import FolderHistory

        return FolderHistory(path, artifacts)
    if path.is_file():
        from threefold.registry.importing.database import DatabaseHistory

        return DatabaseHistory(f"sqlite:///{path}", artifacts)
    raise DataError(f"there is nothing at {source!r}", "import", "name a server, a database, or a folder mlruns")


def bring(store: Store, history: History, *, on_run: Callable[[int, int], None] | None = None) -> Report:
    """Bring a whole history.

    Args:
        on_run: told after each run how many are done, of how many that were found so far.
    """
    report = Report(history.name)
    homes = [(one, _experiment(store, one, report)) for one in history.experiments()]
    for one, home in homes:
        for model in history.logged_models(one):
            _logged_model(store, history, home, model, report)
    found = 0
    for one, home in homes:
        run_ids = history.run_ids(one)
        found += len(run_ids)
        for run_id in run_ids:
            _run(store, history, one, home, run_id, report)
            if on_run is not None:
                on_run(report.runs + report.known_runs, found)
    for registered in history.models():
        _model(store, registered, report)
    with store.write() as tx:
        counts = {name: getattr(report, name) for name in ("experiments", "runs", "versions", "files", "size_bytes")}
        tx.event("history.imported", "store", {"source": history.name, **counts, "left": len(report.left)})
    return report


def _experiment(store: Store, one: Experiment, report: Report) -> experiments.Experiment:
    with store.write() as tx:
        known = experiments.named(tx.connection, one.name)
        if known is None:
            key = experiments.create(tx.connection, one.name)
            mine = update(experiments_table).where(experiments_table.c.id == key)
            gone = moment(one.updated_ms) if one.deleted else None
            tx.execute(mine.values(created_ms=one.created_ms, updated_ms=one.updated_ms, deleted_at=gone))
            report.experiments += 1
        else:
            key = known.id
        experiments.set_tags(tx.connection, key, one.tags)
        return experiments.get(tx.connection, key)


def _run(
    store: Store, history: History, one: Experiment, home: experiments.Experiment, run_id: str, report: Report
) -> None:
    with store.read() as connection:
        if connection.scalar(select(runs.c.number).where(runs.c.id == run_id)) is not None:
            report.known_runs += 1
            return
    run = history.run(one, run_id)
    kept = _files(store, history, run.root, f"run {run_id}", report)
    with store.write() as tx:
        number = tracked.insert_run(tx.connection, _row(run, home, moved=kept is not None))
        tracked.set_params(tx.connection, number, run.params)
        tracked.set_tags(tx.connection, number, {**run.tags, ROOT_TAG: run.root})
        metrics.add(tx.connection, number, run.points)
        model_metrics.add(tx.connection, run_id, [point for point in run.points if point.model_id])
        inputs.use_datasets(tx.connection, number, home.id, run.datasets)
        for role in ("input", "output"):
            links = [(key, step) for kind, key, step in run.models if kind == role]
            inputs.link_models(tx.connection, number, role, links)
        _point_at(tx, below(home.artifact_root, run_id, "artifacts"), kept)
    report.runs += 1
    report.points += len(run.points)


def _row(run: Run, home: experiments.Experiment, *, moved: bool) -> dict[str, Any]:
    ended = run.ended_ms if run.ended_ms is not None else run.started_ms
    return {
        "id": run.id, "experiment_id": home.id, "parent_id": run.tags.get(PARENT, "")[:32] or None, "kind": "tracked",
        "name": run.name[:250], "user": run.user, "status": STATUS.get(run.status, "done"),
        "started_at": moment(run.started_ms), "ended_at": moment(ended),
        "deleted_at": moment(ended) if run.deleted else None,
        "artifact_root": below(home.artifact_root, run.id, "artifacts") if moved else run.root,
        "code": {"commit": run.tags.get("mlflow.source.git.commit")}, "host": "", "pid": 0,
    }  # fmt: skip


def _logged_model(
    store: Store, history: History, home: experiments.Experiment, model: LoggedModel, report: Report
) -> None:
    with store.read() as connection:
        if connection.scalar(select(logged_models.c.id).where(logged_models.c.id == model.id)) is not None:
            return
    kept = _files(store, history, model.root, f"logged model {model.id}", report)
    root = below(home.artifact_root, "models", model.id, "artifacts")
    with store.write() as tx:
        row = {
            "id": model.id, "experiment_id": home.id, "name": model.name, "status": model.status,
            "status_message": model.status_message, "artifact_root": model.root if kept is None else root,
            "type": model.type, "source_run_id": model.run_id, "created_ms": model.created_ms,
            "updated_ms": model.updated_ms, "deleted_at": moment(model.updated_ms) if model.deleted else None,
        }  # fmt: skip
        tx.execute(insert(logged_models).values(**row))
        logged.set_params(tx.connection, model.id, model.params)
        logged.set_tags(tx.connection, model.id, model.tags)
        _point_at(tx, root, kept)
    report.logged_models += 1


def _files(store: Store, history: History, root: str, whose: str, report: Report) -> Kept | None:
    """Copy the files below an address into the store; None where they cannot be reached: they stay where they are."""
    found = history.files(root) if root else None
    if found is None:
        if root:
            report.left.append(f"the files of {whose} stay at {root}, which cannot be read from here")
        return None
    kept: Kept = []
    for path, pieces in found:
        digest, size = store.objects.put_stream(pieces)
        kept.append((path, digest, size))
    report.files += len(kept)
    report.size_bytes += sum(size for _, _, size in kept)
    return kept


def _point_at(tx: Writer, root: str, kept: Kept | None) -> None:
    for path, digest, size in kept or ():
        files.put(tx.connection, f"{root.removeprefix(experiments.ROOT)}/{files.plain(path)}", digest, size)


def _model(store: Store, model: Model, report: Report) -> None:
    with store.write() as tx:
        known = tx.connection.scalar(select(models.c.last_number).where(models.c.name == model.name))
        numbers = set(tx.connection.scalars(select(model_versions.c.number).where(model_versions.c.name == model.name)))
        if known is None:
            row = {
                "name": model.name, "description": model.description, "created_ms": model.created_ms,
                "updated_ms": model.updated_ms, "last_number": 0,
            }  # fmt: skip
            tx.execute(insert(models).values(**row))
            report.models += 1
            for key, value in model.tags.items():
                tx.execute(insert(model_tags).values(name=model.name, key=key, value=value))
        for version in model.versions:
            if version.number in numbers:
                _say_if_other(tx, model.name, version, report)
            else:
                _version(tx, model.name, version)
                report.versions += 1
        last = max([known or 0, *(version.number for version in model.versions)])
        tx.execute(update(models).where(models.c.name == model.name).values(last_number=last))
        if known is None:
            _aliases(tx, model)
            tx.event("model.imported", f"model {model.name}", {"versions": len(model.versions)})


def _version(tx: Writer, name: str, version: Version) -> None:
    row = {
        "name": name, "number": version.number, "run_id": version.run_id, "bundle": "", "status": "candidate",
        "stage": version.stage, "metrics": {}, "lineage": None, "source": _moved(tx, version),
        "model_id": version.model_id, "run_link": version.run_link, "description": version.description,
        "user": version.user, "created_at": moment(version.created_ms), "updated_at": moment(version.updated_ms),
    }  # fmt: skip
    tx.execute(insert(model_versions).values(**row))
    for key, value in version.tags.items():
        tx.execute(insert(version_tags).values(name=name, number=version.number, key=key, value=value))


def _moved(tx: Writer, version: Version) -> str:
    """The address of a version's files now: below that of its run, where it was below that of its run before."""
    query = select(runs.c.artifact_root, run_tags.c.value).join(run_tags, run_tags.c.run == runs.c.number)
    row = tx.execute(query.where(runs.c.id == version.run_id, run_tags.c.name == ROOT_TAG)).first()
    if row is None or not row.value or not version.source.startswith(row.value):
        return version.source
    return str(row.artifact_root + version.source[len(row.value) :])


def _say_if_other(tx: Writer, name: str, version: Version, report: Report) -> None:
    mine = (model_versions.c.name == name, model_versions.c.number == version.number)
    run_id = tx.connection.scalar(select(model_versions.c.run_id).where(*mine))
    if run_id != version.run_id:
        report.left.append(
            f"version {version.number} of {name!r} was not taken: this store has another one of that number"
        )


def _aliases(tx: Writer, model: Model) -> None:
    for alias, number in model.aliases.items():
        tx.execute(insert(aliases).values(name=model.name, alias=alias, number=number, set_at=tx.now))
        move = {"name": model.name, "alias": alias, "after": number, "at": tx.now, "by": tx.actor, "reason": "imported"}
        tx.execute(insert(alias_moves).values(**move))
