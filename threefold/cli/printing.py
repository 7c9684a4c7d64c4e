"""What the commands share: the open project, tables, JSON, progress."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import IO, Any, TypeVar, cast

import click
from rich.console import Console
from rich.table import Table

from threefold.loop.operating import open_memory, open_to_operate
from threefold.loop.project import Project, open_project
from threefold.records import plain
from threefold.store import Store

F = TypeVar("F", bound=Callable[..., Any])

WIDE = 10_000  # columns: a file or another program wraps lines itself, if at all


class _Unpadded:
    """Standard output without the blanks that fill up a table's lines: a program that reads them wants none."""

    def write(self, text: str) -> int:
        return sys.stdout.write(re.sub(r"[ \t]+(?=\n)", "", text))

    def __getattr__(self, name: str) -> Any:
        return getattr(sys.stdout, name)


def _console() -> Console:
    if sys.stdout.isatty() or "COLUMNS" in os.environ or "FORCE_COLOR" in os.environ:
        return Console(highlight=False)
    return Console(highlight=False, width=WIDE, file=cast(IO[str], _Unpadded()))


console = _console()


def json_option(function: F) -> F:
    """Adds `--json` to a reading command."""
    return click.option("--json", "as_json", is_flag=True, help="Answer as JSON.")(function)


class Moment(click.ParamType):  # type: ignore[type-arg]  # not generic before click 8.3
    """A moment in ISO 8601, as in 2026-11-01T12:00; without a zone it is UTC."""

    name = "moment"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """The moment in UTC."""
        try:
            read = value if isinstance(value, datetime) else datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is no moment; write it as in 2026-11-01T12:00", param, ctx)
        return (read if read.tzinfo else read.replace(tzinfo=UTC)).astimezone(UTC)


def here(*, runs: bool = False) -> Project:
    """The project the command was called for.

    Args:
        runs: the command runs the project's code, so canvas and code must be sound. Others go on without.
    """
    start = click.get_current_context().obj
    if runs:
        return open_project(start)
    project = open_to_operate(start)
    if project.unread is not None:
        count = len(project.unread.findings)
        said = f"! {project.canvas.file.name} has {count} finding{'s' if count != 1 else ''} (see: threefold canvas)"
        click.echo(f"{said}; going by the canvas of the newest version in the store", err=True)
    return project


def memory() -> Store:
    """The store of the project the command was called for, whatever state its canvas is in."""
    return open_memory(click.get_current_context().obj)


def print_json(value: Any) -> None:
    """Records, dicts and lists as JSON on standard output, which belongs to the answer alone: see main.run."""
    click.echo(json.dumps(plain(value), indent=2, ensure_ascii=False, default=str), file=sys.__stdout__)


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]], *, empty: str) -> None:
    """A table for people. A column whose name starts with ">" is set flush right.

    Args:
        empty: what to say when there are no rows, and what to do about it.
    """
    drawn = Table(title=title or None, title_justify="left", title_style="bold", box=None, padding=(0, 2, 0, 0))
    for name in columns:
        drawn.add_column(
            name.removeprefix(">"), justify="right" if name.startswith(">") else "left", header_style="dim"
        )
    lines = [[cell(value) for value in row] for row in rows]
    if not lines:
        console.print(empty)
        return
    for line in lines:
        drawn.add_row(*line)
    console.print(drawn)


def cell(value: Any) -> str:
    """One value as a person reads it."""
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"
    if isinstance(value, datetime):
        return ago(value)
    return str(value)


def ago(moment: datetime, now: datetime | None = None) -> str:
    """How long ago something was.

    >>> ago(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, 0, 5, tzinfo=UTC))
    '5 min ago'
    """
    seconds = ((now or datetime.now(UTC)) - moment).total_seconds()
    for size, word in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {word} ago"
    return "just now"


def seconds(start: str, end: str | None) -> float | None:
    """The seconds between two ISO moments; None while it goes on."""
    if end is None:
        return None
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()


def size(count: float) -> str:
    """Bytes as a person reads them.

    >>> size(1_500_000)
    '1.5 MB'
    """
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"


def tick(passed: bool) -> str:
    """A mark for yes or no, with colour."""
    return "[green]✓[/]" if passed else "[red]✗[/]"
