"""How a version comes to answer: signed, bound into a release, deployed. A run, the command and the page ask here."""

from __future__ import annotations

from threefold.errors import Refused
from threefold.loop.project import Project
from threefold.records import ModelVersion, Release
from threefold.registry import approvals, evidence, releases, signatures, versions
from threefold.serving import routing


def release_version(project: Project, version: ModelVersion, reason: str) -> Release:
    """Sign an approved version, bind it into a release and let it answer, with the rollout that the canvas asks for.

    It answers at the endpoint that has the model's name.

    Raises:
        Refused: a client logged the version, and no gate has judged it; or it is not approved.
    """
    store, serve = project.store, project.canvas.serve
    if not version.bundle:
        raise Refused(
            "a client logged the version, and it was not tested", versions.subject(version.name, version.number),
            f"pack and judge it: threefold models test {version.number} --model {version.name}",
        )  # fmt: skip
    ids = [one.id for one in evidence.newest(store, versions.subject(version.name, version.number))]
    given = approvals.of(store, version.name, version.number)
    signatures.sign(store, version)
    made = releases.create(store, version.name, version, ids, given[-1].by if given else "", reason)
    routing.deploy(store, version.name, made, serve.rollout, serve.min_requests)
    return made
