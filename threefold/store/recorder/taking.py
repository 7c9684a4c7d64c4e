"""Records of a spool become rows of the catalogue: in order, and each once.

How far a run's spool was taken stands with the run and moves in the same transaction, so that a batch which is sent
again because its answer was lost changes nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, select, update

from threefold.errors import DataError
from threefold.store.objects import Objects
from threefold.store.schema import run_tags, runs
from threefold.store.store import Writer
from threefold.store.tracking import experiments, files, metrics
from threefold.store.tracking import runs as tracked
from threefold.store.tracking.lifecycle import NAME, PARENT, moment

TAKEN = "threefold.spooled"  # the tag that says how many records of the run's spool are in the catalogue
Record = Mapping[str, Any]
Numbered = Sequence[tuple[int, Record]]


def taken(connection: Connection, run_id: str) -> int:
    """How many records of a run's spool are in the catalogue."""
    mine = runs.c.number == run_tags.c.run
    query = select(run_tags.c.value).join(runs, mine).where(runs.c.id == run_id, run_tags.c.name == TAKEN)
    return int(connection.scalar(query) or 0)


def take(tx: Writer, run_id: str, records: Numbered, objects: Objects) -> int:
    """Write records that are not in the catalogue yet; returns how many of the run's spool are there now.

    Args:
        records: (number, record), in order and without a gap.
        objects: where the files that records name must be already.
    Raises:
        DataError: a record is missing before these, or is none that this Threefold knows, or its file is not there.
    """
    known = taken(tx.connection, run_id)
    fresh = [(number, record) for number, record in records if number > known]
    if not fresh:
        return known
    if fresh[0][0] != known + 1:
        raise DataError(
            f"record {known + 1} of run {run_id} is missing: {fresh[0][0]} came", "the spool", "send them in order"
        )
    for kind, group in groupby((record for _, record in fresh), key=lambda record: record.get("is", "")):
        if kind == "metrics":  # a thousand records of one value each are one call, not a thousand
            _metrics(tx, run_id, group)
            continue
        for record in group:
            _TAKERS.get(kind, _unknown)(tx, run_id, record, objects)
    known = fresh[-1][0]
    tracked.set_tags(tx.connection, tracked.number_of(tx.connection, run_id), {TAKEN: str(known)})
    return known


def _start(tx: Writer, run_id: str, record: Record, _objects: Objects) -> None:
    number = experiments.of_project(tx.connection, record["experiment"])
    row = {
        "id": run_id, "experiment_id": number, "parent_id": record.get("parent"), "kind": "tracked",
        "name": record["name"], "user": record["user"], "status": "running", "started_at": moment(record["at_ms"]),
        "artifact_root": f"{experiments.ROOT}{number}/{run_id}/artifacts", "code": record["code"],
        "host": record["host"], "pid": 0,
    }  # fmt: skip
    run = tracked.insert_run(tx.connection, row)
    tags = {NAME: record["name"], "mlflow.user": record["user"]}
    if record.get("parent"):
        tags[PARENT] = record["parent"]
    tracked.set_tags(tx.connection, run, tags)
    body = {"project": record["experiment"], "kind": "tracked", "name": record["name"]}
    tx.event("run.started", f"run {run_id}", body)


def _params(tx: Writer, run_id: str, record: Record, _objects: Objects) -> None:
    tracked.set_params(tx.connection, tracked.number_of(tx.connection, run_id), record["values"])


def _tags(tx: Writer, run_id: str, record: Record, _objects: Objects) -> None:
    tracked.set_tags(tx.connection, tracked.number_of(tx.connection, run_id), record["values"])


def _metrics(tx: Writer, run_id: str, records: Iterable[Record]) -> None:
    values = [
        metrics.Point(name, math.nan if value is None else float(value), record["step"], record["at_ms"])
        for record in records
        for name, value in record["values"].items()
    ]
    metrics.add(tx.connection, tracked.number_of(tx.connection, run_id), values)


def _file(tx: Writer, run_id: str, record: Record, objects: Objects) -> None:
    if not objects.has(record["digest"]):
        raise DataError(f"the file {record['name']!r} was not sent", f"run {run_id}", "send its bytes first")
    root = tx.connection.scalar(select(runs.c.artifact_root).where(runs.c.id == run_id)) or ""
    path = f"{root.removeprefix(experiments.ROOT)}/{files.safe(record['name'])}"
    files.put(tx.connection, path, record["digest"], record["size_bytes"])


def _end(tx: Writer, run_id: str, record: Record, _objects: Objects) -> None:
    values = {"status": record["status"], "ended_at": moment(record["at_ms"]), "error": record.get("error")}
    tx.execute(update(runs).where(runs.c.id == run_id).values(**values))
    tx.event(f"run.{record['status']}", f"run {run_id}", {"error": record["error"]} if record.get("error") else {})


def _unknown(_tx: Writer, run_id: str, record: Record, _objects: Objects) -> None:
    raise DataError(
        f"a record {record.get('is')!r} is not known here", f"the spool of run {run_id}", "install the newer Threefold"
    )


_TAKERS: dict[str, Callable[[Writer, str, Record, Objects], None]] = {
    "start": _start,
    "params": _params,
    "tags": _tags,
    "file": _file,
    "end": _end,
}
