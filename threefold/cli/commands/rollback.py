"""Go back to the version before, at once."""

from __future__ import annotations

import time

import click

from threefold.cli.printing import console, here, json_option, print_json
from threefold.serving import routing


@click.command()
@click.option("--reason", default="by hand", show_default=True, help="Why; kept in the event log.")
@click.option("--model", help="At the endpoint of this model; default: the project's.")
@json_option
def command(reason: str, model: str | None, as_json: bool) -> None:
    """Let the version before answer again. A second call goes forward.

    The version before is kept warm by every server, so the change takes effect as soon as they see it: within a
    second.
    """
    project = here()
    endpoint = model or project.endpoint
    began = time.perf_counter()
    before = routing.current(project.store, endpoint).arms
    left = before[-1].number
    now = routing.rollback(project.store, endpoint, reason)
    took = time.perf_counter() - began
    if as_json:
        print_json({"left": left, "serving": now.arms[0].number, "generation": now.generation, "seconds": took})
        return
    console.print(f"[green]✓[/] version {now.arms[0].number} answers; version {left} was left ({took * 1000:.0f} ms)")
    console.print("  undo  threefold rollback" if now.previous else "  undo  threefold release deploy " + str(left))
