"""Where a table is cut into pieces: by what its rows say, never by where they stand.

A boundary stands behind each row whose hash falls under a threshold, as in content-defined chunking of files. Rows
that are added, edited or deleted move the boundaries around them and no others, so two tables that differ in one
place share all their other pieces. A row is the likelier to end a piece the more bytes it has, which makes pieces of
narrow and of wide tables about equally large.

The hash decides nothing but boundaries; what a piece is called, its sha256 says. So it may look at samples of long
texts. It must never change, though: it is built from arithmetic that numpy and Polars define (wrapping products of 64
bits, bytes at an offset), not from their own hash functions, which differ between versions.
Source: Xia et al. (2016), FastCDC; Muthitacharoen et al. (2001), A low-bandwidth network file system.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

TARGET_BYTES = 2 << 20  # of values before compression; a piece of 0.2 % of a table of 1 GB
LEAST_BYTES, MOST_BYTES = TARGET_BYTES // 4, TARGET_BYTES * 8
WHOLE_BYTES = 8 * TARGET_BYTES  # a smaller table stays one object
WINDOW_BITS = 5  # a boundary depends on the 2**5 rows before it: single rows of few categories are too much alike
BLOCK_ROWS = 1 << 16  # hashed at once: what fits into the caches of a processor

_Numbers = npt.NDArray[np.uint64]
NULL = 0x2545F491  # what the hash sees of a null
_TEXTS = (pl.String, pl.Binary, pl.Categorical, pl.Enum)
_MIX = np.uint64(0x9E3779B97F4A7C15)  # 2**64 over the golden ratio, odd: multiplying by it scatters neighbours
_NARROW = {pl.Boolean: 1, pl.Int8: 1, pl.UInt8: 1, pl.Int16: 2, pl.UInt16: 2, pl.Int32: 4, pl.UInt32: 4, pl.Float32: 4}


def pieces(table: pl.DataFrame) -> list[tuple[int, int]]:
    """First row and number of rows of each piece; one piece for a small table.

    >>> pieces(pl.DataFrame({"n": [1, 2, 3]}))
    [(0, 3)]
    """
    if _total_bytes(table) < WHOLE_BYTES:
        return [(0, table.height)]
    ends = [0, *_cut(*_boundaries(table))]
    return [(start, end - start) for start, end in pairwise(ends)]


def _total_bytes(table: pl.DataFrame) -> int:
    fixed, varying = _weights(table)
    sums = table.select(weight.sum().alias(str(n)) for n, weight in enumerate(varying))
    return fixed * table.height + sum(sums.row(0)) if varying else fixed * table.height


def _cut(likely: Sequence[int], upto: npt.NDArray[np.int64]) -> Iterator[int]:
    """The rows after which to cut: a likely one, unless the piece would be too small; any, before it gets too large.

    Args:
        likely: the rows that ask for a boundary behind them, ascending.
        upto: bytes of all rows up to and including each row.
    """
    cut, cut_bytes, rows = 0, 0, len(upto)
    for row in (*likely, rows - 1):
        while upto[row] - cut_bytes > MOST_BYTES:
            cut = int(np.searchsorted(upto, cut_bytes + MOST_BYTES, side="right"))
            cut_bytes = int(upto[cut - 1])
            yield cut
        if row >= cut and (row == rows - 1 or upto[row] - cut_bytes >= LEAST_BYTES):
            cut, cut_bytes = row + 1, int(upto[row])
            yield cut


def _boundaries(table: pl.DataFrame) -> tuple[list[int], npt.NDArray[np.int64]]:
    hashes = np.empty(table.height, np.uint64)
    sizes = np.empty(table.height, np.uint64)
    for start in range(0, table.height, BLOCK_ROWS):
        block = table.slice(start, BLOCK_ROWS)
        end = start + block.height
        hashes[start:end], sizes[start:end] = _block(block)
    for step in range(WINDOW_BITS):  # each turn doubles how many rows before it a row knows of
        hashes[1 << step :] += hashes[: -(1 << step)] * _factor(-1 - step)
    # A row ends a piece with the chance bytes / TARGET_BYTES: its scattered hash, as a share of 2**32, lies below it.
    likely = np.flatnonzero((_scatter(hashes) >> np.uint64(32)) * np.uint64(TARGET_BYTES) < sizes << np.uint64(32))
    return likely.tolist(), np.cumsum(sizes, dtype=np.int64)


def _block(block: pl.DataFrame) -> tuple[_Numbers, _Numbers]:
    """Hash and bytes of each row: sums over the columns, each number times an odd factor of its own."""
    lanes = [lane for name, kind in block.schema.items() for lane in _lanes(pl.col(name), kind)]
    fixed, varying = _weights(block)
    seen = block.select(lane.alias(str(n)) for n, lane in enumerate((*lanes, *varying)))
    columns = [column.to_numpy().view(np.uint64) for column in seen.get_columns()]
    hashes, sizes = np.zeros(block.height, np.uint64), np.full(block.height, fixed, np.uint64)
    for place, numbers in enumerate(columns[: len(lanes)]):
        hashes += _scatter(numbers) * _factor(place)
    for numbers in columns[len(lanes) :]:
        sizes += numbers
    return hashes, np.minimum(sizes, np.uint64(TARGET_BYTES))


def _factor(place: int) -> np.uint64:
    mixed = (place * 2 + 1) * int(_MIX) % 2**64
    return np.uint64((mixed ^ mixed >> 29) | 1)


def _scatter(numbers: _Numbers) -> _Numbers:
    """Neighbouring numbers, far apart: the finaliser of splitmix64. Source: Steele et al. (2014)."""
    numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return numbers ^ (numbers >> np.uint64(31))


# ------------------------------------------------------------------------------------------------------ columns


def _lanes(column: pl.Expr, kind: pl.DataType) -> Iterator[pl.Expr]:
    """What the hash sees of a column: one or more rows of 64-bit numbers. A null is as good as any other number."""
    if isinstance(kind, pl.Struct):
        for field in kind.fields:
            yield from _lanes(column.struct.field(field.name), _made(field.dtype))
    elif isinstance(kind, pl.Array):
        yield from _lanes(column.arr.to_list(), pl.List(kind.inner))
    elif isinstance(kind, pl.List):
        yield column.list.len().cast(pl.UInt64).fill_null(NULL)
        yield from _lanes(column.list.first(), _made(kind.inner))
        yield from _lanes(column.list.last(), _made(kind.inner))
    elif kind in _TEXTS:
        yield from _samples(_binary(column, kind))
    elif kind.is_float() or kind.is_decimal() or kind in (pl.Int128, pl.UInt128):
        yield column.cast(pl.Float64).fill_null(NULL)
    elif kind not in (pl.Null, pl.Object):
        number = column.to_physical() if kind.is_temporal() else column
        signed = kind.is_temporal() or kind.is_signed_integer()
        yield number.cast(pl.Int64 if signed else pl.UInt64).fill_null(NULL)


def _samples(text: pl.Expr) -> Iterator[pl.Expr]:
    """Length, and eight bytes from the beginning, the middle and the end."""
    size, padded = text.bin.size(), text + pl.lit(bytes(8))
    yield size.cast(pl.UInt64).fill_null(NULL)
    for offset in (0, size // 2, size - size.clip(upper_bound=8)):
        yield padded.bin.slice(offset, 8).bin.reinterpret(dtype=pl.UInt64, endianness="little").fill_null(NULL)


def _weights(table: pl.DataFrame) -> tuple[int, list[pl.Expr]]:
    """Bytes of a row: those that every row has, and what comes to them."""
    weights = [weight for name, kind in table.schema.items() for weight in _bytes(pl.col(name), kind)]
    return sum(one for one in weights if isinstance(one, int)), [one for one in weights if isinstance(one, pl.Expr)]


def _bytes(column: pl.Expr, kind: pl.DataType) -> Iterator[int | pl.Expr]:
    if isinstance(kind, pl.Struct):
        for field in kind.fields:
            yield from _bytes(column.struct.field(field.name), _made(field.dtype))
    elif isinstance(kind, pl.Array):
        yield kind.size * 8
    elif isinstance(kind, pl.List):
        yield column.list.len().cast(pl.UInt64).fill_null(0) * 8
    elif kind in _TEXTS:
        yield _binary(column, kind).bin.size().cast(pl.UInt64).fill_null(0)
    else:
        yield _NARROW.get(type(kind), 8)


def _binary(column: pl.Expr, kind: pl.DataType) -> pl.Expr:
    return column if kind == pl.Binary else column.cast(pl.String).cast(pl.Binary)


def _made(kind: Any) -> pl.DataType:
    made: pl.DataType = kind() if isinstance(kind, type) else kind  # Polars allows either within a nested type
    return made
