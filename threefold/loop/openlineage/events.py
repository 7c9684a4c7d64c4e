"""RunEvents of OpenLineage. Source: openlineage.io, specification 2-0-2, and its facets."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from sqlalchemy import Connection, select

from threefold.records import utc_now
from threefold.store.schema import artifacts, edges, executions, snapshots

PRODUCER = "urn:threefold"
SCHEMA = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
FACETS = "https://openlineage.io/spec/facets"

What = Literal["START", "COMPLETE", "FAIL"]
Dataset = Mapping[str, Any]


def run_event(
    what: What,
    project: str,
    run_id: str,
    step: str | None = None,
    *,
    inputs: Sequence[Dataset] = (),
    outputs: Sequence[Dataset] = (),
    error: BaseException | None = None,
) -> dict[str, Any]:
    """One event about a run of the project, or about one step of it.

    Args:
        run_id: as the catalogue names it; a step's own id is made from it and the step's name.
        error: what ended it, for FAIL.
    """
    whole = str(uuid.UUID(run_id))
    facets: dict[str, Any] = {}
    if step is not None:
        parent = {"run": {"runId": whole}, "job": {"namespace": project, "name": "threefold run"}}
        facets["parent"] = facet("1-2-0/ParentRunFacet", parent)
    if error is not None:
        said = {"message": str(error), "programmingLanguage": "python"}
        facets["errorMessage"] = facet("1-0-1/ErrorMessageRunFacet", said)
    kind = {"processingType": "BATCH", "integration": "THREEFOLD", "jobType": "STEP" if step else "RUN"}
    return {
        "eventType": what,
        "eventTime": utc_now().isoformat(),
        "run": {"runId": whole if step is None else str(uuid.uuid5(uuid.UUID(run_id), step)), "facets": facets},
        "job": {
            "namespace": project,
            "name": step or "threefold run",
            "facets": {"jobType": facet("2-0-4/JobTypeJobFacet", kind)},
        },
        "inputs": list(inputs),
        "outputs": list(outputs),
        "producer": PRODUCER,
        "schemaURL": SCHEMA,
    }


def facet(schema: str, content: Mapping[str, Any]) -> dict[str, Any]:
    """A facet with the two fields that each of them has."""
    version, name = schema.split("/")
    url = f"{FACETS}/{version}/{name}.json#/$defs/{name}"
    return {"_producer": PRODUCER, "_schemaURL": url, **content}


def datasets_of(connection: Connection, project: str, run_id: str, step: str) -> tuple[list[Dataset], list[Dataset]]:
    """What the newest execution of a step read and made."""
    mine = (executions.c.run_id == run_id, executions.c.step == step)
    newest = select(executions.c.id).where(*mine).order_by(executions.c.started_at.desc()).limit(1)
    execution = connection.scalar(newest)
    rows = connection.execute(select(edges).where(edges.c.execution_id == execution).order_by(edges.c.name)).all()
    digests = [row.digest for row in rows]
    names = {
        row.digest: row.name
        for row in connection.execute(
            select(artifacts.c.digest, artifacts.c.name).where(artifacts.c.digest.in_(digests))
        )
    }
    taken = {row.digest: row for row in connection.execute(select(snapshots).where(snapshots.c.digest.in_(digests)))}
    found: dict[str, list[Dataset]] = {"input": [], "output": []}
    for row in rows:
        found[row.direction].append(_dataset(project, row, names, taken.get(row.digest)))
    return found["input"], found["output"]


def _dataset(project: str, row: Any, names: Mapping[str, str], snapshot: Any) -> Dataset:
    """A table or object under the name it has in the project; its digest is its version."""
    facets = {"version": facet("1-0-1/DatasetVersionDatasetFacet", {"datasetVersion": row.digest})}
    if snapshot is not None:
        address = snapshot.body.get("source", "")
        source = {"name": snapshot.name, "uri": address if "://" in address else f"file:{address}"}
        facets["dataSource"] = facet("1-0-1/DatasourceDatasetFacet", source)
        fields = [{"name": name, "type": dtype} for name, dtype in snapshot.body.get("columns", {}).items()]
        facets["schema"] = facet("1-2-0/SchemaDatasetFacet", {"fields": fields})
    name = snapshot.name if snapshot is not None else names.get(row.digest, row.name)
    return {"namespace": project, "name": name, "facets": facets}
