"""A file of JSON lines, for whatever reads files."""

from __future__ import annotations

import json
from pathlib import Path

from threefold.monitoring import channels
from threefold.records import Alert, plain

DEFAULT = "alerts.jsonl"


@channels.add("file")
def to_file(alert: Alert, target: str, root: Path) -> None:
    """Append the alert to a file; `target` is its path from the project's folder, alerts.jsonl by default."""
    with (root / (target or DEFAULT)).open("a", encoding="utf-8") as file:
        file.write(json.dumps(plain(alert), ensure_ascii=False) + "\n")
