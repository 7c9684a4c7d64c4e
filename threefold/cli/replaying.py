"""How a replayed day is printed: only what a person would want to know."""

from __future__ import annotations

from rich.console import Console

from threefold.loop.replay import Day


def show_day(console: Console, day: Day) -> None:
    """Alerts, decisions about the canary, trainings; a quiet day prints nothing."""
    for alert in day.alerts:
        mark = "[red]●[/]" if alert.severity == "page" else "[dim]○[/]"
        console.print(f"  {day.day} {mark} {alert.sentence}")
    if day.decision is not None and day.decision.action != "wait":
        console.print(f"  {day.day} [cyan]→[/] canary: {day.decision.action}; {day.decision.sentence}")
    if day.cause is not None:
        console.print(f"  {day.day} [cyan]↻[/] retrained because of {day.cause.on}: {_outcome(day)}")


def _outcome(day: Day) -> str:
    if day.refused is not None:
        return f"the gates said no: {day.refused}"
    if day.turn is not None and day.turn.release is not None:
        return f"version {day.turn.release.number} is released as a canary"
    return "nothing new came out"
