"""Moving: the catalogue into another database, the objects to another home; nothing lost, and again after any end.

Objects are copied one by one, and what is there already is not copied twice. The catalogue is copied in one transaction
of the other database, while the turn of the writers is held here: what is not whole there is not there. Last of all the
old catalogue is marked, so that whoever still has the old setting is told instead of writing into the past.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import select, text

from threefold.errors import Conflict, StoreError
from threefold.store import copying, schema
from threefold.store.gc import at_work
from threefold.store.objects import Objects
from threefold.store.store import Store, Writer

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Moved:
    """What was moved, and where to."""

    catalogue: str | None  # the new address, without secrets
    rows: dict[str, int]
    objects: str | None
    object_count: int
    object_bytes: int


def move(
    store: Store,
    *,
    catalogue: str | None = None,
    objects: Objects | None = None,
    progress: Progress = lambda what, done, of: None,
) -> Moved:
    """Copy, verify, and mark what was left.

    Args:
        catalogue: the address of an empty database; None: it stays.
        objects: their new home; None: they stay.
    Raises:
        Conflict: the database holds something else, or a gc is at work.
        StoreError: something cannot be read or written, or the copy differs; the store goes on where it was.
    """
    with at_work(store.root, "move"):
        count = size = 0
        rows: dict[str, int] = {}
        target = Store.over(store.root, catalogue) if catalogue is not None else None
        try:
            if target is not None and target.url == store.url:
                raise Conflict("the catalogue lies there already", store.url, "name another database")
            if objects is not None:
                _copy_objects(store.objects, objects, progress)
            with store.write() as tx:  # nobody writes from here on; what came meanwhile is copied, too
                if objects is not None:
                    count, size = _copy_objects(store.objects, objects, progress)
                said = {"objects": objects.address if objects else None, "catalogue": target.url if target else None}
                before = _head(tx)
                tx.event("store.moved", "store", said)
                if target is not None:
                    rows = _copy_catalogue(tx, target, before, progress)
                    tx.execute(text("UPDATE alembic_version SET version_num = :moved"), {"moved": schema.MOVED})
        finally:
            if target is not None:
                target.close()
    return Moved(target.url if target else None, rows, objects.address if objects else None, count, size)


def _copy_objects(here: Objects, there: Objects, progress: Progress) -> tuple[int, int]:
    """Copy what is not there yet, each verified against its digest; how many there are, and how many bytes."""
    mine = sorted(here.digests())
    known = set(there.digests())
    size = 0
    for number, digest in enumerate(mine, 1):
        progress("copying objects", number, len(mine))
        bytes_ = here.size_bytes(digest)
        size += bytes_
        if digest in known and there.size_bytes(digest) == bytes_:
            continue
        put, _ = there.put_stream(here.open_stream(digest))
        if put != digest:
            raise StoreError(f"object {digest[:12]} arrived as another one", there.address, "run it again")
    lost = set(mine) - set(there.digests())
    if lost:
        raise StoreError(
            f"{len(lost)} objects did not arrive", there.address, "run it again; nothing was switched over"
        )
    return len(mine), size


def _copy_catalogue(tx: Writer, target: Store, before: tuple[int, str], progress: Progress) -> dict[str, int]:
    with target.write() as there:
        if not copying.is_empty(there.connection):
            if not _left_over(target, there, before):
                raise Conflict(
                    "the database is not empty", target.url, "name an empty one; nothing was changed in either"
                )
            copying.drop_everything(there.connection)
        schema.create(there.connection)
        rows = copying.copy(tx.connection, there.connection, progress)
        copying.compare(tx.connection, there.connection, target.url, progress)
    return rows


def _left_over(target: Store, there: Writer, before: tuple[int, str]) -> bool:
    """Whether it is a catalogue that was left for another database, or the copy of a move that was cut off."""
    revision = target.revision_in(there.connection)
    if revision == schema.MOVED:
        return True
    if revision != schema.HEAD:
        return False
    seq, hash_ = before
    events = schema.events
    same = there.connection.scalar(select(events.c.hash).where(events.c.seq == seq)) == hash_
    last = there.connection.execute(select(events).order_by(events.c.seq.desc()).limit(1)).first()
    return same and last is not None and last.seq == seq + 1 and last.kind == "store.moved"


def _head(tx: Writer) -> tuple[int, str]:
    row = tx.execute(select(schema.log_head)).one()
    return row.seq, row.hash
