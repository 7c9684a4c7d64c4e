"""Test a version that a client of MLflow logged: pack it like our own, and let the gates of the project judge it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from threefold.design.settings import hand_down
from threefold.errors import DataError, Refused
from threefold.loop import judging, lifecycle
from threefold.loop import logged_steps as does
from threefold.loop.archive import code_state
from threefold.loop.project import Project
from threefold.packaging.bundles import load_bundle
from threefold.packaging.logged.mlmodel import Logged
from threefold.pipeline import engine
from threefold.pipeline.engine import Outcome, StepEvent
from threefold.pipeline.step import Step
from threefold.records import Bundle, GateResult, Lineage, ModelVersion
from threefold.registry import evidence, packed, signatures, versions

PLAIN = re.compile(r"\w[\w. -]*")  # a name that can stand in an address and name a folder


def examine(
    project: Project, version: ModelVersion, *, on_step: Callable[[StepEvent], None] | None = None
) -> lifecycle.Turn:
    """Pack a version that a client logged and judge it by the gates of this project, on its sealed test share.

    What the project decides is the same as for its own candidates: the rows, the target, the costs, the baseline. The
    rival is what answers at the endpoint that has the model's name. Nothing is released.

    Raises:
        Refused: the engine made the version; or it is a pickle that no trusted key vouches for.
        DataError: the model takes other columns than the project has, or predicts something else.
        GateFailed: a gate said no; the version is refused, with its evidence.
    """
    label = versions.subject(version.name, version.number)
    if version.lineage.code:
        raise Refused("the version is one of this project's own", label, "its gates are run by: threefold run gates")
    if not PLAIN.fullmatch(version.name):
        raise DataError(f"{version.name!r} cannot name an endpoint", label, "use letters, digits, blank, '-', '_', '.'")
    hand_down("mlflow_python", project.canvas)
    folder, key = packed.folder(project.store, version), signatures.vouched(project.store, version)
    setting = lifecycle.made_under(project, None, lifecycle.champion(project.store, version.name))
    steps = _graph(project, version, folder, bool(key), setting)
    package, accept = (step.name for step in steps[-2:])
    outcome = engine.run(
        project.store, steps, root=project.root, project=project.canvas.project, kind="test", name=label,
        code=code_state(project), targets=[accept], on_step=on_step, imported=project.code.imported,
    )  # fmt: skip
    lineage = _lineage(project, version, outcome, outcome.value(package), setting)
    version = _packed(project, version, outcome, package, accept, lineage)
    if key:
        signatures.sign(project.store, version)  # what was vouched for stays so, with the files that were added
    return _judged(project, version, outcome, accept)


def _graph(
    project: Project, version: ModelVersion, folder: Logged, trusted: bool, setting: lifecycle.Setting
) -> list[Step]:
    """The standard graph without its own candidates; the logged model stands in their place."""
    own = [step for step in lifecycle.graph(project, setting) if step.name not in ("package", "accept")]
    contracts = {f"contract_{name}": f"contract/{name}" for name in project.canvas.data}
    surroundings = {"task": "task", "baseline": "baseline", "training_set": "features"}
    checks = project.code.functions("checks")
    names = [f"{kind}/{version.name.replace('.', '-')}-{version.number}" for kind in ("package", "accept")]
    logged = {"logged": folder, "trusted": trusted}
    pack = Step(
        names[0], does.package, inputs={**surroundings, **contracts}, params={"name": version.name, **logged},
        given={"store": project.store}, stage="gates", refers=lambda bundle: bundle.files.values(),
    )  # fmt: skip
    if packed.settled(project.store, version):
        settled = load_bundle(project.store, version.bundle)
        pack = replace(pack, run=_as_it_is, inputs={}, params={"bundle": settled}, given={})
    accept = Step(
        names[1], does.accept, inputs={"bundle": names[0], "sealed": "sealed", **surroundings}, by_digest=("sealed",),
        params={"gates": project.canvas.accept, "champion": setting.champion, **logged},
        given={"checks": checks, "store": project.store}, code=tuple(checks.values()), told=tuple(checks.values()),
        stage="gates",
    )  # fmt: skip
    return [replace(step, words=lifecycle.WORDS) for step in (*own, pack, accept)]


def _as_it_is(bundle: Bundle) -> Bundle:
    """The bundle that somebody approved."""
    return bundle


def _packed(
    project: Project, version: ModelVersion, outcome: Outcome, package: str, accept: str, lineage: Lineage
) -> ModelVersion:
    metrics = judging.values(tuple(outcome.value(accept)))
    return packed.give_bundle(project.store, version, outcome.value(package), metrics, lineage)


def _judged(project: Project, version: ModelVersion, outcome: Outcome, accept: str) -> lifecycle.Turn:
    """Record what the gates said, where that is new, and what follows from it."""
    results: tuple[GateResult, ...] = tuple(outcome.value(accept))
    label = versions.subject(version.name, version.number)
    last = [one.result for one in evidence.newest(project.store, label)]
    ran = any(one.step == accept and one.status == "ran" for one in outcome.executions)
    new = ran or judging.said(last) != judging.said(results)
    if new:
        evidence.add(project.store, label, results)
    if new or version.status == "candidate":
        version = judging.judge(project, version, results)
    if version.status == "refused":
        judging.refuse(project, version, results)
    return lifecycle.Turn(outcome.run_id, outcome, version, results, reason="tested")


def _lineage(
    project: Project, version: ModelVersion, outcome: Outcome, bundle: Bundle, setting: lifecycle.Setting
) -> Lineage:
    """What is known of a logged version once it is packed: its run, and what it was judged on. Its code stays unknown."""
    return replace(
        version.lineage,
        test_set=outcome.digest("sealed"),
        environment=bundle.files["environment.json"],
        candidate="logged",
        canvas=project.canvas.digest,
        champion=setting.champion,
    )
