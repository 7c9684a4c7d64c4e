"""Objects in a bucket: S3 and what speaks like it, Google Cloud Storage, Azure."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import parse_qsl, urlsplit

from threefold.errors import NotFound, StoreError, Unavailable
from threefold.store.objects.base import Growing, Objects, digest_of
from threefold.store.objects.growing import GrowingFile, sweep
from threefold.store.pieces import PIECE_BYTES

if TYPE_CHECKING:
    from obstore.store import ObjectStore

SCHEMES = ("s3", "gs", "az")
WRITTEN_AGAIN_S = 6 * 3600  # less than the day for which `store gc` leaves alone what nothing refers to
RETRIES = 4  # five lost requests in a row, about two seconds apart in all, mean that the service is away
SECRET = re.compile("secret|token|password|access_key|account_key|sas_", re.IGNORECASE)
NAME = re.compile("([0-9a-f]{2})/([0-9a-f]{62})")
MD5 = re.compile('"?([0-9a-f]{32})"?')


class CloudObjects(Objects):
    """A bucket of immutable objects, laid out like the local folder. An upload is visible when it is whole.

    Args:
        url: s3://bucket/prefix, gs://bucket/prefix or az://container/prefix; options of the service follow as a
            query, as in s3://models/churn?endpoint=http://10.0.0.5:9000&region=eu-central-1. Credentials come from
            the environment, under the names that the tools of each cloud use.
        spool: a local folder in which streams grow until their digest is known.
    Raises:
        StoreError: the package is missing, or the address cannot be right. Nothing is asked of the service yet.
    """

    def __init__(self, url: str, spool: Path) -> None:
        self.address = url.partition("?")[0]
        self.spool = spool
        self._bucket = _connect(url)
        self._knows_ranges = True

    def has(self, digest: str) -> bool:
        """Whether the object is here."""
        try:
            self.size_bytes(digest)
        except NotFound:
            return False
        return True

    def digests(self) -> Iterator[str]:
        """Every object there is, in no particular order."""
        with self._answering():
            for page in self._bucket.list(chunk_size=1000):
                for found in page:
                    if name := NAME.fullmatch(found["path"]):
                        yield name[1] + name[2]

    def size_bytes(self, digest: str) -> int:
        """How much room an object takes. Raises NotFound."""
        with self._answering(digest):
            return int(self._bucket.head(_key(digest))["size"])

    def last_put(self, digest: str) -> float:
        """When an object was last put, to some hours. Raises NotFound."""
        with self._answering(digest):
            return float(self._bucket.head(_key(digest))["last_modified"].timestamp())

    def remove(self, digest: str) -> None:
        """Take an object away for good; nothing happens where there is none."""
        try:
            with self._answering(digest):
                self._bucket.delete(_key(digest))
        except NotFound:
            pass

    def put(self, data: bytes) -> str:
        """Keep some bytes; returns their digest. Raises StoreError."""
        digest = digest_of(data)
        if not self._holds(digest, len(data), lambda: hashlib.md5(data, usedforsecurity=False).hexdigest()):
            self._upload(digest, data)
        return digest

    def get(self, digest: str) -> bytes:
        """The bytes of an object. Raises NotFound, StoreError."""
        with self._answering(digest):
            data = bytes(self._bucket.get(_key(digest)).bytes())
        if digest_of(data) != digest:
            raise self._damaged(digest, self._place(digest))
        return data

    def head(self, digest: str, count: int) -> bytes:
        """The first bytes of an object. Raises NotFound."""
        if self.size_bytes(digest) == 0:  # a range of nothing is an error there
            return b""
        return next(self._pieces(digest, 0, count))[:count]

    def growing(self) -> Growing:
        """A new object that takes its bytes bit by bit: into a local file first, for its digest is its name."""
        return GrowingFile(self.spool, self._publish)

    def _publish(self, half: Path, digest: str) -> None:
        if not self._holds(digest, half.stat().st_size, lambda: _md5_of(half)):
            self._upload(digest, half)

    def open_stream(self, digest: str, start: int = 0) -> Iterator[bytes]:
        """The bytes of an object from `start` on, in pieces."""
        size = self.size_bytes(digest)
        if start:
            return self._pieces(digest, start, size) if start < size else iter(())
        return self._verified(self._pieces(digest), digest, self._place(digest))

    def _pieces(self, digest: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        with self._answering(digest):
            skip, stream = self._opened(_key(digest), start, end)
            for piece in stream:
                if len(piece) > skip:
                    yield bytes(piece[skip:])
                skip = max(0, skip - len(piece))

    def _opened(self, key: str, start: int, end: int | None) -> tuple[int, Iterator[bytes]]:
        """A stream, and how many of its bytes come before the wanted ones."""
        if end is not None and self._knows_ranges:
            try:
                return 0, self._bucket.get(key, options={"range": (start, end)}).stream(PIECE_BYTES)
            except Exception as error:
                # Some servers, rclone 1.75 among them, send the range, but with the status of the whole.
                if "non-partial" not in str(error):
                    raise
                self._knows_ranges = False
        return start, self._bucket.get(key).stream(PIECE_BYTES)

    def sweep(self) -> int:
        """Remove what killed writers left in the spool. Parts of uploads that broke off, the bucket's rules remove."""
        return sweep(self.spool)

    # ------------------------------------------------------------------------------------------------- talking

    def _holds(self, digest: str, size: int, md5: Callable[[], str]) -> bool:
        """Whether the object is here, young and, where the service tells its MD5, undamaged."""
        try:
            with self._answering(digest):
                found = self._bucket.head(_key(digest))
        except NotFound:
            return False
        said = MD5.fullmatch(found["e_tag"] or "")
        # What lies there for long is written once more, so that `store gc` sees that somebody wants it now.
        young = time.time() - found["last_modified"].timestamp() < WRITTEN_AGAIN_S
        return young and found["size"] == size and (not said or said[1] == md5())

    def _upload(self, digest: str, data: bytes | Path) -> None:
        try:
            with self._answering(digest):
                self._bucket.put(_key(digest), data)
        except NotFound as error:
            raise StoreError(
                "there is no such bucket", self.address, "create it, or mend the setting objects"
            ) from error

    @contextmanager
    def _answering(self, digest: str = "") -> Iterator[None]:
        """Our errors for those of the service."""
        from obstore import exceptions  # an extra: only who keeps objects in a cloud has it

        try:
            yield
        except FileNotFoundError as error:
            raise self._missing(digest) from error
        except (exceptions.PermissionDeniedError, exceptions.UnauthenticatedError) as error:
            raise StoreError(
                "the object store refuses our credentials",
                self.address,
                "check them in the environment, and their rights",
            ) from error
        except (exceptions.BaseError, TimeoutError, ConnectionError) as error:
            raise Unavailable(
                f"the object store does not answer as it should: {_cause(error)}",
                self.address,
                "check the network and the service, then try again; nothing half-written was kept",
            ) from error

    def _place(self, digest: str) -> str:
        return f"{self.address.rstrip('/')}/{_key(digest)}"


