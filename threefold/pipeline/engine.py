"""The engine: plan a graph, run what must run, reuse the rest, and remember why.

A step's outputs become visible in one transaction, after their bytes lie in the object store: whenever the process
dies, what is in the catalogue is whole, and the next run goes on from there.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from threefold.design.frozen import Imported
from threefold.pipeline import runs
from threefold.pipeline.environment import OWN
from threefold.pipeline.lock import run_lock
from threefold.pipeline.outcome import Decision, Execution, Outcome, StepEvent
from threefold.pipeline.recording import Recording
from threefold.pipeline.session import Session
from threefold.pipeline.step import Step
from threefold.store import Store
from threefold.store.recorder import surroundings
from threefold.store.recorder.system import Price, currency_of

__all__ = ["Decision", "Execution", "Outcome", "StepEvent", "plan", "run"]


def plan(
    store: Store,
    steps: Sequence[Step],
    *,
    root: Path,
    targets: Sequence[str] | None = None,
    force: Collection[str] = (),
    imported: Imported | None = None,
) -> list[Decision]:
    """What a run would do, step by step, without running anything.

    Args:
        root: the project's folder.
        targets: steps or stages that are wanted; None is all of them.
        force: steps or stages that run even where nothing changed.
        imported: what the project's modules were made of; None asks the disk.
    Raises:
        ThreefoldError: the graph is not sound, or a parameter cannot be part of a key.
    """
    session = Session(store, root, steps, targets, force, imported=imported)
    decisions = [session.foresee(step) for step in session.steps]
    session.fingerprints.save()
    return decisions


def run(
    store: Store,
    steps: Sequence[Step],
    *,
    root: Path,
    project: str,
    kind: str = "pipeline",
    name: str = "",
    params: Mapping[str, Any] | None = None,
    code: Mapping[str, Any] | None = None,
    targets: Sequence[str] | None = None,
    force: Collection[str] = (),
    parent_id: str | None = None,
    on_step: Callable[[StepEvent], None] | None = None,
    imported: Imported | None = None,
    files: Mapping[str, bytes] | None = None,
    price: Price | None = None,
) -> Outcome:
    """Run a graph: each step that something changed for, in order; the others are reused.

    Args:
        root: the project's folder.
        kind, name, params, code: what the catalogue keeps of the run: code is the commit and state of the project.
        targets: steps or stages that are wanted; None is all of them.
        force: steps or stages that run even where nothing changed.
        parent_id: the run this one belongs to; default is the run this call is part of.
        on_step: told of each step when it starts and when it is done.
        imported: what the project's modules were made of; None asks the disk.
        files: kept with the run from its start: path within it -> content.
        price: what an hour of this machine costs; the run then has a metric `cost`.
    Raises:
        Conflict: another run holds this project, or a file changed while a step read it.
        StepFailed: a step raised something that is not one of our errors; the original is its cause.
        ThreefoldError: whatever else a step refused with; or the graph is not sound.
    """
    session = Session(store, root, steps, targets, force, on_step, imported)
    with run_lock(store.root, " ".join(part for part in (kind, name) if part)):
        runs.mark_interrupted(store)
        store.objects.sweep()
        _sweep(store.root / "tmp")
        document, environment = session.fingerprints.environment({OWN})
        session.keep_environment(document)
        session.run_id = runs.start(
            store, project=project, kind=kind, name=name, params=params, code=code, environment=environment,
            parent_id=parent_id, tags={**surroundings.machine_tags(), **currency_of(price)}, files=files,
        )  # fmt: skip
        token = runs.current.set(session.run_id)
        try:
            session.recording = Recording(store, session.run_id, price)
            for index, step in enumerate(session.steps):
                session.do(step, index)
        except BaseException as error:
            session.close_quietly(error)
            raise
        finally:
            runs.current.reset(token)
            session.fingerprints.save()
        session.close("done")
    return Outcome(session.run_id, "done", session.executions, session.outputs, store)


def _sweep(folder: Path) -> None:
    """Remove the temporary folders of commands whose run died; we hold the lock, so no other is at work."""
    if folder.is_dir():
        for left in folder.glob("[0-9]*-*"):
            if not left.name.startswith(f"{os.getpid()}-"):
                shutil.rmtree(left, ignore_errors=True)
