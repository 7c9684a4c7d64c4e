"""The standard lifecycle as one graph: from the sources in the canvas to a registered, released model version.

    ingest ─ clean ─ know ─┬─ split ─┬─ features ─ guard ─ task ─┬─ baseline ───┐
             profile ─ contract ─ check   └─ sealed              ├─ candidates ─┴─ choose ─ package ─ accept
                                                                 …                                      │
                                                                          register ─ approve ─ release ─┘

Everything up to `accept` is a pure step that the engine may reuse. Registering and releasing change the registry;
they are idempotent, and done by `run` once the graph is finished.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from threefold.data.words import did_you_mean
from threefold.design.canvas import CommandStep, Source, Training
from threefold.design.settings import price_of, value_of
from threefold.errors import DataError, NotFound, StoreError
from threefold.features.views import View, collect
from threefold.loop import judging
from threefold.loop import steps as does
from threefold.loop.archive import code_state, files_beside, uncommitted
from threefold.loop.openlineage.telling import told
from threefold.loop.project import Project
from threefold.loop.releasing import release_version
from threefold.packaging import bundles
from threefold.pipeline import engine
from threefold.pipeline.cache import LOST
from threefold.pipeline.engine import Decision, Outcome, StepEvent
from threefold.pipeline.step import Step
from threefold.records import Bundle, Contract, GateResult, Lineage, ModelVersion, Release, Snapshot
from threefold.registry import evidence, releases, versions
from threefold.serving import routing
from threefold.store import Store

STAGES = ("data", "features", "train", "gates", "release")
WORDS = {  # how people call the parameters of the steps, when one is the reason why a step runs again
    "source": "`data` in threefold.yaml",
    "sources": "`data` in threefold.yaml",
    "prediction": "`predict` in threefold.yaml",
    "training": "`train` in threefold.yaml",
    "baseline": "`train.baseline` in threefold.yaml",
    "value": "`value` in threefold.yaml",
    "gates": "`accept` in threefold.yaml",
    "as_of": "the moment up to which the data count",
    "accepted": "the contract of the version in production, which the table is held to,",
    "champion": "the version in production",
}


@dataclass(frozen=True, slots=True)
class Turn:
    """What one turn of the loop brought."""

    run_id: str
    outcome: Outcome
    version: ModelVersion | None = None
    results: tuple[GateResult, ...] = ()
    release: Release | None = None
    reason: str = ""
    held: str = ""  # why an approved version was not released: a sentence


@dataclass(frozen=True, slots=True)
class Setting:
    """What makes one building of the graph differ from another."""

    as_of: datetime | None = None  # data time; None: all that the sources hold
    snapshots: Mapping[str, Snapshot] | None = None  # old snapshots in the place of the sources
    champion: str | None = None  # digest of the bundle in production
    contracts: Mapping[str, Contract] | None = None  # the table contracts that the champion was trained under
    accepted: tuple[str, ...] = ()  # tables that get a new contract, whatever the champion's says


# ------------------------------------------------------------------------------------------------ build the graph


def graph(project: Project, setting: Setting, *, on_progress: Callable[[str], None] | None = None) -> list[Step]:
    """The standard steps of a project, in order.

    Args:
        project: canvas and code decide which tables, features, candidates and commands there are.
        on_progress: told what the search of a candidate is doing.
    """
    made = tables(project)
    built = [step for name in project.canvas.data for step in _data_steps(project, name, setting)]
    built += _project_steps(project)
    built += _feature_steps(project, made)
    built += _training_steps(project, on_progress)
    built += _gate_steps(project, setting)
    return [replace(step, words=WORDS) for step in built]


def tables(project: Project) -> dict[str, str]:
    """Every table that features may use -> the step that makes it."""
    made = {name: f"know/{name}" for name in project.canvas.data}
    made |= {name: f"step/{name}" for name in project.code.functions("steps")}
    for step in project.canvas.steps:
        if step.table:
            name = step.table.partition(":")[0].strip()
            made[name] = f"step/{step.name}.{name}"
    return made


def _data_steps(project: Project, name: str, setting: Setting) -> list[Step]:
    source = project.canvas.data[name]
    own = project.code.functions("data").get(f"clean_{name}")
    accepted = (setting.contracts or {}).get(name)
    as_of = setting.as_of.isoformat() if setting.as_of else None
    cleaned = f"clean/{name}.table"
    return [
        _ingest_step(project, name, setting),
        Step(
            f"clean/{name}", does.clean, inputs={"table": f"ingest/{name}.table"}, params={"source": source},
            given={"function": own, "canvas": project.canvas.file}, code=(own,) if own else (), outputs=("table", "notes"), stage="data",
        ),
        Step(
            f"know/{name}", does.know, inputs={"table": cleaned}, params={"source": source, "as_of": as_of},
            stage="data",
        ),
        Step(f"profile/{name}", does.describe, inputs={"table": f"know/{name}"}, params={"name": name}, stage="data"),
        Step(
            f"contract/{name}", does.promise, inputs={"profile": f"profile/{name}"}, params={"accepted": accepted},
            stage="data",
        ),
        Step(
            f"check/{name}", does.check, inputs={"table": f"know/{name}", "contract_": f"contract/{name}"},
            given={"source": source, "root": project.root}, stage="data",
        ),
    ]  # fmt: skip


def _ingest_step(project: Project, name: str, setting: Setting) -> Step:
    outputs = ("table", "snapshot")
    if setting.snapshots is not None:
        params = {"snapshot": setting.snapshots[name]}
        return Step(
            f"ingest/{name}", does.recall_snapshot, params=params, given={"store": project.store}, outputs=outputs,
            stage="data",
        )  # fmt: skip
    source = project.canvas.data[name]
    return Step(
        f"ingest/{name}", does.ingest, params={"source": source},
        given={"store": project.store, "root": project.root}, outputs=outputs,
        observe=lambda: does.look_at(source, project.root), stage="data",
    )  # fmt: skip


def _project_steps(project: Project) -> list[Step]:
    """Functions of steps.py, whose parameters name tables, and the command lines of the canvas."""
    made = tables(project)
    own = [
        Step(f"step/{name}", function, inputs=_named_tables(function, made), stage="data")
        for name, function in project.code.functions("steps").items()
    ]
    commands = [_command_step(step, made) for step in project.canvas.steps]
    return own + commands


def _named_tables(function: Callable[..., Any], tables: Mapping[str, str]) -> dict[str, str]:
    wanted = [name for name, one in inspect.signature(function).parameters.items() if one.default is one.empty]
    unknown = [name for name in wanted if name not in tables]
    if unknown:
        raise NotFound(
            f"step {function.__name__!r} asks for {unknown[0]!r}, which no table or step makes",
            "steps.py",
            f"there are: {', '.join(tables)}",
        )
    return {name: tables[name] for name in wanted}


def _command_step(step: CommandStep, tables: Mapping[str, str]) -> Step:
    inputs = {name: tables[name] for name in step.inputs if name in tables}
    return Step(f"step/{step.name}", step, inputs=inputs, stage="data")


def views(project: Project) -> tuple[View, ...]:
    """The feature views of a project; without features.py, one view of every permitted column."""
    return collect(project.code.functions("features"), project.canvas.predict, sources(project))


def sources(project: Project) -> dict[str, Source]:
    """What is known about every table; one that a step makes has no time of its own."""
    made = {name: Source(name, step) for name, step in tables(project).items()}
    return made | dict(project.canvas.data)


def _feature_steps(project: Project, tables: Mapping[str, str]) -> list[Step]:
    canvas = project.canvas
    found = views(project)
    code = tuple(view.function for view in found if view.function is not None)
    read = {view.table for view in found} | {canvas.predict.table}
    frames = {f"{does.TABLE}{name}": step for name, step in tables.items() if name in read}
    common: dict[str, Any] = {"given": {"views": found}, "code": code, "stage": "features"}
    shape = {"prediction": canvas.predict, "sources": sources(project)}
    return [
        Step(
            "split", does.hold_out, inputs={"rows": f"know/{canvas.predict.table}"},
            params={"prediction": canvas.predict, "training": _splitting(project)},
            given={"canvas": canvas.file}, outputs=("train", "test"),
            stage="features",
        ),
        Step("features", does.make_features, inputs={"rows": "split.train", **frames}, params=shape, **common),
        Step(
            "guard", does.guard_features, inputs={"training": "features", "rows": "split.train", **frames},
            params=shape, **common,
        ),
        Step("sealed", does.make_features, inputs={"rows": "split.test", **frames}, params=shape, **common),
        Step(
            "task", does.pose_task, inputs={"training": "features"},
            params={"prediction": canvas.predict, "value": canvas.value, "gates": canvas.accept},
            given={"views": found, "checks": project.code.functions("checks")}, code=code, stage="features",
        ),
    ]  # fmt: skip


def _splitting(project: Project) -> Any:
    # Only the window and the seed of `train` matter to the split: another candidate must not make it run again.
    train = project.canvas.train
    return type(train)(window=train.window, seed=train.seed)


def _training_steps(project: Project, on_progress: Callable[[str], None] | None) -> list[Step]:
    train = project.canvas.train
    own = project.code.functions("model")
    inputs = {"training_set": "features", "task": "task"}
    given = {
        "project": own, "store": project.store, "project_name": project.canvas.project, "on_progress": on_progress,
        "code": code_state(project),
    }  # fmt: skip
    baseline = Step(
        "baseline", does.fit_heuristic, inputs=inputs, params={"baseline": train.baseline}, given={"project": own},
        code=_own_code(own, train.baseline), stage="train",
    )  # fmt: skip
    fits = [
        Step(
            f"train/{name}", does.fit, inputs=inputs, params={"candidate": name, "training": _share(train, name)}, given=given,
            code=_own_code(own, name), outputs=("model", "report"), stage="train",
        )
        for name in train.candidates
    ]  # fmt: skip
    choices = {f"{part}_{name}": f"train/{name}.{part}" for name in train.candidates for part in ("model", "report")}
    choose = Step(
        "choose", does.choose, inputs={"task": "task", **choices}, params={"training": train},
        outputs=("model", "report"), stage="train",
    )  # fmt: skip
    return [baseline, *fits, choose]


def _share(train: Training, name: str) -> Training:
    """What matters to one candidate: another baseline must not train it again."""
    return replace(train, baseline="prior", candidates=(name,), budget_s=train.budget_s / len(train.candidates))


def _own_code(functions: Mapping[str, Callable[..., Any]], name: str) -> tuple[Any, ...]:
    return (functions[name],) if name in functions else ()


def _gate_steps(project: Project, setting: Setting) -> list[Step]:
    checks = project.code.functions("checks")
    contracts = {f"contract_{name}": f"contract/{name}" for name in project.canvas.data}
    return [
        Step(
            "package", does.package,
            inputs={
                "model": "choose.model", "report": "choose.report", "baseline": "baseline", "training_set": "features",
                **contracts,
            },
            params={"name": project.canvas.project}, given={"store": project.store}, stage="gates",
            refers=lambda bundle: bundle.files.values(),
        ),
        Step(
            "accept", does.accept,
            inputs={
                "bundle": "package", "model": "choose.model", "baseline": "baseline", "training_set": "features",
                "sealed": "sealed",
            },
            by_digest=("sealed",),  # the step opens the seal itself, on the record
            params={"gates": project.canvas.accept, "champion": setting.champion},
            given={"checks": checks, "store": project.store}, code=tuple(checks.values()), told=tuple(checks.values()),
            stage="gates",
        ),
    ]  # fmt: skip


# ------------------------------------------------------------------------------------------------- turn the loop


def plan(project: Project, *, stage: str | None = None, as_of: datetime | None = None,
         force: Collection[str] = (), accept: Collection[str] = ()) -> list[Decision]:  # fmt: skip
    """What a run would do, step by step and with the reason, without doing it."""
    steps = graph(project, _setting(project, as_of, stage, accept))
    return engine.plan(
        project.store, steps, root=project.root, targets=_targets(steps, stage), force=force,
        imported=project.code.imported,
    )  # fmt: skip


def turn(
    project: Project,
    *,
    stage: str | None = None,
    as_of: datetime | None = None,
    force: Collection[str] = (),
    accept: Collection[str] = (),
    reason: str = "by hand",
    on_step: Callable[[StepEvent], None] | None = None,
    on_progress: Callable[[str], None] | None = None,
) -> Turn:
    """Run the graph, then register the model, let the gates decide, and release it.

    Args:
        stage: stop after this stage; None goes all the way.
        as_of: train on what was known at this moment of the data's clock.
        force: steps that run even if nothing changed.
        accept: tables whose columns may have changed since the champion was trained; each gets a new contract.
        reason: why the loop turns; it is written into the release.
    Raises:
        StepFailed, DataError, LeakError: a step could not be done; what was finished is kept.
        GateFailed: a gate said no; the version is registered as refused, with its evidence.
    """
    setting = _setting(project, as_of, stage, accept)
    steps = graph(project, setting, on_progress=on_progress)
    target = value_of("openlineage", project.canvas)
    code = code_state(project)
    with told(project.store, project.canvas.project, target, project.root, on_step) as tell:
        outcome = engine.run(
            project.store, steps, root=project.root, project=project.canvas.project, name=stage or "all",
            params={"as_of": as_of.isoformat() if as_of else None, "reason": reason, "seed": project.canvas.train.seed},
            code=code, targets=_targets(steps, stage), force=force, on_step=tell, imported=project.code.imported,
            files=uncommitted(project, code), price=price_of(project.canvas),
        )  # fmt: skip
    if stage not in (None, "gates", "release"):
        return Turn(outcome.run_id, outcome, reason=reason)
    return _conclude(project, outcome, setting, reason, release=stage != "gates")


def _setting(project: Project, as_of: datetime | None, stage: str | None, accept: Collection[str] = ()) -> Setting:
    """How the graph is built now.

    A release makes a new champion, and with it a new rival and new contracts. That alone is no reason to run again
    what led to it: where nothing else changed since the newest version was made, the graph is built as it was then.
    """
    unknown = sorted(set(accept) - set(project.canvas.data))
    if unknown:
        raise NotFound(
            f"no table is named {unknown[0]!r}", "--accept", did_you_mean(unknown[0], project.canvas.data, "tables")
        )
    if as_of is not None and not any(one.time or one.later for one in project.canvas.data.values()):
        raise DataError(
            "no table of the canvas has a time, so nobody can tell what was known at a moment",
            "--as-of",
            "name the time column of a table: `time: <column>` below it, or run without --as-of",
        )
    current = champion(project.store, project.endpoint)
    if accept:
        return made_under(project, as_of, current, tuple(sorted(accept)))
    known = [one for one in versions.list_versions(project.store, project.canvas.project) if one.lineage.code]
    if known and known[-1].lineage.champion != current:
        before = made_under(project, as_of, known[-1].lineage.champion, known[-1].lineage.accepted)
        steps = graph(project, before)
        decisions = engine.plan(
            project.store, steps, root=project.root, targets=_targets(steps, stage), imported=project.code.imported
        )
        # What the store lost is made again as it was made then.
        if not any(one.action == "run" and not one.reason.startswith(LOST) for one in decisions):
            return before
    return made_under(project, as_of, current)


def champion(store: Store, endpoint: str) -> str | None:
    """The digest of the bundle that answers an endpoint; None: nothing does."""
    try:
        return routing.current(store, endpoint).arms[0].bundle
    except NotFound:
        return None


def made_under(
    project: Project, as_of: datetime | None, champion: str | None, accepted: tuple[str, ...] = ()
) -> Setting:
    """How the graph is built where this bundle is in production: it is the rival, and its tables' contracts hold."""
    if champion is None:
        return Setting(as_of)
    try:
        bundle = bundles.load_bundle(project.store, champion)
        contracts = bundles.decode_contracts(project.store.objects.get(bundle.files["tables.json"]))
    except (NotFound, StoreError):
        return Setting(as_of)  # nothing can be compared with a bundle that is damaged; this run may make it again
    kept = {name: one for name, one in contracts.items() if name not in accepted}
    return Setting(as_of, champion=champion, contracts=kept, accepted=accepted)


