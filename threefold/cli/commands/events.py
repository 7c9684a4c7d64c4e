"""Read the append-only event log, and verify its chain."""

from __future__ import annotations

import itertools

import click

from threefold.cli.printing import console, json_option, memory, print_json, table
from threefold.errors import Refused
from threefold.store import cross_check, events


@click.group()
def command() -> None:
    """What happened, in order; each row carries the hash of the row before."""


@command.command("list")
@click.option("--subject", help='Only about this, as in "model churn/3".')
@click.option("--kind", help='Only of this kind, as in "release.created".')
@click.option("--last", type=click.IntRange(min=1), default=30, show_default=True, help="How many of the newest.")
@json_option
def list_(subject: str | None, kind: str | None, last: int, as_json: bool) -> None:
    """The newest events."""
    store = memory()
    with store.read() as connection:
        found = list(events.read(connection, subject=subject, kind=kind))[-last:]
    if as_json:
        print_json(found)
        return
    rows = [
        (one.seq, one.at[:19].replace("T", " "), one.actor, one.kind, one.subject, _short(one.body)) for one in found
    ]
    table("", (">#", "at (UTC)", "who", "what", "about", "numbers"), rows, empty="nothing happened yet")


@command.command()
@json_option
def verify(as_json: bool) -> None:
    """Walk the whole chain, and look for the event of each run, version and release; exit code 1 if one is missing."""
    store = memory()
    with store.read() as connection:
        count, broken = events.verify(connection)
        broken = broken or next(cross_check.missing(connection), None)
    if as_json:
        print_json({"sound": broken is None, "events": count, "broken": broken})
    if broken is not None:
        raise Refused(f"the event log does not hold: {broken}", store.url, "restore the catalogue from a backup")
    if not as_json:
        console.print(f"[green]✓[/] {count} events, the chain holds")


def _short(body: object) -> str:
    items = dict(body).items() if isinstance(body, dict) else ()
    return ", ".join(f"{key} {str(value)[:24]}" for key, value in itertools.islice(items, 3))
