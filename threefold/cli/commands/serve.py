"""Serve predictions over the Open Inference Protocol."""

from __future__ import annotations

import shlex

import click

from threefold.cli.printing import console, here
from threefold.design.settings import hand_down, value_of
from threefold.errors import NotFound, StoreError
from threefold.loop.project import Project
from threefold.packaging.bundles import load_bundle
from threefold.serving import process, routing


@click.command()
@click.option("--host", help="The address to listen on; default: this machine only.")
@click.option("--port", type=int, help="The port, 0 for a free one; default: what the canvas says.")
def command(host: str | None, port: int | None) -> None:
    """Start the data plane for this project's endpoint and stay until stopped."""
    project = here()
    listens = value_of("host", project.canvas, host)
    chosen = int(value_of("port", project.canvas, port))
    hand_down("mlflow_python", project.canvas)
    example = _example(project)

    def announce(address: str) -> None:
        console.print(f"serving [bold]{project.endpoint}[/] on {address}  (stop with Ctrl-C)")
        console.print(f"  try   {example.format(address)}", markup=False, soft_wrap=True)

    project.store.close()
    process.serve(
        project.store.root,
        host=listens,
        port=chosen,
        catalogue=project.store.catalogue,
        objects=project.store.objects_at,
        announce=announce,
    )


def _example(project: Project) -> str:
    """A request with a row of the training data, that the model in production answers; {} stands for the address."""
    try:
        arm = routing.current(project.store, project.endpoint).arms[0]
        data = project.store.objects.get(load_bundle(project.store, arm.bundle).files["example.json"]).decode()
    except (NotFound, StoreError, KeyError):  # nothing is released yet, or a bundle of an older Threefold is
        return f"curl {{}}/v2/models/{project.endpoint}"
    body = shlex.quote(data).replace("{", "{{").replace("}", "}}")
    return f"curl {{}}/predict/{project.endpoint} -d {body}"
