"""Serve predictions over the Open Inference Protocol."""

from __future__ import annotations

import click

from threefold.cli.printing import console, here
from threefold.design.settings import value_of
from threefold.serving import process


@click.command()
@click.option("--host", help="The address to listen on; default: this machine only.")
@click.option("--port", type=int, help="The port, 0 for a free one; default: what the canvas says.")
def command(host: str | None, port: int | None) -> None:
    """Start the data plane for this project's endpoint and stay until stopped."""
    project = here()
    listens = value_of("host", project.canvas, host)
    chosen = int(value_of("port", project.canvas, port))

    def announce(address: str) -> None:
        console.print(f"serving [bold]{project.endpoint}[/] on {address}  (stop with Ctrl-C)")
        console.print(f"  try   curl {address}/v2/models/{project.endpoint}")

    project.store.close()
    process.serve(
        project.store.root,
        host=listens,
        port=chosen,
        catalogue=project.store.catalogue,
        objects=project.store.objects_at,
        announce=announce,
    )
