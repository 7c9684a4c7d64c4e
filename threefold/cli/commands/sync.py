"""Deliver what runs logged while their server or store could not be reached."""

from __future__ import annotations

from pathlib import Path

import click

from threefold.cli.printing import json_option, print_json, table
from threefold.errors import StoreError
from threefold.loop.track import place_of
from threefold.store.recorder import shipping


@click.command()
@click.option("--to", help="The address of a server, or the folder of a store; default: the setting tracking.")
@json_option
@click.pass_obj
def command(start: Path, to: str | None, as_json: bool) -> None:
    """Deliver the spools of runs whose process is gone; each record arrives once, however often this is called."""
    place = place_of(to, start=start)
    target = place.open()
    try:
        found = shipping.deliver_left(place.spools, target)
    finally:
        target.close()
    if as_json:
        print_json([{"run": one.run_id, "records": one.records, "problem": _said(one)} for one in found])
    else:
        rows = [(one.run_id[:8], one.records, _said(one) or "delivered") for one in found]
        table("", ("run", ">records", ""), rows, empty=f"nothing waits for {place.address}")
    if any(one.problem for one in found):
        raise StoreError(
            "not everything could be delivered", place.address, "see above; what is left is kept, call it again"
        )


def _said(one: shipping.Left) -> str:
    return str(one.problem) if one.problem else ""
