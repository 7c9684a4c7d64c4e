"""List every setting: its value, where the value came from, what it means."""

from __future__ import annotations

from pathlib import Path

import click

from threefold.cli.printing import json_option, print_json, table
from threefold.design.settings import resolve
from threefold.loop.operating import around


@click.command()
@json_option
@click.pass_obj
def command(folder: Path, as_json: bool) -> None:
    """List every setting. The canvas comes first, then the environment, then the flag of a command."""
    here = around(folder)
    if here.unread is not None:
        click.echo("! the canvas cannot be used (see: threefold canvas); this is what holds without it", err=True)
    found = resolve(here.canvas, {})
    if as_json:
        print_json(found)
        return
    rows = [(one.name, one.value, one.source, one.sentence) for one in found]
    table("", ("setting", "value", "from", "what it is"), rows, empty="there are no settings")
