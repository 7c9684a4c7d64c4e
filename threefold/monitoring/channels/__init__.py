"""Channels: ways to tell people of an alert, one per file.

Takes     an Alert, and what stands behind the channel's name in the canvas ("webhook https://…").
Hands on  nothing; a channel that fails is written down and never stops the watch.
Start in  console.py.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from threefold.records import Alert
from threefold.training.family import Family

Channel = Callable[[Alert, str, Path], None]  # the alert, the target from the canvas, the project's folder

family: Family[Channel] = Family("channel", "threefold.monitoring.channels")
add = family.add
names = family.names