def _key(digest: str) -> str:
    return f"{digest[:2]}/{digest[2:]}"


def _md5_of(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _cause(error: BaseException) -> str:
    """The end of the first line, where these errors say what happened."""
    return str(error).strip().split("\n")[0].split(" - ")[-1].strip()


def _connect(url: str) -> ObjectStore:
    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query))
    where = url.partition("?")[0]
    for name in options:
        if SECRET.search(name):
            raise StoreError(
                f"the address of the objects holds a secret: {name}", where, "give it in the environment of the process"
            )
    try:
        from obstore import exceptions, store  # as above
    except ImportError as error:
        raise StoreError("objects in a cloud need obstore", where, "pip install 'threefold[cloud]'") from error
    try:
        return store.from_url(
            where,
            config=cast(Any, options),
            client_options={
                "allow_http": options.get("endpoint", "").startswith("http:"),
                "connect_timeout": timedelta(seconds=5),
                "timeout": timedelta(minutes=30),  # one piece of a large object on a slow line
            },
            retry_config={"max_retries": RETRIES, "retry_timeout": timedelta(seconds=60)},
        )
    except (exceptions.BaseError, ValueError) as error:
        raise StoreError(
            f"the address of the objects cannot be used: {_cause(error)}",
            where,
            "write s3://bucket/prefix, gs:// or az://",
        ) from error
