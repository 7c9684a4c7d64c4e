"""Runs that say they go on, while their process is gone."""

from __future__ import annotations

from collections.abc import Iterable
from socket import gethostname
from typing import Any

from threefold.pipeline.runs import mark_interrupted
from threefold.store import Store


def settled(store: Store, rows: Iterable[Any]) -> bool:
    """Mark runs as interrupted whose process is gone, where some of these may be such; whether any was marked."""
    here = gethostname()
    if not any(row.status == "running" and row.pid and row.host == here for row in rows):
        return False
    return bool(mark_interrupted(store))
