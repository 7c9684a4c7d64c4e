"""Legal hold: keep what must not be deleted."""

from __future__ import annotations

import click

from threefold.cli.printing import console, json_option, memory, print_json, table
from threefold.registry import holds

SUBJECT = click.argument("subject", nargs=-1, required=True)
REASON = click.option("--reason", required=True, help="Who asked for it, and why; kept for good.")


@click.group()
def command() -> None:
    """Hold what must not be deleted or purged. SUBJECT is as in the event log: model churn/3, run ID, snapshot DIGEST."""


@command.command()
@SUBJECT
@REASON
def add(subject: tuple[str, ...], reason: str) -> None:
    """Hold a subject; a model is held with all its versions."""
    hold = holds.add(memory(), " ".join(subject), reason)
    console.print(f"[green]✓[/] {hold.subject} is held; nobody can delete it")


@command.command()
@SUBJECT
@REASON
def release(subject: tuple[str, ...], reason: str) -> None:
    """End every hold on a subject."""
    ended = holds.release(memory(), " ".join(subject), reason)
    console.print(f"[green]✓[/] {len(ended)} hold{'s' if len(ended) != 1 else ''} on {ended[0].subject} ended")


@command.command("list")
@click.option("--ended", is_flag=True, help="Those that were released, too.")
@json_option
def list_(ended: bool, as_json: bool) -> None:
    """What is held."""
    found = holds.list_holds(memory(), ended=ended)
    if as_json:
        print_json(found)
        return
    rows = [(one.subject, one.by, one.at, one.reason, one.released_at) for one in found]
    table("", ("subject", "who", "since", "why", "released"), rows, empty="nothing is held")
