"""Compare live traffic with training, raise alerts, retrain when a trigger says so."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import datetime

import click
from rich.markup import escape

from threefold.cli.printing import console, here, json_option, print_json, table
from threefold.governance.comparison import MEASURES
from threefold.loop.watching import look
from threefold.monitoring.windows import NO_OUTCOME

SHOWN = 3  # measures beside the drift, so that a line fits into 80 columns


@click.command()
@click.option(
    "--until", type=click.DateTime(), help="Close windows up to this moment of the data; default: all full ones."
)
@click.option("--retrain", is_flag=True, help="Turn the loop when an alert or the schedule asks for it.")
@json_option
def command(until: datetime | None, retrain: bool, as_json: bool) -> None:
    """Close the windows that are full, and say what moved.

    Run it from cron or a scheduler as often as you like: what was judged is not judged again.
    """
    project = here(runs=retrain)
    seen = look(project, until=until, retrain=retrain)
    if as_json:
        print_json(seen)
        return
    measures = [one for one in MEASURES if any(one.name in report.metrics for report in seen.reports)][:SHOWN]
    rows = [
        (one.start[:16].replace("T", " "), one.rows, one.labelled, _worst(one.drift),
         *(one.metrics.get(measure.name) for measure in measures))
        for one in seen.reports
    ]  # fmt: skip
    columns = ("window", ">rows", ">labelled", "drifted most", *(f">{measure.spoken}" for measure in measures))
    table("", columns, rows, empty="no full window yet: nothing was predicted since the last look")
    odd = sum(one.checks.get(NO_OUTCOME, 0) for one in seen.reports)
    if odd:
        console.print(
            f"[yellow]●[/] {odd:,} labels are no class of the model, or no number, and judge nothing: send outcomes as "
            "training had them; /feedback names those it refuses"
        )
    for alert in () if _told_here(project.canvas.watch.notify) else seen.new_alerts:
        console.print(f"[yellow]●[/] {alert.sentence}\n  probably: {alert.probable}\n  do: {alert.do}")
    if not seen.new_alerts:
        console.print(f"no new alert; {len(seen.open_alerts)} open")
    for lost in seen.not_sent:
        console.print(
            f"[red]✗[/] not sent to {escape(lost.entry)}: {escape(lost.alert.sentence)}\n  {escape(lost.error)}\n"
            "  it is tried again at the next look"
        )
    if seen.cause is not None:
        console.print(
            f"a retraining is due: {seen.cause.sentence}" + ("" if retrain else "  (threefold watch --retrain)")
        )
    if seen.version is not None:
        console.print(f"version {seen.version} was trained and released")


def _told_here(notify: Sequence[str]) -> bool:
    """Whether the channel "console" already wrote the alerts onto the terminal that also shows this output."""
    return "console" in {entry.split(maxsplit=1)[0] for entry in notify} and console.is_terminal and sys.stderr.isatty()


def _worst(drift: tuple[object, ...]) -> str:
    found = sorted(drift, key=lambda one: -getattr(one, "score", 0.0))
    return f"{getattr(found[0], 'column', '')} {getattr(found[0], 'score', 0.0):.2f}" if found else "–"
