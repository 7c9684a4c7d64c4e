"""Tell it on the terminal."""

from __future__ import annotations

import sys
from pathlib import Path

from threefold.monitoring import channels
from threefold.records import Alert


@channels.add("console")
def console(alert: Alert, folder: Path) -> None:
    """One line on standard error, so that it does not mix with what a command prints for other programs."""
    print(f"{alert.endpoint}: {alert.sentence}", file=sys.stderr, flush=True)