def _targets(steps: list[Step], stage: str | None) -> list[str] | None:
    if stage is None:
        return None
    if stage not in STAGES:
        raise NotFound(f"there is no stage {stage!r}", "threefold run", f"the stages are: {', '.join(STAGES)}")
    wanted = STAGES[: STAGES.index(stage) + 1]
    return [step.name for step in steps if step.stage in wanted]


def _conclude(project: Project, outcome: Outcome, setting: Setting, reason: str, *, release: bool) -> Turn:
    bundle: Bundle = outcome.value("package")
    results: tuple[GateResult, ...] = tuple(outcome.value("accept"))
    version, judged = _registered(project, outcome, bundle, results, setting)
    if judged or version.status == "candidate":
        version = judging.judge(project, version, results)
    if version.status == "refused":
        judging.refuse(project, version, results)
    if not release or version.status not in ("approved", "released"):
        return Turn(outcome.run_id, outcome, version, results, None, reason)
    released = _release(project, version, reason)
    version = versions.get(project.store, version.name, version.number)
    held = "" if released else _held(project, version)
    return Turn(outcome.run_id, outcome, version, results, released, reason, held)


def _registered(
    project: Project, outcome: Outcome, bundle: Bundle, results: tuple[GateResult, ...], setting: Setting
) -> tuple[ModelVersion, bool]:
    """The version of this bundle, and whether this acceptance test says something else than the last one recorded."""
    store, name = project.store, project.canvas.project
    known = [one for one in versions.list_versions(store, name) if one.bundle == bundle.digest]
    version = known[0] if known else versions.register(
        store, name, bundle, outcome.run_id, judging.values(results), _lineage(project, outcome, setting)
    )  # fmt: skip
    label = versions.subject(name, version.number)
    ran = {one.step for one in outcome.executions if one.status == "ran"}
    # A test that is reused may be an older one: a gate that was added is taken out again.
    if "accept" not in ran and judging.said(results) == judging.said(
        [one.result for one in evidence.newest(store, label)]
    ):
        return version, False
    evidence.add(store, label, results)
    return version, True


