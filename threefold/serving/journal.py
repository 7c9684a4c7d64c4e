"""The journal: the file a server writes (log_writer.py) before it answers, and how it is read back.

A segment starts with eight bytes that name the format and its version; then come frames:

    length of the payload   4 bytes, little-endian
    crc32 of the payload    4 bytes, little-endian
    kind                    1 byte: s columns, p predictions, f feedback, r refused request
    payload                 MessagePack

One request is one frame and one write, so a process killed at any moment leaves whole frames and at most one torn
tail. The writer holds a lock on its segment while it lives; whoever gets the lock knows that the segment is final.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import msgspec

from threefold.errors import StoreError

try:
    import fcntl
except ImportError:  # Windows has no flock: segments are then never called final, and never removed
    fcntl = None  # type: ignore[assignment]  # the name stays, without its functions

MAGIC = b"TFLOG\x00\x01\n"  # the last byte but one is the version of the format
HEADER = struct.Struct("<IIc")
SEGMENT_BYTES = 64 * 1024 * 1024
SUFFIX = ".tflog"
YEARS = (1900, 2199)  # of the moments a record may be about; what lies outside is a mistake, and breaks calendars
EARLIEST_US = (date(YEARS[0], 1, 1) - date(1970, 1, 1)).days * 86_400_000_000
LATEST_US = (date(YEARS[1] + 1, 1, 1) - date(1970, 1, 1)).days * 86_400_000_000  # the first that is too late


class Columns(msgspec.Struct, frozen=True, array_like=True):
    """The features of the rows that follow, in the order in which their values are stored."""

    numbers: tuple[str, ...]
    texts: tuple[str, ...]


class Inference(msgspec.Struct, array_like=True):
    """One answered request. A list with one element where there are more rows holds for all of them."""

    columns: int  # the how manyth Columns frame of this segment
    request_id: str
    received_us: int  # microseconds since 1970, UTC
    ids: list[str]
    times_us: list[int] | None  # prediction times on the clock of the data; None: the moment of arrival
    numbers: bytes  # float32, feature by feature; a missing number is NaN
    texts: list[list[str]]  # feature by feature; a missing text is ""
    versions: list[int]
    sources: list[str]  # model, fallback, none
    latency_ms: list[float]
    width: int  # scores per row
    scores: bytes  # float64, row by row; NaN where nobody could answer
    checks: list[list[str]] | None = None  # per row the checks that failed; None: all passed


class Feedback(msgspec.Struct, array_like=True):
    """Labels that came back for earlier predictions."""

    received_us: int
    ids: list[str]
    values: list[str]
    times_us: list[int | None]  # when each became known, on the clock of the data; None: the moment of arrival


class Refusal(msgspec.Struct, array_like=True):
    """A request that got no prediction."""

    request_id: str
    received_us: int
    status: int  # the HTTP status that was sent
    error: str


class Segment:
    """What a segment held when it was read: frames from an offset on, and whether more can come.

    Attributes:
        frames: kind and payload of each whole frame from the offset on.
        columns: every Columns frame from the start of the segment, in order.
        end: where the last whole frame ends.
        size: how long the segment was; more than `end` where the tail is torn.
    """

    def __init__(self, data: bytes, start: int, name: str) -> None:
        if data and not MAGIC.startswith(data[: len(MAGIC)]):
            raise StoreError(
                "the inference log was written in a format this Threefold does not know", name,
                "install the newer Threefold; nothing was changed",
            )  # fmt: skip
        self.columns: list[Columns] = []
        self.frames: list[tuple[bytes, bytes]] = []
        self.size = len(data)
        self.end = len(MAGIC) if len(data) >= len(MAGIC) else 0
        for kind, payload, end in walk(data):
            if kind == b"s":
                self.columns.append(_columns.decode(payload))
            elif end > start:
                self.frames.append((kind, payload))
            self.end = end


def walk(data: bytes) -> Iterator[tuple[bytes, bytes, int]]:
    """The whole frames of a segment in order: kind, payload, and where each ends. Stops before a torn one."""
    at = len(MAGIC)
    while at + HEADER.size <= len(data):
        length, crc, kind = HEADER.unpack_from(data, at)
        at += HEADER.size
        payload = data[at : at + length]
        at += length
        if len(payload) < length or zlib.crc32(payload) != crc:
            return
        yield kind, payload, at


def read_segment(path: Path, start: int = 0) -> tuple[Segment, bool]:
    """What a segment holds from an offset on, and whether it is final: its writer is gone.

    Raises:
        FileNotFoundError: somebody else ingested and removed it in the meantime.
        StoreError: it was written by a newer Threefold.
    """
    with path.open("rb") as file:
        final = _lock_if_free(file.fileno())
        data = file.read()  # after the lock: whoever finds it free sees the last byte
    return Segment(data, start, str(path)), final and bool(data)


def segments(folder: Path) -> list[Path]:
    """The segments of one endpoint, oldest first."""
    return sorted(folder.glob(f"*{SUFFIX}"))


def lock(file: int) -> None:
    """Hold a segment as its writer; it is free again when the file is closed or the process ends."""
    if fcntl:
        fcntl.flock(file, fcntl.LOCK_EX)


def _lock_if_free(file: int) -> bool:
    if fcntl is None:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


_columns = msgspec.msgpack.Decoder(Columns)
