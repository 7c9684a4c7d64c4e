"""A line on standard error: seen by whoever called, and never in the way of --json."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.markup import escape

from threefold.monitoring import channels
from threefold.records import Alert


@channels.add("console")
def to_console(alert: Alert, target: str, root: Path) -> None:
    """Print the alert with its probable cause and what to do."""
    mark = "[red]●[/]" if alert.severity == "page" else "[dim]○[/]"
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    console.print(f"{mark} {escape(alert.cause)}: {escape(alert.sentence)}")
    if alert.severity == "page":
        console.print(f"  [dim]probably: {escape(alert.probable)}[/]")
        console.print(f"  [dim]do: {escape(alert.do)}[/]")
