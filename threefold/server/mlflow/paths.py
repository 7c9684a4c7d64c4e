"""Paths in requests."""

from __future__ import annotations

from threefold.errors import DataError
from threefold.server.refusals import ProtocolError
from threefold.store.tracking import files


def safe(path: str) -> str:
    """A path that stays below its root. Raises ProtocolError, whose body MLflow's clients know to the letter."""
    try:
        return files.safe(path)
    except DataError as error:
        raise ProtocolError("INVALID_PARAMETER_VALUE", error.what, error.where, error.do, bare=True) from None
