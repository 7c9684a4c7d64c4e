"""Ask what something rests on, or what is touched if it turns out bad."""

from __future__ import annotations

import click
from rich.markup import escape

from threefold.cli.printing import console, json_option, memory, print_json
from threefold.governance.lineage.graph import ask
from threefold.governance.lineage.tree import Line, lines
from threefold.governance.lineage.walk import Direction

SUBJECT = click.argument("subject", nargs=-1, required=True)
ALL = click.option("--all", "everything", is_flag=True, help="Every step and intermediate object, too.")
LONG = ("object", "snapshot", "bundle", "code", "environment", "commit", "run", "release")


@click.group()
def command() -> None:
    """What rests on what: data, code, runs, models, releases, predictions.

    SUBJECT is a kind and a name, as in: model churn/3, snapshot flights, run 4f2a91c0, commit 1b2c3d4, feature hour,
    object DIGEST, release ID, endpoint churn, dataset wine, logged model m-…, prediction ID. A name or an id alone is
    looked up; the beginning of an id is enough.
    """


@command.command()
@SUBJECT
@ALL
@json_option
def up(subject: tuple[str, ...], everything: bool, as_json: bool) -> None:
    """What SUBJECT rests on."""
    _answer(" ".join(subject), "up", everything, as_json, "it rests on nothing that is known here")


@command.command()
@SUBJECT
@ALL
@json_option
def down(subject: tuple[str, ...], everything: bool, as_json: bool) -> None:
    """What is touched if SUBJECT turns out bad."""
    _answer(" ".join(subject), "down", everything, as_json, "nothing rests on it")


def _answer(subject: str, direction: Direction, everything: bool, as_json: bool, nothing: str) -> None:
    graph = ask(memory(), subject, direction)
    if as_json:
        print_json(graph.as_plain())
        return
    for line in lines(graph, everything=everything):
        console.print(_text(line), soft_wrap=True)
    if not graph.edges:
        console.print(f"  [dim]{nothing}[/]")


def _text(line: Line) -> str:
    one = line.node
    id_ = one.id[:12] if one.kind in LONG else one.id
    name = "" if one.name in (one.id, "") else f" {escape(one.name)}"
    word = f"[dim]{escape(line.word)}:[/] " if line.word and line.word != one.kind else ""
    detail = f"  [dim]{escape(one.detail)}[/]" if one.detail else ""
    again = "  [dim]… as above[/]" if line.again else ""
    return f"{'  ' * line.depth}{word}[bold]{one.kind}[/]{name} {escape(id_)}{detail}{again}"
