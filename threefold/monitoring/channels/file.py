"""Tell it in a file that other programs follow."""

from __future__ import annotations

from pathlib import Path

from threefold.monitoring import channels
from threefold.records import Alert, to_json


@channels.add("file")
def file(alert: Alert, folder: Path) -> None:
    """One line of JSON, a records.Alert, at the end of `alerts.jsonl` in the folder of the store."""
    with (folder / "alerts.jsonl").open("ab") as lines:
        lines.write(to_json(alert) + b"\n")
