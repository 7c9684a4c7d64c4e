"""Tell what a run does while it goes. Whatever goes wrong with that never fails the run."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from threefold.loop.openlineage.events import What, datasets_of, run_event
from threefold.loop.openlineage.outbox import Outbox
from threefold.pipeline import runs
from threefold.pipeline.engine import StepEvent
from threefold.store import Store

OnStep = Callable[[StepEvent], None]

log = logging.getLogger(__name__)


@contextmanager
def told(store: Store, project: str, target: str, root: Path, on_step: OnStep | None) -> Iterator[OnStep | None]:
    """A run around which events are told: START and COMPLETE or FAIL, of the run and of each step that runs.

    Args:
        target: the setting `openlineage`; empty: nothing is told, and nothing costs anything.
        root: the folder that a relative file lies in.
        on_step: who is told of steps beside.
    Yields:
        What the engine tells of each step.
    """
    if not target:
        yield on_step
        return
    address = target if target.startswith(("http://", "https://")) else str(root / target)
    teller = _Teller(store, project, Outbox(address, store.root), on_step)
    try:
        yield teller.step
    except BaseException as error:
        teller.end("FAIL", error)
        raise
    teller.end("COMPLETE")


class _Teller:
    def __init__(self, store: Store, project: str, outbox: Outbox, on_step: OnStep | None) -> None:
        self.store, self.project, self.outbox, self.on_step = store, project, outbox, on_step
        self.run_id: str | None = None  # known with the first step

    def step(self, event: StepEvent) -> None:
        if self.on_step is not None:
            self.on_step(event)
        if self.run_id is None:
            self.run_id = runs.current.get()
            self._tell("START")
        whats: dict[str, What] = {"running": "START", "ran": "COMPLETE", "failed": "FAIL"}
        if event.status in whats:  # a step that is reused did not run
            self._tell(whats[event.status], event.step)

    def end(self, what: What, error: BaseException | None = None) -> None:
        self._tell(what, error=error)
        self.outbox.close()

    def _tell(self, what: What, step: str | None = None, error: BaseException | None = None) -> None:
        if self.run_id is None:
            return  # it ended before it began
        try:
            inputs: list[Any] = []
            outputs: list[Any] = []
            if step is not None and what == "COMPLETE":
                with self.store.read() as connection:
                    inputs, outputs = datasets_of(connection, self.project, self.run_id, step)
            self.outbox.put(
                run_event(what, self.project, self.run_id, step, inputs=inputs, outputs=outputs, error=error)
            )
        except Exception as wrong:  # a catalogue outside must not fail a run here, whatever is wrong with it
            log.warning("an OpenLineage event could not be told: %s", wrong)
