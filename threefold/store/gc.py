"""Removing what nothing refers to any more.

First the rows of what was deleted long ago go (purge.py), then the objects that no row leads to (roots.py). Three things
keep a writer beside it safe: an object that was put a short while ago stays, whoever puts it; the roots are read after
the list of candidates; and an object goes in the turn of the writers, after one more look at the columns that name it.
It can be interrupted at any moment: each object goes by itself, and what is left goes the next time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic

from filelock import FileLock, Timeout

from threefold.errors import Conflict, NotFound
from threefold.store import purge as purging
from threefold.store import roots
from threefold.store.store import Store

TURN_S = 0.1  # so long it keeps other writers waiting at a time

Progress = Callable[[str, int, int], None]  # what is done, how much of it, of how much


@dataclass(frozen=True, slots=True)
class Collected:
    """What went, or would go."""

    dry_run: bool
    purged: tuple[str, ...]  # subjects: "run 5f3a…"
    held: tuple[str, ...]  # deleted long enough ago, but under hold, or needed by a version
    removed: int  # objects
    removed_bytes: int
    kept: int
    young: int  # objects that nothing refers to, put too short a while ago
    halves: int  # half-written files of writers that were killed


def collect(
    store: Store,
    *,
    grace: timedelta,
    unused: timedelta,
    dry_run: bool = False,
    now: datetime | None = None,
    progress: Progress = lambda what, done, of: None,
) -> Collected:
    """Remove what is no longer needed.

    Args:
        grace: how long what was deleted can be restored.
        unused: how long an object stays that nothing refers to; a writer needs some time between object and row.
        dry_run: change nothing, and say what would go.
    Raises:
        Conflict: another gc or a backup is at work.
        StoreError: an object that may name others cannot be read; nothing of the objects was removed.
    """
    at = now or datetime.now(UTC)
    with at_work(store.root, "gc"):
        before = at - unused
        candidates = set(_old(store, before.timestamp(), progress))
        going, direct = _purge(store, (at - grace).isoformat(), dry_run=dry_run)
        needed = roots.whole(store.objects, direct)
        loose = sorted(candidates - needed.keys())
        found = Collected(dry_run, going.subjects, going.held, 0, 0, len(needed), 0, 0)
        if dry_run:
            size = sum(_size(store, digest) for digest in loose)
            found = replace(found, removed=len(loose), removed_bytes=size)
        else:
            count, size = _remove(store, loose, before.timestamp(), progress)
            found = replace(found, removed=count, removed_bytes=size, halves=store.objects.sweep())
        young = sum(digest not in needed for digest in store.objects.digests()) - (len(loose) if dry_run else 0)
    return replace(found, young=max(young, 0))


@contextmanager
def at_work(root: Path, what: str) -> Iterator[None]:
    """One at a time removes objects, copies all of them, or replaces the store. Raises Conflict."""
    root.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(root / "care.lock", timeout=0):
            yield
    except Timeout:
        raise Conflict(
            f"no {what} now: another gc, backup, move or restore is at work", str(root), "wait until it is done"
        ) from None


def _old(store: Store, before: float, progress: Progress) -> Iterator[str]:
    for number, digest in enumerate(store.objects.digests(), 1):
        progress("looking at objects", number, 0)
        try:
            put_at = store.objects.last_put(digest)
        except NotFound:
            continue
        if put_at is not None and put_at < before:
            yield digest


class _TakeBack(Exception):
    """Ends a transaction that was only tried."""

    def __init__(self, going: purging.Doomed, direct: roots.Direct) -> None:
        super().__init__()
        self.going, self.direct = going, direct


def _purge(store: Store, until: str, *, dry_run: bool) -> tuple[purging.Doomed, roots.Direct]:
    """Remove the rows of what was deleted before a moment; what goes, and the roots of what stays."""
    with store.read() as connection:
        going = purging.doomed(connection, until)
    if going.subjects:
        try:
            with store.write() as tx:
                going = purging.doomed(tx.connection, until)  # somebody may have restored one of them meanwhile
                purging.purge(tx, going)
                if dry_run:
                    raise _TakeBack(going, roots.direct(tx.connection))
        except _TakeBack as tried:
            return tried.going, tried.direct
    with store.read() as connection:
        return going, roots.direct(connection)


def _remove(store: Store, loose: list[str], before: float, progress: Progress) -> tuple[int, int]:
    """Remove objects in short turns of the writers; how many went, and how many bytes."""
    count = size = done = 0
    while done < len(loose):
        turn_ends = monotonic() + TURN_S
        with store.write() as tx:
            portion = loose[done : done + 500]
            wanted = roots.named_now(tx.connection, portion)
            for digest in portion:
                done += 1
                bytes_ = _size(store, digest)
                if digest not in wanted and store.objects.remove_unused(digest, before):
                    count, size = count + 1, size + bytes_
                if monotonic() > turn_ends:
                    break
        progress("removing objects", done, len(loose))
    if count:
        with store.write() as tx:
            tx.event("store.collected", "store", {"objects": count, "size_bytes": size})
    return count, size


def _size(store: Store, digest: str) -> int:
    try:
        return store.objects.size_bytes(digest)
    except NotFound:
        return 0
