"""Watch one model's whole life: designed, trained, tested, released, served, decaying, replaced."""

from __future__ import annotations

from pathlib import Path

import click

from threefold.cli.printing import console
from threefold.cli.show import FIRST_MONTH, Show


@click.command()
@click.option(
    "--into",
    type=click.Path(path_type=Path),
    default=Path("demo"),
    show_default=True,
    help="Where the project is laid.",
)
@click.option("--months", type=click.IntRange(1, 9), default=9, show_default=True, help="How many months to replay.")
def command(into: Path, months: int) -> None:
    """Run the flight-delay project from canvas to self-retraining service, on a year of real data.

    Needs no server, no account and no network. It takes a few minutes and leaves an ordinary project behind, with
    everything that happened in its store.
    """
    console.print(f"replaying months {FIRST_MONTH} to {FIRST_MONTH + months - 1} of 2013", style="dim")
    Show(console, into.resolve(), months).run()
