"""The way of one prediction back to the data, code, model and evidence it rests on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from threefold.errors import NotFound
from threefold.governance.story import Hop
from threefold.loop.project import Project
from threefold.records import ModelVersion, Release
from threefold.registry import evidence, releases, versions
from threefold.serving import log

SHOWN_FEATURES = 6


def trace(project: Project, prediction_id: str) -> tuple[Hop, ...]:
    """Every station from a logged prediction back to its sources.

    Raises:
        NotFound: no prediction with this id was logged for the project's endpoint.
    """
    found = log.find(project.store, project.endpoint, prediction_id)
    if found is None:
        raise NotFound(
            f"no prediction has the id {prediction_id!r}",
            f"inference log of {project.endpoint}",
            "take an id from the answer of the server",
        )
    hops = list(_prediction(found))
    if found["version"] is None:
        return tuple(hops)
    version = versions.get(project.store, project.canvas.project, int(found["version"]))
    hops += _release(project, version)
    hops += _version(project, version)
    return tuple(hops)


def _prediction(found: Mapping[str, Any]) -> Iterator[Hop]:
    score = found["score"]
    said = f"score {score:.4f}" if score is not None else "no score"
    checks = f"; checks: {', '.join(found['checks'])}" if found["checks"] else "; every check passed"
    yield Hop(
        "prediction",
        str(found["prediction_id"]),
        detail=f"{said}, for {found['time'] or 'the moment of arrival'}, from the {found['source']}{checks}",
    )
    features = {key.removeprefix("x."): value for key, value in found.items() if key.startswith("x.")}
    shown = ", ".join(f"{key} {_short(value)}" for key, value in list(features.items())[:SHOWN_FEATURES])
    yield Hop("inputs", f"{len(features)} features", detail=shown + (" …" if len(features) > SHOWN_FEATURES else ""))
    for label in found["labels"]:
        yield Hop("label", str(label["value"]), detail=f"became known {label['time'] or 'when it was sent'}")


def _release(project: Project, version: ModelVersion) -> Iterator[Hop]:
    made: list[Release] = [
        one for one in releases.list_releases(project.store, project.endpoint) if one.number == version.number
    ]
    for release in made[-1:]:
        detail = f"{release.reason}; approved by {release.approved_by}"
        yield Hop("release", release.id[:12], detail=detail)


def _version(project: Project, version: ModelVersion) -> Iterator[Hop]:
    lineage = version.lineage
    yield Hop("version", f"{version.name} {version.number}", detail=f"{lineage.candidate}, seed {lineage.seed}")
    yield Hop("bundle", f"{version.name} {version.number}", version.bundle)
    proof = evidence.newest(project.store, versions.subject(version.name, version.number))
    passed = sum(one.result.passed for one in proof)
    yield Hop("evidence", f"{passed} of {len(proof)} gates passed", detail="; ".join(one.result.gate for one in proof))
    yield Hop("run", version.run_id[:12], detail=f"data as of {lineage.as_of or 'all that the sources held'}")
    yield Hop("training set", "features and target", lineage.training_set)
    yield Hop("test set", "sealed", lineage.test_set)
    for name, digest in lineage.snapshots.items():
        yield Hop("snapshot", name, digest, project.canvas.data[name].source if name in project.canvas.data else "")
    if not lineage.code:
        yield Hop("code", "not known", detail="a client logged the model")
        yield Hop("environment", "where it was packed", lineage.environment)
        return
    commit = lineage.code.get("commit")
    state = (
        f"commit {commit[:12]}{', with changes' if lineage.code.get('dirty') else ''}" if commit else "no repository"
    )
    yield Hop("code", state, str(lineage.code["archive"]))
    yield Hop("environment", "distributions", lineage.environment)
    yield Hop("canvas", project.canvas.file.name, lineage.canvas)


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
