"""Start a project: from a template, or from a table."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from threefold.cli.printing import console, json_option, print_json
from threefold.data.starting import init_from_table, init_template
from threefold.errors import ThreefoldError


@click.command()
@click.argument("folder", default=".", type=click.Path(path_type=Path))
@click.option("--data", type=click.Path(path_type=Path), help="A table to start from: CSV, Parquet, JSON lines.")
@click.option("--target", help="The column to predict; goes with --data.")
@click.option("--name", help="The project's name; default: the folder's.")
@json_option
def command(folder: Path, data: Path | None, target: str | None, name: str | None, as_json: bool) -> None:
    """Start a project in FOLDER that runs as it is.

    With --data and --target the table is inspected: the kind of problem, time, identifiers and columns without
    information are found, and written into threefold.yaml with the reason.
    """
    if (data is None) != (target is None):
        raise ThreefoldError(
            "--data and --target go together", "threefold init", "give both, or none for a small example"
        )
    if data is None or target is None:
        report = init_template(folder, name or folder.resolve().name)
    else:
        report = init_from_table(folder, data, target, name)
    if as_json:
        print_json(report)
        return
    console.print(f"[green]✓[/] project [bold]{report.name}[/] in {report.folder}")
    for note in report.notes:
        console.print(f"  {' '.join(note.split())}", markup=False)  # the name of a column may hold anything
    step = "" if folder.resolve() == Path.cwd() else f"cd {shlex.quote(str(folder))} && "
    console.print(f"next: {step}threefold run", markup=False)
