"""Check the canvas, and show it as a page."""

from __future__ import annotations

from pathlib import Path

import click

from threefold.cli.printing import console, json_option, print_json
from threefold.data.words import counted
from threefold.design.page import render
from threefold.design.reading import load
from threefold.loop.project import find_root


@click.command()
@click.option("--html", type=click.Path(path_type=Path), help="Write the page here; default: <project>/canvas.html.")
@json_option
@click.pass_obj
def command(folder: Path, html: Path | None, as_json: bool) -> None:
    """Check threefold.yaml and render it to one HTML page.

    Every finding is shown at once, with its line and the nearest right word.
    """
    canvas = load(find_root(folder.resolve()))
    if as_json:
        print_json(canvas)
        return
    target = html or canvas.root / "canvas.html"
    target.write_text(render(canvas), encoding="utf-8")
    console.print(
        f"[green]✓[/] {canvas.file.name} is sound: {counted(len(canvas.data), 'table')}, {counted(len(canvas.accept), 'gate')}"
    )
    console.print(f"  page  {target}")
