"""List every setting: its value, where the value came from, what it means."""

from __future__ import annotations

from pathlib import Path

import click

from threefold.cli.printing import json_option, print_json, table
from threefold.design.reading import load
from threefold.design.settings import resolve
from threefold.loop.project import find_root


@click.command()
@json_option
@click.pass_obj
def command(folder: Path, as_json: bool) -> None:
    """List every setting. The canvas comes first, then the environment, then the flag of a command."""
    root = find_root(folder.resolve())
    canvas = load(root) if (root / "threefold.yaml").is_file() else None
    found = resolve(canvas, {})
    if as_json:
        print_json(found)
        return
    rows = [(one.name, one.value, one.source, one.sentence) for one in found]
    table("", ("setting", "value", "from", "what it is"), rows, empty="there are no settings")
