"""Deliver what runs logged while their server or store could not be reached."""

from __future__ import annotations

import os

import click

from threefold.cli.printing import json_option, print_json, table
from threefold.errors import StoreError
from threefold.store.recorder import run, shipping


@click.command()
@click.option("--to", "place", help="The address of a server, or the folder of a store; default: THREEFOLD_TRACKING.")
@json_option
def command(place: str | None, as_json: bool) -> None:
    """Deliver the spools of runs whose process is gone; each record arrives once, however often this is called."""
    place = place or os.environ.get("THREEFOLD_TRACKING") or str(run.nearest())
    target = run.target_of(place)
    try:
        found = shipping.deliver_left(run.spool_root(place), target)
    finally:
        target.close()
    if as_json:
        print_json([{"run": one.run_id, "records": one.records, "problem": _said(one)} for one in found])
    else:
        rows = [(one.run_id[:8], one.records, _said(one) or "delivered") for one in found]
        table("", ("run", ">records", ""), rows, empty=f"nothing waits for {place}")
    if any(one.problem for one in found):
        raise StoreError("not everything could be delivered", place, "see above; what is left is kept, call it again")


def _said(one: shipping.Left) -> str:
    return str(one.problem) if one.problem else ""
