"""One pass over a graph: decide on a step, do it, remember what came of it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import perf_counter
from typing import Any, Literal

from threefold.design.canvas import CommandStep
from threefold.design.frozen import Imported
from threefold.design.opened import Opened, listening
from threefold.errors import Conflict, NotFound, StoreError, ThreefoldError
from threefold.pipeline import cache, calling, codecs, runs
from threefold.pipeline.cache import Entry, Output, Outputs
from threefold.pipeline.fingerprint import Fingerprint, Fingerprints
from threefold.pipeline.outcome import Decision, Execution, StepEvent
from threefold.pipeline.reads import undeclared
from threefold.pipeline.recording import Recording
from threefold.pipeline.step import Step, order
from threefold.store import Store, Writer

MEMORY = "sources.msgpack"  # beside the catalogue: what source files held when they were last read


@dataclass(slots=True)
class _Verdict:
    """Whether a step runs, why, and under which key."""

    runs: bool
    reason: str
    fingerprint: Fingerprint
    outputs: Outputs = field(default_factory=dict)
    remembered: bool = True


class Session:
    """One pass over a graph: decides on each step, does it, and keeps what came of it.

    Args:
        root: the project's folder.
        targets: steps or stages that are wanted; None is all of them.
        force: steps or stages that run even where nothing changed.
        on_step: told of each step when it starts and when it is done.
        imported: what the project's modules were made of.
    """

    def __init__(
        self,
        store: Store,
        root: Path,
        steps: Sequence[Step],
        targets: Sequence[str] | None,
        force: Collection[str],
        on_step: Callable[[StepEvent], None] | None = None,
        imported: Imported | None = None,
    ) -> None:
        self.store = store
        self.root = root.resolve()
        self.steps = order(steps, targets)
        self.forced = {step.name for step in order(steps, list(force)) if {step.name, step.stage} & set(force)}
        self.fingerprints = Fingerprints(self.root, store.root / MEMORY, imported)
        self.fingerprints.settle()
        self.on_step = on_step
        self.run_id = ""
        self.recording: Recording | None = None  # there is one while a run goes on
        self.outputs: dict[str, Outputs] = {}
        self.executions: list[Execution] = []
        self._reused: list[dict[str, Any]] = []  # written with the end of the run: one transaction for all
        self._environments: set[int] = set()
        self._values = cache.Values(store, [reference for step in self.steps for reference in _references(step)])

    # --------------------------------------------------------------------------------------------- deciding

    def foresee(self, step: Step) -> Decision:
        """The decision on a step, with what is known without running anything."""
        for needed in step.needs():
            if needed not in self.outputs:
                return Decision(step.name, f"unknown until {needed} ran", f"it needs what {needed} gives", step.stage)
        verdict = self.judge(step)
        if not verdict.runs:
            self.outputs[step.name] = verdict.outputs
        return Decision(step.name, "run" if verdict.runs else "reuse", verdict.reason, step.stage)

    def judge(self, step: Step) -> _Verdict:
        """Whether a step must run."""
        inputs = {parameter: self.outputs[source][output or ""] for parameter, source, output in step.references()}
        classes = {name for found in inputs.values() for name in found.classes}
        fingerprint = self.fingerprints.of(step, {name: one.digest for name, one in inputs.items()}, sorted(classes))
        if step.name in self.forced:
            return _Verdict(True, "you asked for it", fingerprint)
        if not step.cache:
            return _Verdict(True, "it runs every time", fingerprint)
        if fingerprint.doubts:
            return _Verdict(True, f"what it depends on cannot be told: {fingerprint.doubts[0]}", fingerprint)
        return self._recall(step, fingerprint)

    def _recall(self, step: Step, fingerprint: Fingerprint) -> _Verdict:
        entry = cache.find(self.store, fingerprint.key)
        if entry is None:
            found = [fingerprint.with_reads(one) for one in self._possible_reads(fingerprint)] or [fingerprint]
            fingerprint, entry = self._first_known(found)
        if entry is None:
            return _Verdict(True, cache.why(self.store, step.name, fingerprint, step.words), fingerprint)
        lost = cache.lost(self.store, entry, step.refers)
        if lost is not None:
            return _Verdict(True, lost, fingerprint)
        note = f" (all source counts: {fingerprint.opaque[0]})" if fingerprint.opaque else ""
        note += f" (it reads {', '.join(fingerprint.reads)} undeclared: counted too)" if fingerprint.reads else ""
        return _Verdict(False, f"nothing it depends on changed{note}", fingerprint, entry.outputs)

    def _first_known(self, found: Sequence[Fingerprint]) -> tuple[Fingerprint, Entry | None]:
        for fingerprint in found:
            entry = cache.find(self.store, fingerprint.key)
            if entry is not None:
                return fingerprint, entry
        return found[0], None

    def _possible_reads(self, fingerprint: Fingerprint) -> list[dict[str, str]]:
        """What the files that this step was seen to read hold now; several sets, where it did not always read the same."""
        return [
            {name: self.fingerprints.content(name) for name in names}
            for names in cache.reads_of(self.store, fingerprint.key)
        ]

    # ---------------------------------------------------------------------------------------------- running

    def do(self, step: Step, index: int) -> None:
        """Reuse or run one step."""
        began = perf_counter()
        try:
            verdict = self.judge(step)
            if verdict.runs and self._mend_inputs(step, index):
                verdict = self.judge(step)  # what was made again may have come out different
        except (Exception, SystemExit) as error:
            # What a step observes is a user's code too.
            failure = calling.failure(step, error, self.root)
            self._done(step, "failed", "what it depends on cannot be told", perf_counter() - began, index, failure)
            raise failure from (None if failure is error else error)
        if verdict.runs:
            self._tell(step, "running", verdict.reason, 0.0, index)
            self._run(step, verdict, index)
        else:
            self.outputs[step.name] = verdict.outputs
            self._reused.append(
                cache.execution(self.run_id, step.name, verdict.fingerprint.key, "reused", verdict.reason)
            )
            self._done(step, "reused", verdict.reason, perf_counter() - began, index)
        self._values.release(_references(step))

    def _mend_inputs(self, step: Step, index: int) -> bool:
        """Make again what a step needs and the store lost or damaged; whether there was such a thing."""
        mended = False
        for parameter, source, output in step.references():
            found = self.outputs[source][output or ""]
            try:
                if parameter in step.by_digest:
                    self.store.objects.get(found.digest)
                else:
                    self._values.get(f"{source}.{output or ''}", found)
            except (NotFound, StoreError):
                maker = next(one for one in self.steps if one.name == source)
                self._mend_inputs(maker, index)
                verdict = replace(self.judge(maker), runs=True, reason=f"{cache.LOST} cannot be read from the store")
                self._tell(maker, "running", verdict.reason, 0.0, index)
                self._run(maker, verdict, index)
                mended = True
        return mended

    def _run(self, step: Step, verdict: _Verdict, index: int) -> None:
        row = cache.execution(self.run_id, step.name, verdict.fingerprint.key, "ran", verdict.reason)
        began = perf_counter()
        try:
            with listening(self.root, self.store.root) as heard:
                results = self._call(step)
            note = self._note_reads(step, verdict, row, heard)
            self._commit(step, verdict, row, results, began)
        except (Exception, SystemExit) as error:
            # A broad except belongs here: around a user's step, which must not end our process either. The original
            # is raised on, or is the cause.
            failure = calling.failure(step, error, self.root)
            self._keep_failure(row, failure)
            self._done(step, "failed", verdict.reason, perf_counter() - began, index, failure)
            if failure is error:
                raise
            raise failure from error
        self._done(step, "ran", verdict.reason, perf_counter() - began, index, note=note)

    def _call(self, step: Step) -> dict[str, Any]:
        inputs = {
            parameter: self._input(step, parameter, source, output or "")
            for parameter, source, output in step.references()
        }
        if isinstance(step.run, CommandStep):
            from threefold.pipeline import commands  # subprocess and its kin: only a command pays for them

            keep = self.recording.print if self.recording else None
            return commands.run(step.run, inputs, self.root, self.store.root / "tmp", keep)
        result = step.run(**inputs, **step.params, **step.given)
        return calling.named_outputs(step, result)

    def _note_reads(self, step: Step, verdict: _Verdict, row: dict[str, Any], heard: Opened) -> str:
        """Count what a step has read without declaring it; returns the sentence that tells the user of it once."""
        if isinstance(step.run, CommandStep) or step.observe is not None:
            return ""  # another process is not heard; what observes the outside has declared what it reads
        found = undeclared(heard, verdict.fingerprint, self.fingerprints)
        verdict.fingerprint = verdict.fingerprint.with_reads(found.reads)
        row["key"] = verdict.fingerprint.key
        if found.changed:
            verdict.remembered = False
            return f"{', '.join(found.changed)} changed while it ran, so it runs again the next time"
        news = sorted(set(found.reads) - cache.known_reads(self.store, step.name)) if found.reads else []
        return f"it reads {', '.join(news)} without declaring it: from now on that counts" if news else ""

    def _input(self, step: Step, parameter: str, source: str, output: str) -> Any:
        found = self.outputs[source][output]
        return found.digest if parameter in step.by_digest else self._values.get(f"{source}.{output}", found)

    def _commit(
        self, step: Step, verdict: _Verdict, row: dict[str, Any], results: Mapping[str, Any], began: float
    ) -> None:
        self._require_unchanged(step, verdict.fingerprint)
        outputs: Outputs = {}
        for name, value in results.items():
            encoded, digest = codecs.keep(value, self.store.objects, self.store.key())
            classes = tuple(one for one in encoded.classes if self.fingerprints.is_local_class(one))
            size = self.store.objects.weight_bytes(digest) if encoded.codec == "table" else len(encoded.data)
            outputs[name] = Output(digest, encoded.codec, encoded.type, size, classes)
            self._values.keep(f"{step.name}.{name}", value, encoded)
        self.keep_environment(verdict.fingerprint.environment)
        with self.store.write() as tx:
            self._write_reused(tx)
            inputs = {name: self.outputs[source][output or ""] for name, source, output in step.references()}
            remembered = step.cache and verdict.remembered and not verdict.fingerprint.doubts
            cache.record(tx, row, verdict.fingerprint, inputs, outputs, perf_counter() - began, remembered)
        self._reused.clear()
        self.outputs[step.name] = outputs

    def _require_unchanged(self, step: Step, fingerprint: Fingerprint) -> None:
        changed = self.fingerprints.changed(fingerprint)
        if changed is not None:
            raise Conflict(
                f"{self.fingerprints.sources.shown(changed)} changed while step {step.name!r} ran, so nobody can tell "
                "which state of it the result rests on",
                f"step {step.name!r}",
                "run again: what was finished before is kept",
            )

    def keep_environment(self, document: bytes) -> None:
        """Keep an environment document as an object, so that a later run can tell what moved."""
        if document and hash(document) not in self._environments:
            self._environments.add(hash(document))
            self.store.objects.put(document)

    def _keep_failure(self, row: dict[str, Any], failure: ThreefoldError) -> None:
        try:
            with self.store.write() as tx:
                cache.record_failure(tx, row, failure)
        except StoreError:
            pass  # the disk may be full, and that is what the user must hear first

    # ---------------------------------------------------------------------------------------------- telling

    def _tell(
        self,
        step: Step,
        status: Literal["running", "ran", "reused", "failed"],
        reason: str,
        took: float,
        index: int,
        note: str = "",
    ) -> None:
        if self.on_step is not None:
            self.on_step(StepEvent(step.name, step.stage, status, reason, took, index, len(self.steps), note))

    def _done(
        self,
        step: Step,
        status: Literal["ran", "reused", "failed"],
        reason: str,
        took: float,
        index: int,
        error: ThreefoldError | None = None,
        note: str = "",
    ) -> None:
        self.executions.append(Execution(step.name, status, reason, took, error, step.stage, note))
        self._tell(step, status, reason, took, index, note)

    # ---------------------------------------------------------------------------------------------- closing

    def close(self, status: runs.Status, error: ThreefoldError | None = None) -> None:
        """Write what is still to be written, and the end of the run, in one transaction."""
        if self.recording:
            self.recording.end()
        counts = {word: sum(one.status == word for one in self.executions) for word in ("ran", "reused", "failed")}
        with self.store.write() as tx:
            self._write_reused(tx)
            if self.recording:
                self.recording.write(tx)
            runs.finish_in(tx, self.run_id, status, error, **counts)
        runs.over(self.run_id)
        if self.recording:
            self.recording.forget()

    def close_quietly(self, error: BaseException) -> None:
        """Close a run that an error ended; a store that cannot take that must not hide the error."""
        try:
            self.close(runs.status_of(error), runs.as_threefold(error))
        except ThreefoldError:
            runs.over(self.run_id)  # the next start finds the row and marks it interrupted

    def _write_reused(self, tx: Writer) -> None:
        if self._reused:
            cache.record_reused(tx, self._reused)


def _references(step: Step) -> list[str]:
    return [f"{source}.{output or ''}" for _, source, output in step.references()]
