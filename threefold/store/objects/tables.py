"""Tables as objects: one of Parquet for a small table, many and a manifest for a large one."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from io import BytesIO
from typing import TypeVar

import polars as pl

from threefold.errors import NotFound, StoreError
from threefold.store.objects import cutting
from threefold.store.objects.base import Objects
from threefold.store.objects.manifest import MAGIC, Manifest, Piece, parse, render

AT_ONCE = 8  # pieces on their way: enough to hide the time that a disk or a bucket takes to answer

_In = TypeVar("_In")
_Out = TypeVar("_Out")


def put(objects: Objects, table: pl.DataFrame) -> str:
    """Keep a table; returns its digest. The manifest comes last: what is seen is always whole."""
    spans = cutting.pieces(table)
    if len(spans) == 1:
        return objects.put(_parquet(table))

    def keep(span: tuple[int, int]) -> Piece:
        data = _parquet(table.slice(*span).rechunk())
        return Piece(objects.put(data), span[1], len(data))

    return objects.put(render(Manifest(tuple(_in_turn(keep, spans)))))


def get(objects: Objects, digest: str) -> pl.DataFrame:
    """A table read back; every piece is verified."""
    data = objects.get(digest)
    if not data.startswith(MAGIC):
        return pl.read_parquet(BytesIO(data))

    def read(piece: Piece) -> pl.DataFrame:
        try:
            return pl.read_parquet(BytesIO(objects.get(piece.digest)))
        except (NotFound, StoreError) as error:
            raise type(error)(f"table {digest[:12]} is not whole: {error.what}", error.where, error.do) from error

    return pl.concat(_in_turn(read, parse(data, objects.address).pieces), rechunk=True)


def _parquet(table: pl.DataFrame) -> bytes:
    buffer = BytesIO()
    table.write_parquet(buffer, compression="zstd", statistics=True)
    return buffer.getvalue()


def _in_turn(work: Callable[[_In], _Out], items: Iterable[_In]) -> Iterator[_Out]:
    """What `work` makes of each item, in order, a few at once; no more are begun than are waited for."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        begun: deque[Future[_Out]] = deque()
        try:
            for item in items:
                begun.append(pool.submit(work, item))
                if len(begun) > AT_ONCE:
                    yield begun.popleft().result()
            while begun:
                yield begun.popleft().result()
        finally:
            for future in begun:
                future.cancel()
