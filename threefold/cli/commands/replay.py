"""Let a past period happen again, over HTTP, to see what the monitors and retraining would have done."""

from __future__ import annotations

from datetime import datetime

import click

from threefold.cli.printing import console, here
from threefold.cli.replaying import show_day
from threefold.loop import replay as replaying
from threefold.loop.client import Client
from threefold.serving import process


@click.command()
@click.option("--from", "start", type=click.DateTime(), required=True, help="First day, on the data's clock.")
@click.option("--to", "end", type=click.DateTime(), required=True, help="First day that is not replayed.")
@click.option("--retrain/--no-retrain", default=True, show_default=True, help="Let triggers turn the loop.")
def command(start: datetime, end: datetime, retrain: bool) -> None:
    """Replay live traffic from a project's own past, day by day.

    A server is started on a free port and ended with the replay.
    """
    project = here(runs=True)
    with (
        process.start(
            project.store.root, catalogue=project.store.catalogue, objects=project.store.objects_at
        ) as server,
        Client(server.address, project.endpoint) as client,
    ):
        with console.status("building the features of the period"):
            replay = replaying.prepare(project, client, start, end)
        with console.status("replaying") as status:
            for day in replaying.run_days(replay, retrain=retrain):
                status.update(f"replaying {day.day}")
                show_day(console, day)
