"""What follows from an acceptance test: approved by rule, left to a person, or refused."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from threefold.errors import GateFailed, NotFound, Refused
from threefold.loop.project import Project
from threefold.records import GateResult, ModelVersion, plain
from threefold.registry import approvals, versions
from threefold.serving import routing
from threefold.store import Store


def said(results: Sequence[GateResult]) -> list[Any]:
    """Results in a form that two tests can be compared by."""
    return [plain(one) for one in sorted(results, key=lambda one: one.gate)]


def values(results: tuple[GateResult, ...]) -> dict[str, float]:
    """The metrics of the acceptance test, by name."""
    measured: dict[str, float] = {}
    for result in results:
        measured |= {key: value for key, value in result.details.get("metrics", {}).items() if value is not None}
        if result.value is not None:
            measured.setdefault(result.gate, result.value)
    return measured


def judge(project: Project, version: ModelVersion, results: tuple[GateResult, ...]) -> ModelVersion:
    """Approve by rule where the risk allows it; a refusal is recorded and raised by by_rule."""
    risk = project.canvas.value.risk
    if risk == "prohibited":
        raise Refused(
            "the canvas puts this use among the prohibited ones", "threefold.yaml, value.risk", "do not build it"
        )
    failed = [result for result in results if not result.passed]
    if not failed and (risk == "high" or version.status in ("approved", "released")):
        return version  # a person decides: threefold release approve; or somebody has
    try:
        approvals.by_rule(project.store, version, results)
    except GateFailed as no:
        raise _refusal(project, version, no.what, results) from None
    return versions.get(project.store, version.name, version.number)


def refuse(project: Project, version: ModelVersion, results: tuple[GateResult, ...]) -> None:
    """Say no for a version that was refused before. Raises GateFailed."""
    failed = "; ".join(result.sentence for result in results if not result.passed)
    raise _refusal(project, version, f"version {version.number} stays refused: {failed}", results)


def _refusal(project: Project, version: ModelVersion, what: str, results: Sequence[GateResult]) -> GateFailed:
    """The no of the gates, with every way on; louder where the refused version is the one that answers."""
    person = f"threefold release approve {version.number} --by NAME --reason WHY"
    do = f"better the model, change the gate in threefold.yaml, or let a person decide: {person}"
    if version.number in answering(project.store, version.name):
        what += f"; version {version.number} answers in production, and goes on answering"
        do = f"go back (threefold rollback), release a better one, or let it stay on purpose: {person}"
    return GateFailed(what, versions.subject(version.name, version.number), do, results)


def answering(store: Store, endpoint: str) -> tuple[int, ...]:
    """The versions that production asks now."""
    try:
        return tuple(arm.number for arm in routing.current(store, endpoint).arms)
    except NotFound:
        return ()
