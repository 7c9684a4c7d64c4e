"""What every home of objects promises, and what follows from the promises alone."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING

from threefold.errors import NotFound, StoreError
from threefold.store.objects import manifest

if TYPE_CHECKING:
    from typing import Self

    import polars as pl


def digest_of(data: bytes) -> str:
    """The sha256 of some bytes, hex."""
    return hashlib.sha256(data).hexdigest()


class Growing(ABC):
    """An object while its bytes arrive: write them in order, then `keep` it. Left without `keep`, nothing stays.

    >>> import tempfile, pathlib
    >>> from threefold.store.objects import LocalObjects
    >>> objects = LocalObjects(pathlib.Path(tempfile.mkdtemp()))
    >>> with objects.growing() as half:
    ...     half.write(b"fli")
    ...     half.write(b"ghts")
    ...     digest, size = half.keep()
    >>> objects.get(digest), size
    (b'flights', 7)
    """

    @abstractmethod
    def write(self, data: bytes) -> None:
        """Add bytes. Raises StoreError where there is no room."""

    @abstractmethod
    def keep(self) -> tuple[str, int]:
        """Make the whole visible under its digest, once. Returns digest and size in bytes; raises StoreError."""

    @abstractmethod
    def discard(self) -> None:
        """Forget what was written; nothing happens after `keep`."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.discard()


class Objects(ABC):
    """Immutable bytes under their digest.

    Promises: putting the same bytes twice keeps one copy, and mends it where it was damaged; a half-written object
    is never visible under its digest; bytes are checked against their digest when read; what was put outlives the
    death of the process.
    """

    address: str  # where the objects lie, without secrets

    @abstractmethod
    def has(self, digest: str) -> bool:
        """Whether the object is here."""

    @abstractmethod
    def digests(self) -> Iterator[str]:
        """Every object there is, in no particular order."""

    @abstractmethod
    def size_bytes(self, digest: str) -> int:
        """How much room an object takes. Raises NotFound."""

    @abstractmethod
    def remove(self, digest: str) -> None:
        """Take an object away for good; nothing happens where there is none."""

    def last_put(self, digest: str) -> float | None:
        """When an object was last put, in seconds since 1970, also where it was here already; None: nobody knows.

        Raises NotFound.
        """
        return None

    def remove_unused(self, digest: str, before: float) -> bool:
        """Take an object away unless somebody put it again at or after a moment; returns whether it is gone.

        What is put again while this looks is kept, so a writer never loses what it was told is here.
        """
        put_at = self.last_put(digest)
        if put_at is None or put_at >= before:
            return False
        self.remove(digest)
        return True

    @abstractmethod
    def put(self, data: bytes) -> str:
        """Keep some bytes; returns their digest.

        Raises:
            StoreError: there is no room or no right to write; nothing half-written stays.
        """

    @abstractmethod
    def get(self, digest: str) -> bytes:
        """The bytes of an object.

        Raises:
            NotFound: there is no such object.
            StoreError: the bytes no longer match their digest.
        """

    @abstractmethod
    def head(self, digest: str, count: int) -> bytes:
        """The first bytes of an object, at most `count`, not verified. Raises NotFound."""

    @abstractmethod
    def growing(self) -> Growing:
        """A new object that takes its bytes bit by bit, in constant memory; for callers that are handed them."""

    @abstractmethod
    def open_stream(self, digest: str, start: int = 0) -> Iterator[bytes]:
        """The bytes of an object from `start` on, in pieces of about 1 MiB and in constant memory.

        Read from the beginning, the last piece is handed over only when the whole matches its digest, so a reader
        that has all the bytes has the right ones. Read from a later byte on, nothing can be verified.

        Raises:
            NotFound: there is no such object; said at once.
            StoreError: the bytes do not match their digest; said in place of the last piece.
        """

    @abstractmethod
    def sweep(self) -> int:
        """Remove what writers that were killed left half-written; returns how many files. Young ones may still grow."""

    def put_stream(self, chunks: Iterable[bytes]) -> tuple[str, int]:
        """Keep bytes that arrive in chunks, in constant memory.

        Returns:
            The digest, and the size in bytes.
        Raises:
            StoreError: there is no room or no right to write; nothing half-written stays.
        """
        with self.growing() as half:
            for chunk in chunks:
                half.write(chunk)
            return half.keep()

    def put_table(self, table: pl.DataFrame) -> str:
        """Keep a table as Parquet; equal tables of one Polars version give one digest.

        A large table is cut into pieces by what its rows say, each an object of its own, and its digest is that of
        the manifest which lists them: a table that differs in one place adds only the pieces around that place.
        """
        from threefold.store.objects import tables  # Polars costs 170 ms: only who keeps tables pays

        return tables.put(self, table)

    def get_table(self, digest: str) -> pl.DataFrame:
        """A table read back, verified.

        Raises:
            NotFound, StoreError: it, or a piece of it, is gone or damaged.
        """
        from threefold.store.objects import tables  # as above

        return tables.get(self, digest)

    def scan_table(self, digest: str) -> pl.LazyFrame:
        """A table to search in without reading all of it. What a scan reads is not verified; `get_table` is."""
        return self.get_table(digest).lazy()

    def references(self, digest: str) -> tuple[str, ...]:
        """The objects that an object is made of: the pieces of a large table; none for all others.

        Reads a few bytes of an object that is no manifest. Raises NotFound, and StoreError for a damaged manifest.
        """
        if not self.head(digest, len(manifest.MAGIC)).startswith(manifest.MAGIC):
            return ()
        data = self.get(digest)
        try:
            return tuple(piece.digest for piece in manifest.parse(data, self.address).pieces)
        except StoreError:
            return ()  # somebody's file that only begins like a manifest

    def weight_bytes(self, digest: str) -> int:
        """How much room an object takes with all that it is made of. Raises NotFound, StoreError."""
        return self.size_bytes(digest) + sum(self.size_bytes(piece) for piece in set(self.references(digest)))

    def take_from(self, other: Objects, digest: str) -> None:
        """Copy an object from another home, pieces first, so that what is seen here is always whole.

        Raises:
            NotFound, StoreError: it is gone or damaged there, or cannot be written here.
        """
        for one in (*other.references(digest), digest):
            if not self.has(one):
                self.put_stream(other.open_stream(one))

    def _missing(self, digest: str) -> NotFound:
        return NotFound(f"object {digest[:12]} is not in the store", self.address, "run the step that made it again")

    def _damaged(self, digest: str, where: str) -> StoreError:
        return StoreError(
            f"object {digest[:12]} is damaged: its bytes do not match its digest",
            where,
            "delete that object and run again; the step that made it will rebuild it",
        )

    def _verified(self, pieces: Iterator[bytes], digest: str, where: str) -> Iterator[bytes]:
        """Pieces passed on one late, so that the last one waits until the whole is known to be right."""
        seen, held = hashlib.sha256(), b""
        for piece in pieces:
            seen.update(piece)
            if held:
                yield held
            held = piece
        if seen.hexdigest() != digest:
            raise self._damaged(digest, where)
        if held:
            yield held