def _lineage(project: Project, outcome: Outcome, setting: Setting) -> Lineage:
    report = outcome.value("choose.report")
    bundle: Bundle = outcome.value("package")
    return Lineage(
        snapshots={name: outcome.digest(f"ingest/{name}.table") for name in project.canvas.data},
        training_set=outcome.digest("features"),
        test_set=outcome.digest("sealed"),
        code={**code_state(project), "files": files_beside(project, tables(project), outcome.reads())},
        environment=bundle.files["environment.json"],
        run_id=outcome.run_id,
        candidate=report.name,
        as_of=setting.as_of.isoformat() if setting.as_of else None,
        canvas=project.canvas.digest,
        seed=project.canvas.train.seed,
        champion=setting.champion,
        accepted=setting.accepted,
    )


def _held(project: Project, version: ModelVersion) -> str:
    """Why an approved version is not released: it was before, and answers already, or was replaced since."""
    answering = judging.answering(project.store, version.name)
    if version.number in answering:
        return ""
    there = " and ".join(str(number) for number in answering)
    return (
        f"version {there} stays in production: version {version.number} was released before and replaced since, and a run "
        f"does not undo that; to let it answer again: threefold release deploy {version.number}"
    )


def _release(project: Project, version: ModelVersion, reason: str) -> Release | None:
    """Release a version once. A version that was released before is not pushed again: somebody may have rolled it back."""
    if any(one.number == version.number for one in releases.list_releases(project.store, project.endpoint)):
        return None
    return release_version(project, version, reason)
