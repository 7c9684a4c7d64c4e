"""Parquet files."""

from __future__ import annotations

from io import BytesIO

import polars as pl

from threefold.data.formats.registry import add
from threefold.design.canvas import Source
from threefold.errors import DataError


@add(".parquet", ".pq")
def read_parquet(data: bytes, source: Source, where: str) -> pl.DataFrame:
    """A table from Parquet; types are those of the file.

    Raises:
        DataError: the bytes are not Parquet, or the file is cut short.
    """
    try:
        return pl.read_parquet(BytesIO(data))
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(
            f"table '{source.name}' is not readable Parquet: {str(error).splitlines()[0]}",
            where,
            "write the file again; it may have been cut short",
        ) from error
