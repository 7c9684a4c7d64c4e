"""Serve predictions over the Open Inference Protocol."""

from __future__ import annotations

import click

from threefold.cli.printing import console, here
from threefold.serving import process


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", type=int, help="The port; default: what the canvas says.")
def command(host: str, port: int | None) -> None:
    """Start the data plane for this project's endpoint and stay until stopped."""
    project = here()
    chosen = port if port is not None else project.canvas.serve.port
    console.print(f"serving [bold]{project.endpoint}[/] on http://{host}:{chosen}  (stop with Ctrl-C)")
    console.print(f"  try   curl http://{host}:{chosen}/v2/models/{project.endpoint}")
    project.store.close()
    process.serve(project.store.root, host=host, port=chosen)
