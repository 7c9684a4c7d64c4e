"""Channels: ways to tell somebody of an alert, one per file.

Takes     an Alert and the folder of the store.
Hands on  nothing; a channel that cannot deliver raises.
Start in  console.py.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from threefold.records import Alert
from threefold.training.family import Family

Channel = Callable[[Alert, Path], None]

family: Family[Channel] = Family("channel", "threefold.monitoring.channels")
add = family.add
names = family.names
