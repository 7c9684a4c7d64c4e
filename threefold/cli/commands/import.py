"""Bring the history of another tracker into this store: runs, models, versions, files."""

from __future__ import annotations

from pathlib import Path

import click

from threefold.cli.printing import console, json_option, print_json, size
from threefold.design.settings import value_of
from threefold.loop.project import parts, surroundings
from threefold.registry.importing.bringing import Report, bring, open_history
from threefold.store import Store


@click.group()
def command() -> None:
    """Bring the history of another tracker into this store."""


@command.command()
@click.argument("source")
@click.option(
    "--artifacts", type=click.Path(path_type=Path, file_okay=False),
    help="The folder behind the server's artifact proxy (mlflow-artifacts:), where SOURCE is a database or a folder.",
)  # fmt: skip
@click.option(
    "--store", "folder", type=click.Path(path_type=Path, file_okay=False),
    help="The store that takes it; default: the project's.",
)  # fmt: skip
@json_option
@click.pass_obj
def mlflow(start: Path, source: str, artifacts: Path | None, folder: Path | None, as_json: bool) -> None:
    """Bring what MLflow remembers.

    SOURCE is the address of its server, its database (mlflow.db, or a URL), or its folder mlruns. What is there already
    is left alone, so a call that was broken off is simply made again.
    """
    history = open_history(source, artifacts)
    store = _opened(start, folder)
    try:
        with console.status(f"reading {history.name}") as status:
            report = bring(store, history, on_run=lambda done, all_: status.update(f"run {done:,} of {all_:,}"))
    finally:
        history.close()
    print_json(report) if as_json else _print(report)


def _opened(start: Path, folder: Path | None) -> Store:
    """The store of the project, or the one in a folder."""
    if folder is not None:
        return Store.open(folder)
    root, canvas = surroundings(start)
    return Store.open(root / value_of("store", canvas), **parts(canvas))


def _print(report: Report) -> None:
    known = f", {report.known_runs:,} were here already" if report.known_runs else ""
    console.print(f"[green]✓[/] {report.runs:,} runs of {report.experiments:,} new experiments{known}")
    console.print(f"  {report.points:,} metric points, {report.files:,} files, {size(report.size_bytes)}")
    console.print(f"  {report.logged_models:,} logged models, {report.models:,} models, {report.versions:,} versions")
    for sentence in report.left:
        console.print(f"[yellow]●[/] {sentence}", soft_wrap=True)
