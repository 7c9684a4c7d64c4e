"""Build a version again from its lineage, and say whether it comes out the same."""

from __future__ import annotations

import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from threefold.data import snapshots
from threefold.errors import NotFound, Refused, StoreError
from threefold.loop import lifecycle
from threefold.loop import steps as does
from threefold.loop.archive import unpack
from threefold.loop.project import STORE_FOLDER, Project, open_project
from threefold.packaging.bundles import columns_of, decode_contracts, load_bundle
from threefold.packaging.scoring import Scorer
from threefold.pipeline import engine
from threefold.records import Bundle, ModelVersion, Snapshot, plain
from threefold.registry import versions

REPRODUCED = "model.reproduced"  # the event that keeps what came of it
SAMPLE = 1000  # rows of the training set whose predictions are compared


@dataclass(frozen=True, slots=True)
class Compared:
    """One thing that was built twice."""

    what: str
    before: str
    after: str

    @property
    def equal(self) -> bool:
        """Whether it came out the same."""
        return self.before == self.after


@dataclass(frozen=True, slots=True)
class Reproduction:
    """A version built again: digests side by side, and how far its predictions are apart."""

    name: str
    number: int
    compared: tuple[Compared, ...]
    largest_difference: float  # of the predictions on the same rows; 0 when equal
    rows: int
    took_s: float

    @property
    def equal(self) -> bool:
        """Whether everything came out the same."""
        return all(one.equal for one in self.compared) and self.largest_difference == 0


def reproduce(project: Project, version: ModelVersion) -> Reproduction:
    """Run the archived code on the archived snapshots, in a folder and a store of their own.

    Raises:
        Refused: the version was logged by a client: there is no archive of its code.
        NotFound: an object the version rests on is no longer in the store.
        StepFailed: the code does not run any more, as in another environment.
    """
    began = time.perf_counter()
    if not version.lineage.code:
        raise Refused(
            "the version was logged by a client, and its project was not archived",
            f"model {version.name}/{version.number}", "only what `threefold run` made can be made again",
        )  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="threefold-reproduce-") as folder:
        scratch = _lay_out(project, version, Path(folder))
        outcome = _rebuild(project, scratch, version)
        new: Bundle = outcome.value("package")
        old = load_bundle(project.store, version.bundle)
        compared = (
            Compared("training set", version.lineage.training_set, outcome.digest("features")),
            Compared("sealed test set", version.lineage.test_set, outcome.digest("sealed")),
            *(Compared(name, old.files[name], new.files.get(name, "missing")) for name in sorted(old.files)),
            Compared("bundle", old.digest, new.digest),
        )
        rows = outcome.value("features").head(SAMPLE)
        before = Scorer.open(project.store.objects.get, old, key=project.store.key()).score(columns_of(rows, old.task))
        after = Scorer.open(scratch.store.objects.get, new, key=scratch.store.key()).score(columns_of(rows, new.task))
        scratch.store.close()
    gap = float(np.max(np.abs(before - after)))
    again = Reproduction(version.name, version.number, compared, gap, rows.height, time.perf_counter() - began)
    with project.store.write() as tx:
        tx.event(REPRODUCED, versions.subject(version.name, version.number), {**plain(again), "equal": again.equal})
    return again


def _lay_out(project: Project, version: ModelVersion, folder: Path) -> Project:
    """The project as it was: its files from the archive, its snapshots, the key that its pickles are signed with."""
    for part in ("archive", "files"):
        if version.lineage.code.get(part):
            unpack(project.store.objects.get(version.lineage.code[part]), folder)
    scratch = open_project(folder, store=folder / STORE_FOLDER)
    key = project.store.root / "key"
    if key.is_file():
        shutil.copy2(key, scratch.store.root / "key")
    for name, digest in version.lineage.snapshots.items():
        _take(project, scratch, version, name, digest)
    return scratch


def _take(project: Project, scratch: Project, version: ModelVersion, name: str, digest: str) -> None:
    try:
        scratch.store.objects.take_from(project.store.objects, digest)
    except (NotFound, StoreError) as error:
        raise NotFound(
            f"the snapshot of table {name!r} that version {version.number} was trained on is gone or damaged",
            error.where,
            "restore it from a backup of the store; it cannot be made again where its source has changed since",
        ) from error


def _rebuild(project: Project, scratch: Project, version: ModelVersion) -> engine.Outcome:
    old = load_bundle(project.store, version.bundle)
    contracts = decode_contracts(project.store.objects.get(old.files["tables.json"]))
    setting = lifecycle.Setting(
        as_of=does.moment(version.lineage.as_of),
        snapshots={name: _snapshot(project, name, digest) for name, digest in version.lineage.snapshots.items()},
        contracts=contracts,
    )
    steps = lifecycle.graph(scratch, setting)
    wanted = [step.name for step in steps if step.name not in ("accept", "guard")]
    return engine.run(
        scratch.store, steps, root=scratch.root, project=version.name, kind="reproduce",
        name=f"version {version.number}", targets=wanted, imported=scratch.code.imported,
    )  # fmt: skip


def _snapshot(project: Project, name: str, digest: str) -> Snapshot:
    found = snapshots.find(project.store, name, digest)
    if found is None:
        raise NotFound(f"snapshot {digest[:12]} of {name!r} is not recorded", project.store.url, "restore a backup")
    return found
