"""Open the one memory on one port: web pages, API, and MLflow's tracking protocol."""

from __future__ import annotations

from pathlib import Path

import click

from threefold.cli.printing import console
from threefold.errors import CanvasError
from threefold.loop.operating import around
from threefold.server.process import bind, serve
from threefold.store.database import without_secrets


@click.command()
@click.option("--host", help="The address to listen on; default: this machine only.")
@click.option("--port", type=int, help="The port, 0 for a free one; default: 5000.")
@click.option(
    "--store",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="A folder with the whole store in it, whatever the settings say; default: the project's store.",
)
@click.option("--allow-reset", is_flag=True, help="Let clients put the store back to empty; for tests only.")
@click.pass_obj
def command(start: Path, host: str | None, port: int | None, folder: Path | None, allow_reset: bool) -> None:
    """Serve web pages, API and tracking protocol until stopped.

    Point any MLflow client at the address it prints: mlflow.set_tracking_uri("http://127.0.0.1:5000").
    """
    here = around(start)
    place = folder or here.root / here.value("store")
    listener = bind(here.value("host", host), int(here.value("up_port", port)))
    if here.unread is not None:
        _warn(here.unread)
    serve(
        place, listener, **here.parts(folder), actor=here.value("actor"), hosts=here.value("up_hosts").split(),
        project=None if folder else here.root, allow_reset=allow_reset,
        ready=lambda address: _say(address, place, here.parts(folder)["url"]),
    )  # fmt: skip


def _warn(unread: CanvasError) -> None:
    click.echo("! the canvas cannot be used; serving what the store knows", err=True)
    for one in unread.findings:
        click.echo(f"  {one.where}: {one.what}; {one.do}", err=True)


def _say(address: str, store: Path, catalogue: str | None) -> None:
    console.print(f"listening on [bold]{address}[/]  (stop with Ctrl-C)")
    console.print(f"  store   {store}", soft_wrap=True)
    if catalogue is not None:
        console.print(f"  rows    {without_secrets(catalogue)}", soft_wrap=True)
    console.print(f'  client  mlflow.set_tracking_uri("{address}")')
