"""Read the append-only event log, verify it, sign it, hand it out."""

from __future__ import annotations

import csv
import itertools
import json
import sys
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from threefold.cli.printing import Moment, console, json_option, memory, print_json, table
from threefold.errors import Refused
from threefold.store import checkpoints, events

KIND = click.option("--kind", help='Only of this kind, as in "release.created".')
SUBJECT = click.option("--subject", help='Only about this, as in "model churn/3".')
SINCE = click.option("--since", type=Moment(), help="Only since then, as in 2026-11-01T12:00 (UTC).")
FIELDS = ("seq", "at", "kind", "subject", "actor", "body", "previous", "hash")


@click.group()
def command() -> None:
    """What happened, in order; each row carries the hash of the row before, and checkpoints are signed."""


@command.command("list")
@SUBJECT
@KIND
@SINCE
@click.option("--last", default=30, show_default=True, help="How many of the newest.")
@json_option
def list_(subject: str | None, kind: str | None, since: datetime | None, last: int, as_json: bool) -> None:
    """The newest events."""
    with memory().read() as connection:
        found = list(events.read(connection, subject=subject, kind=kind, since=_text(since), last=last))
    if as_json:
        print_json(found)
        return
    rows = [
        (one.seq, one.at[:19].replace("T", " "), one.actor, one.kind, one.subject, _short(one.body)) for one in found
    ]
    table("", (">#", "at (UTC)", "who", "what", "about", "numbers"), rows, empty="nothing happened yet")


@command.command()
@click.option(
    "--checkpoint", "files", multiple=True, type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A checkpoint that was kept elsewhere must hold, too; repeatable.",
)  # fmt: skip
@json_option
@click.pass_context
def verify(ctx: click.Context, files: tuple[Path, ...], as_json: bool) -> None:
    """Check the chain, every checkpoint, and that each run, version and release has its event; exit code 1 if not."""
    store = memory()
    verdict = checkpoints.verify(store, [_envelope(file) for file in files])
    if as_json:
        print_json({"sound": verdict.sound, **_plain(verdict)})
        ctx.exit(0 if verdict.sound else 1)
    if not verdict.sound:
        raise Refused(
            f"the event log does not hold: {'; '.join(verdict.findings)}", store.url,
            "find out who can write the catalogue, and restore it from a backup",
        )  # fmt: skip
    count = verdict.checkpoints + len(files)
    signed = f"{count} signed checkpoints, the last one up to event {verdict.signed}" if count else "no checkpoint yet"
    console.print(f"[green]✓[/] {verdict.events} events, the chain holds; {signed}")


@command.command()
@json_option
def checkpoint(as_json: bool) -> None:
    """Sign the log as it stands. Keep what --json prints elsewhere: then not even the whole log can be exchanged."""
    made = checkpoints.make(memory())
    if as_json:
        print_json(made)
        return
    console.print(f"[green]✓[/] signed up to event {made.seq}, {made.at[:19].replace('T', ' ')} UTC, hash {made.hash}")


@command.command("checkpoints")
@json_option
def checkpoints_(as_json: bool) -> None:
    """Every signed checkpoint."""
    found = checkpoints.list_checkpoints(memory())
    if as_json:
        print_json(found)
        return
    rows = [(one.seq, one.at[:19].replace("T", " "), one.hash[:12]) for one in found]
    table("", (">up to event", "at (UTC)", "hash"), rows, empty="none yet; make one with: threefold audit checkpoint")


@command.command()
@click.option("--format", "form", type=click.Choice(["jsonl", "csv"]), default="jsonl", show_default=True,
              help="One JSON object a line, or a table.")  # fmt: skip
@SINCE
@KIND
@SUBJECT
@click.option("--to", type=click.Path(dir_okay=False, path_type=Path), help="Write to this file, not to the screen.")
def export(form: str, since: datetime | None, kind: str | None, subject: str | None, to: Path | None) -> None:
    """Hand out the log with its hashes, for somebody who verifies it without Threefold.

    `body` is the text that was hashed. The hash of a row is the sha256 of previous, seq, at, kind, subject, actor and
    body, joined by line feeds; the first row's previous is 64 zeros.
    """
    write = {"jsonl": _jsonl, "csv": _csv}[form]
    with memory().read() as connection:
        rows = events.read_raw(connection, since=_text(since), kind=kind, subject=subject)
        if to is None:
            write(rows, sys.stdout)
            return
        with to.open("w", encoding="utf-8", newline="") as file:
            count = write(rows, file)
    console.print(f"[green]✓[/] {count} events in {to}")


def _jsonl(rows: Iterable[Mapping[str, Any]], file: Any) -> int:
    count = 0
    for row in rows:
        count += 1
        file.write(json.dumps({name: row[name] for name in FIELDS}, ensure_ascii=False) + "\n")
    return count


def _csv(rows: Iterable[Mapping[str, Any]], file: Any) -> int:
    count = 0
    out = csv.DictWriter(file, FIELDS, lineterminator="\n")
    out.writeheader()
    for row in rows:
        count += 1
        out.writerow({name: row[name] for name in FIELDS})
    return count


def _envelope(file: Path) -> str:
    """The envelope in a file: as `checkpoint --json` prints it, or bare."""
    text = file.read_text(encoding="utf-8")
    try:
        read = json.loads(text)
        return str(read["envelope"]) if "envelope" in read else text
    except (ValueError, TypeError):
        return text


def _plain(verdict: checkpoints.Verdict) -> dict[str, Any]:
    return {"events": verdict.events, "checkpoints": verdict.checkpoints, "signed": verdict.signed,
            "findings": list(verdict.findings)}  # fmt: skip


def _text(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def _short(body: object) -> str:
    items = dict(body).items() if isinstance(body, dict) else ()
    return ", ".join(f"{key} {str(value)[:24]}" for key, value in itertools.islice(items, 3))
