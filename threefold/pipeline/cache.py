"""What steps have made: the rows that lead from a key to its outputs, and the values while a run needs them."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, delete, desc, insert, select

from threefold.errors import NotFound, StoreError, ThreefoldError
from threefold.pipeline import codecs, reasons
from threefold.pipeline.environment import read_document
from threefold.pipeline.fingerprint import Fingerprint
from threefold.records import plain, utc_now
from threefold.store import Store, Writer, new_id, schema

LOST = "its output"  # how the reasons begin that come of a store that lost something, not of a change
CHECKED_BYTES = 65_536

KINDS = {"table": "table", "json": "json", "bytes": "file", "pickle": "object"}  # codec -> kind of artifact

MOST_SETS = 20  # sets of undeclared files that are remembered for one state of a step

# Built once: making a statement costs more than running it.
_FIND = select(schema.cache.c.outputs).where(schema.cache.c.key == bindparam("wanted"))
_LAST_PARTS = (
    select(schema.cache.c.parts)
    .join(schema.executions, schema.executions.c.key == schema.cache.c.key)
    .where((schema.executions.c.step == bindparam("wanted")) & (schema.cache.c.step == bindparam("wanted")))
    .order_by(desc(schema.executions.c.started_at))
    .limit(1)
)
_FAILED = select(schema.executions.c.id).where(
    (schema.executions.c.key == bindparam("wanted")) & (schema.executions.c.status == "failed")
)
_ARTIFACT = select(schema.artifacts.c.digest).where(schema.artifacts.c.digest == bindparam("wanted"))
_FORGET = delete(schema.cache).where(schema.cache.c.key == bindparam("wanted"))
_ADD_EXECUTION, _ADD_ENTRY = insert(schema.executions), insert(schema.cache)
_ADD_ARTIFACT, _ADD_EDGE = insert(schema.artifacts), insert(schema.edges)


@dataclass(frozen=True, slots=True)
class Output:
    """Where one output of a step lies."""

    digest: str
    codec: str
    type: str  # "module:qualname" of the value
    size_bytes: int
    classes: tuple[str, ...] = ()  # of the project, inside a pickle


Outputs = dict[str, Output]


@dataclass(frozen=True, slots=True)
class Entry:
    """What is remembered under one key."""

    key: str
    outputs: Outputs


def load(store: Store, output: Output) -> Any:
    """The value of an output."""
    if output.codec == "table":
        return store.objects.get_table(output.digest)
    return codecs.decode(store.objects.get(output.digest), output.codec, store.key())


def find(store: Store, key: str) -> Entry | None:
    """What was made under a key."""
    with store.read() as connection:
        body = connection.execute(_FIND, {"wanted": key}).scalar()
    if body is None:
        return None
    return Entry(key, {name: Output(**{**one, "classes": tuple(one["classes"])}) for name, one in body.items()})


def reads_of(store: Store, key: str) -> list[list[str]]:
    """The sets of files that a step under this key was seen to read without declaring them, the newest first.

    What a step reads is known only after it ran, so its outputs lie under a key that holds these files too, and under
    the key without them stands which files these are.
    """
    with store.read() as connection:
        body = connection.execute(_FIND, {"wanted": _signpost(key)}).scalar()
    return [] if body is None else list(body["reads"])


def known_reads(store: Store, step: str) -> set[str]:
    """The undeclared files that a step, or code it reaches, read when it last succeeded."""
    with store.read() as connection:
        before = connection.execute(_LAST_PARTS, {"wanted": step}).scalar()
    if before is None:
        return set()
    named = {name.removeprefix("file ") for name in before["code"] if name.startswith("file ")}
    return named | set(before.get("reads", ()))


def _signpost(key: str) -> str:
    return hashlib.sha256(f"reads of {key}".encode()).hexdigest()


def lost(store: Store, entry: Entry, refers: Callable[[Any], Iterable[str]] | None = None) -> str | None:
    """A sentence naming an output whose object is gone or damaged; None where all are there.

    Small objects are read and held against their digest. A large one is only measured: reading all of them would cost
    an unchanged run more than its work; the step that reads one finds the damage.

    Args:
        refers: gives the digests of further objects that the only output of the step points at.
    """
    for name, output in entry.outputs.items():
        state = _state(store, output.digest, output.size_bytes)
        if state is not None:
            return f"{LOST} {name + ' ' if name else ''}is {state}"
    parts = () if refers is None else refers(load(store, entry.outputs[""]))
    states = {state for digest in parts if (state := _state(store, digest, None)) is not None}
    return f"{LOST} has a part that is {min(states)}" if states else None


def _state(store: Store, digest: str, size_bytes: int | None) -> str | None:
    try:
        size = store.objects.size_bytes(digest)
        if size_bytes not in (store.objects.weight_bytes(digest), None):  # asks for each piece of a large table, too
            return "damaged in the store"
        if size <= CHECKED_BYTES:
            store.objects.get(digest)
    except NotFound:
        return "missing from the store"
    except StoreError:
        return "damaged in the store"
    return None


def why(store: Store, step: str, fingerprint: Fingerprint, words: Mapping[str, str] | None = None) -> str:
    """Why a step with a new key runs: what moved since it last succeeded; `words` is how people call its parameters."""
    with store.read() as connection:
        before = connection.execute(_LAST_PARTS, {"wanted": step}).scalar()
        failed = connection.execute(_FAILED, {"wanted": fingerprint.key}).first()
    if failed:
        return "it failed the last time"
    if before is None:
        return "it never ran"
    return reasons.differences(before, fingerprint.parts, _environments(store, fingerprint), words)


def _environments(store: Store, fingerprint: Fingerprint) -> Callable[[str], Mapping[str, str]]:
    def document(digest: str) -> Mapping[str, str]:
        if digest == fingerprint.parts["environment"]:
            return read_document(fingerprint.environment)
        try:
            return read_document(store.objects.get(digest))
        except (NotFound, StoreError):
            return {}  # only the explanation gets poorer

    return document


# ----------------------------------------------------------------------------------------------------- writing


def execution(run_id: str, step: str, key: str, status: str, reason: str) -> dict[str, Any]:
    """The row of one execution, begun now."""
    return {
        "id": new_id(), "run_id": run_id, "step": step, "key": key, "status": status, "reason": reason,
        "started_at": utc_now().isoformat(), "ended_at": None, "error": None,
    }  # fmt: skip


def record(
    tx: Writer,
    row: Mapping[str, Any],
    fingerprint: Fingerprint,
    inputs: Mapping[str, Output],
    outputs: Outputs,
    duration_s: float,
    remembered: bool,
) -> None:
    """One execution with all that came of it: cache entry, artifacts, lineage, event."""
    step, key = row["step"], row["key"]
    tx.execute(_ADD_EXECUTION, {**row, "ended_at": tx.now})
    if remembered:
        entry = {
            "key": key, "step": step, "parts": fingerprint.parts, "outputs": plain(outputs), "duration_s": duration_s,
            "execution_id": row["id"], "created_at": tx.now,
        }  # fmt: skip
        tx.execute(_FORGET, {"wanted": key})
        tx.execute(_ADD_ENTRY, entry)
        if fingerprint.reads:
            _record_reads(tx, entry, fingerprint)
    _record_artifacts(tx, step, outputs)
    edges = [
        {"execution_id": row["id"], "direction": direction, "name": name, "digest": one.digest}
        for direction, named in (("input", inputs), ("output", outputs))
        for name, one in named.items()
    ]
    tx.execute(_ADD_EDGE, edges)
    made = {name: one.digest for name, one in outputs.items()}
    tx.event("step.ran", f"step {step}", {"run": row["run_id"], "execution": row["id"], "key": key, "outputs": made})


def _record_reads(tx: Writer, entry: Mapping[str, Any], fingerprint: Fingerprint) -> None:
    key, newest = _signpost(fingerprint.with_reads({}).key), list(fingerprint.reads)
    body = tx.execute(_FIND, {"wanted": key}).scalar()
    others = [one for one in body["reads"] if one != newest] if body else []
    tx.execute(_FORGET, {"wanted": key})
    signpost = {
        **entry,
        "key": key,
        "parts": {},
        "outputs": {"reads": [newest, *others][:MOST_SETS]},
        "duration_s": 0.0,
    }
    tx.execute(_ADD_ENTRY, signpost)


def _record_artifacts(tx: Writer, step: str, outputs: Outputs) -> None:
    for name, one in outputs.items():
        if tx.execute(_ARTIFACT, {"wanted": one.digest}).first() is None:
            row = {
                "digest": one.digest, "kind": KINDS[one.codec], "name": f"{step}.{name}" if name else step,
                "size_bytes": one.size_bytes, "meta": {"codec": one.codec, "type": one.type}, "created_at": tx.now,
            }  # fmt: skip
            tx.execute(_ADD_ARTIFACT, row)


def record_reused(tx: Writer, rows: Sequence[Mapping[str, Any]]) -> None:
    """Executions that only pointed at what was there; their lineage is that of the execution which made it."""
    tx.execute(_ADD_EXECUTION, [{**row, "ended_at": tx.now} for row in rows])


def record_failure(tx: Writer, row: Mapping[str, Any], error: ThreefoldError) -> None:
    """An execution that failed. It leaves no cache entry: failures are tried again."""
    said = {"what": error.what, "where": error.where, "do": error.do}
    tx.execute(_ADD_EXECUTION, {**row, "status": "failed", "ended_at": tx.now, "error": said})
    tx.event("step.failed", f"step {row['step']}", {"run": row["run_id"], "execution": row["id"], "error": said})


# ------------------------------------------------------------------------------------------------------ values


class Values:
    """The values that later steps of a run still need.

    A consumer gets what the store would give it, never the producer's own object: what one step does to its input
    must not be seen by another. A table is kept and handed out as a shallow copy, everything else is decoded anew.
    """

    def __init__(self, store: Store, references: Sequence[str]) -> None:
        self.store = store
        self.wanted = Counter(references)
        self._tables: dict[str, Any] = {}
        self._bytes: dict[str, bytes] = {}

    def keep(self, reference: str, value: Any, encoded: codecs.Encoded) -> None:
        """Keep a value for the steps that will ask for it."""
        if self.wanted[reference]:
            if encoded.codec == "table":
                self._tables[reference] = value
            else:
                self._bytes[reference] = encoded.data

    def get(self, reference: str, output: Output) -> Any:
        """The value under a reference like "step." or "step.output"."""
        if output.codec == "table":
            if reference not in self._tables:
                self._tables[reference] = load(self.store, output)
            return self._tables[reference].clone()
        if reference not in self._bytes:
            self._bytes[reference] = self.store.objects.get(output.digest)
        return codecs.decode(self._bytes[reference], output.codec, self.store.key())

    def release(self, references: Sequence[str]) -> None:
        """One step is done with these; what nobody else wants is dropped."""
        for reference in references:
            self.wanted[reference] -= 1
            if self.wanted[reference] <= 0:
                self._tables.pop(reference, None)
                self._bytes.pop(reference, None)
