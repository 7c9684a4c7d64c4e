"""Walk from one prediction back to its data, code, model and evidence."""

from __future__ import annotations

import click

from threefold.cli.printing import console, here, json_option, print_json
from threefold.governance.trace import trace


@click.command()
@click.argument("prediction_id")
@json_option
def command(prediction_id: str, as_json: bool) -> None:
    """Show what the prediction PREDICTION_ID rests on."""
    project = here()
    hops = trace(project, prediction_id)
    if as_json:
        print_json(hops)
        return
    for hop in hops:
        digest = f"  [dim]{hop.digest[:12]}[/]" if hop.digest else ""
        console.print(f"{hop.kind:>13}  [bold]{hop.name}[/]{digest}")
        if hop.detail:
            console.print(f"{'':15}{hop.detail}", style="dim")
