"""What a plan and a run tell: decisions, events while it goes, executions, and the way to the results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from threefold.errors import NotFound, ThreefoldError
from threefold.pipeline import cache
from threefold.pipeline.cache import Output, Outputs
from threefold.store import Store


@dataclass(frozen=True, slots=True)
class Decision:
    """What would happen to one step, and why."""

    step: str
    action: str  # "run", "reuse", or "unknown until <step> ran"
    reason: str
    stage: str = ""


@dataclass(frozen=True, slots=True)
class StepEvent:
    """Something happened to one step; for whoever shows progress."""

    step: str
    stage: str
    status: Literal["running", "ran", "reused", "failed"]
    reason: str
    duration_s: float
    index: int  # 0, 1, 2 … in the order of the run
    total: int
    note: str = ""  # something the user should know once, as a sentence without a full stop


@dataclass(frozen=True, slots=True)
class Execution:
    """What happened to one step of a run."""

    step: str
    status: Literal["ran", "reused", "failed"]
    reason: str
    duration_s: float
    error: ThreefoldError | None = None
    stage: str = ""
    note: str = ""  # something the user should know once, as a sentence without a full stop


@dataclass(frozen=True, slots=True)
class Outcome:
    """A run that is over, and the way to its results."""

    run_id: str
    status: str
    executions: list[Execution]
    outputs: Mapping[str, Outputs]  # step -> output name -> where it lies
    store: Store

    def value(self, reference: str) -> Any:
        """The value of "step" or "step.output", read from the store.

        Raises:
            NotFound: the run has no such step or output.
            StoreError, Refused: the artifact is damaged, or a pickle of another store.
        """
        return cache.load(self.store, self._find(reference))

    def digest(self, reference: str) -> str:
        """The digest of "step" or "step.output"."""
        return self._find(reference).digest

    def reads(self) -> set[str]:
        """The files of the project, as paths below it, that the steps read without declaring them."""
        return {name for one in self.executions for name in cache.known_reads(self.store, one.step)}

    def _find(self, reference: str) -> Output:
        step, _, name = reference.partition(".")
        found = self.outputs.get(step, {}).get(name)
        if found is None:
            known = [f"{one}.{name}" if name else one for one, names in self.outputs.items() for name in names]
            raise NotFound(
                f"run {self.run_id} has no output {reference!r}", "the outcome", f"it has: {', '.join(known)}"
            )
        return found
