"""What a step has read of the project without declaring it: it counts from then on, by content."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from threefold.design.opened import Opened
from threefold.pipeline.fingerprint import Fingerprint, Fingerprints


@dataclass(slots=True)
class Undeclared:
    """The files that a step has read and nothing in its fingerprint speaks of."""

    reads: dict[str, str] = field(default_factory=dict)  # path below the project -> digest
    changed: list[str] = field(default_factory=list)  # those that changed while the step ran


def undeclared(heard: Opened, fingerprint: Fingerprint, prints: Fingerprints) -> Undeclared:
    """What was heard while a step ran, without what counts already and what the step has written itself.

    A step may use what another has read before it and a function has kept: see `design/frozen.py`. So what the same
    source opened earlier counts as well.
    """
    found = Undeclared()
    for file, stamp in heard.read.items():
        if file in heard.written or _is_counted(file, fingerprint):
            continue
        digest, name = prints.files.digest_of_state(file, stamp), prints.sources.shown(file)
        if digest is None:
            found.changed.append(name)
        elif fingerprint.parts["code"].get(f"file {name}") != digest:
            found.reads[name] = digest
            _note(heard, file, digest, prints)
    for file in heard.imported:
        if not _is_counted(file, fingerprint):
            found.reads[prints.sources.shown(file)] = prints.files.digest(file)
    for file, digest in _kept(fingerprint, prints):
        found.reads.setdefault(prints.sources.shown(file), digest)
    return found


def _is_counted(file: Path, fingerprint: Fingerprint) -> bool:
    if file.suffix == ".py" and fingerprint.opaque:
        return True  # all source counts
    return file in fingerprint.counted or any(folder in fingerprint.counted for folder in file.parents)


def _note(heard: Opened, file: Path, digest: str, prints: Fingerprints) -> None:
    for source, files in heard.by.items():
        if file in files:
            prints.imported.note(source, file, digest)


def _kept(fingerprint: Fingerprint, prints: Fingerprints) -> Iterator[tuple[Path, str]]:
    for source in fingerprint.counted & prints.imported.noted.keys():
        yield from prints.imported.noted[source].items()
