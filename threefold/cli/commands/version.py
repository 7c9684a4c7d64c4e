"""Print the version of Threefold and of what it stands on."""

from __future__ import annotations

import json
import platform
import sys
from importlib.metadata import PackageNotFoundError, version

import click

STANDS_ON = ("polars", "scikit-learn", "onnxruntime", "sqlalchemy", "starlette", "lightgbm")


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Answer as JSON.")
def command(as_json: bool) -> None:
    """Print the version of Threefold and of what it stands on."""
    found = {"threefold": version("threefold"), "python": platform.python_version()}
    for name in STANDS_ON:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    if as_json:
        click.echo(json.dumps(found, indent=2), file=sys.__stdout__)
        return
    for name, number in found.items():
        click.echo(f"{name:13} {number}")
