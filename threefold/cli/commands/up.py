"""Open the one memory on one port: web pages, API, and MLflow's tracking protocol."""

from __future__ import annotations

from pathlib import Path

import click

from threefold.cli.printing import console
from threefold.design.settings import value_of
from threefold.loop.project import parts, surroundings
from threefold.server.process import bind, serve


@click.command()
@click.option("--host", help="The address to listen on; default: this machine only.")
@click.option("--port", type=int, help="The port, 0 for a free one; default: 5000.")
@click.option(
    "--store",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="The store to open; default: the project's.",
)
@click.option("--allow-reset", is_flag=True, help="Let clients put the store back to empty; for tests only.")
@click.pass_obj
def command(start: Path, host: str | None, port: int | None, folder: Path | None, allow_reset: bool) -> None:
    """Serve web pages, API and tracking protocol until stopped.

    Point any MLflow client at the address it prints: mlflow.set_tracking_uri("http://127.0.0.1:5000").
    """
    root, canvas = surroundings(start)
    place = folder or root / value_of("store", canvas)
    listener = bind(value_of("host", canvas, host), int(value_of("up_port", canvas, port)))
    serve(place, listener, **parts(canvas, folder), allow_reset=allow_reset, ready=lambda address: _say(address, place))


def _say(address: str, store: Path) -> None:
    console.print(f"listening on [bold]{address}[/]  (stop with Ctrl-C)")
    console.print(f"  store   {store}", soft_wrap=True)
    console.print(f'  client  mlflow.set_tracking_uri("{address}")')
