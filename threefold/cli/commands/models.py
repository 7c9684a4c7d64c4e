"""List, look at, name, tag, sign, retire and delete model versions."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import click

from threefold.cli.printing import console, here, json_option, print_json, table
from threefold.cli.progress import StepProgress
from threefold.cli.turns import print_gates, print_turn, turn_as_json
from threefold.design.settings import value_of
from threefold.errors import GateFailed, Refused
from threefold.loop import logged
from threefold.records import ModelVersion, plain, utc_now
from threefold.registry import aliases, approvals, deletion, evidence, finding, names, notes, signatures, versions

MODEL = click.option("--model", help="Of this model; default: the project's.")
UNSEEN = "nobody here knows which rows it was trained on: if it has seen the sealed ones, these figures flatter it"
REASON = click.option("--reason", required=True, help="Why; kept in the event log.")
TAGS = click.option("--tag", "tags", multiple=True, metavar="KEY=VALUE", help="Only with this tag; repeatable.")

WHERE = click.option(
    "--where", metavar="FILTER", help="A filter, as in \"metrics.roc_auc > 0.8 AND tags.team = 'sales'\"."
)


@click.group()
def command() -> None:
    """Every registered version with its status, evidence and lineage. NUMBER is a number, a semantic name or an alias."""


@command.command("list")
@MODEL
@click.option("--status", type=click.Choice(list(versions.MOVES)), help="Only with this status.")
@click.option("--name", "contains", help="Of every model: where name, description or semantic name contain this.")
@TAGS
@WHERE
@click.option("--order-by", multiple=True, metavar="KEY", help='As in "metrics.roc_auc DESC"; repeatable.')
@click.option("--deleted", is_flag=True, help="Those that were deleted and can still be restored.")
@json_option
def list_(
    model: str | None, status: str | None, contains: str | None, tags: tuple[str, ...], where: str | None,
    order_by: tuple[str, ...], deleted: bool, as_json: bool,
) -> None:  # fmt: skip
    """The versions of this project's model, or, by --name or --where, those of every model that fit what is asked for."""
    project = here()
    every = model is None and (contains is not None or where is not None)
    found = finding.find_versions(
        project.store, name=None if every else model or project.canvas.project, contains=contains, status=status,
        tags=_pairs(tags), deleted=deleted, where=where, order=order_by,
    )  # fmt: skip
    if as_json:
        print_json(found)
        return
    marks = _marks(project.store, {one.name for one in found})
    rows = [
        (*((one.name,) if every else ()), one.number, one.semantic or "", one.status,
         marks.get((one.name, one.number), ""), one.lineage.candidate, _data_time(one), one.created_at,
         one.bundle[:12])
        for one in found
    ]  # fmt: skip
    columns = (">version", "name", "status", "alias", "candidate", "data as of", "made", "bundle")
    asked = deleted or status or contains or tags or where
    empty = "nothing fits" if asked else "no versions yet; make one with: threefold run"
    table("", (*(("model",) if every else ()), *columns), rows, empty=empty)


@command.command()
@click.argument("text", default="")
@TAGS
@WHERE
@json_option
def search(text: str, tags: tuple[str, ...], where: str | None, as_json: bool) -> None:
    """The models whose name or description contains TEXT; without it, all. A filter knows name, description and tags."""
    found = finding.find_models(here().store, contains=text or None, tags=_pairs(tags), where=where)
    if as_json:
        print_json(found)
        return
    rows = [(one.name, one.versions, one.newest, one.description[:60]) for one in found]
    table("", ("model", ">versions", ">newest", "description"), rows, empty="no model fits")


@command.command()
@click.argument("number")
@MODEL
@json_option
def show(number: str, model: str | None, as_json: bool) -> None:
    """One version: what it rests on, what the gates said, who approved it."""
    project, version = _version(number, model)
    proof = evidence.of(project.store, versions.subject(version.name, version.number))
    given = approvals.of(project.store, version.name, version.number)
    noted = notes.of(project.store, version.name, version.number)
    if as_json:
        print_json({"version": version, "evidence": proof, "approvals": given, "notes": noted})
        return
    lineage, called = version.lineage, f" ({version.semantic})" if version.semantic else ""
    console.print(
        f"[bold]{version.name} {version.number}{called}[/]  {version.status}  {lineage.candidate}"
        f"  bundle {version.bundle[:12]}"
    )
    if noted.description:
        console.print(f"  {noted.description}", markup=False)
    for key, value in noted.tags.items():
        console.print(f"  tag         {key} = {value}", markup=False)
    console.print(f"  data as of  {lineage.as_of or 'all that the sources held'}")
    for name, digest in lineage.snapshots.items():
        console.print(f"  snapshot    {name} {digest[:12]}")
    _print_code(version)
    console.print(f"  run         {version.run_id[:8]}")
    table("metrics", ("name", ">value"), version.metrics.items(), empty="no metrics")
    newest = evidence.newest(project.store, versions.subject(version.name, version.number))
    print_gates([one.result for one in newest])
    if len(newest) < len(proof):
        console.print(f"the newest of its acceptance tests; {len(proof) - len(newest)} earlier results: --json")
    for approval in given:
        console.print(f"approved by {approval.by}: {approval.reason}")


@command.command()
@click.argument("number")
@MODEL
@json_option
def test(number: str, model: str | None, as_json: bool) -> None:
    """Pack a version that an MLflow client logged, and let this project's gates judge it; exit code 1 where one says no.

    It is read on the sealed test share, on the record, like the project's own. Nothing is released by it.
    """
    project = here(runs=True)
    version = names.find(project.store, model or project.canvas.project, number)
    if as_json:
        print_json(turn_as_json(logged.examine(project, version)))
        return
    try:
        with StepProgress(console) as progress:
            turn = logged.examine(project, version, on_step=progress.step)
    except GateFailed as error:
        print_gates(error.results)
        raise
    print_turn(project, turn)
    console.print(UNSEEN, soft_wrap=True)
    if turn.version is not None and turn.version.status == "approved":
        named = f" --model {version.name}" if version.name != project.canvas.project else ""
        console.print(f"next: threefold release deploy {version.number}{named}")


@command.command()
@click.argument("number")
@click.argument("semantic")
@MODEL
def name(number: str, semantic: str, model: str | None) -> None:
    """Give a version a semantic name, as in 2.1.0; no other version of the model may have it."""
    project, version = _version(number, model)
    names.name_version(project.store, version.name, version.number, semantic)
    console.print(f"[green]✓[/] version {version.number} of {version.name} is called {semantic}")


@command.command()
@click.argument("model")
@click.argument("alias", required=False)
@click.argument("number", required=False)
@click.option("--reason", default="by hand", show_default=True, help="Why; kept with the move.")
@click.option("--history", is_flag=True, help="Every move: when, who, why, from and to.")
@click.option("--remove", is_flag=True, help="Take the alias away.")
@json_option
def alias(
    model: str, alias: str | None, number: str | None, reason: str, history: bool, remove: bool, as_json: bool
) -> None:
    """Let ALIAS of MODEL point at a version; without a version, show where aliases point."""
    store = here().store
    if history:
        _print_history(aliases.history(store, model, alias), as_json)
    elif remove and alias:
        aliases.remove(store, model, alias, reason)
        console.print(f"[green]✓[/] {model} has no alias {alias} any more")
    elif alias and number:
        version = names.find(store, model, number)
        aliases.point(store, model, alias, version.number, reason)
        console.print(f"[green]✓[/] {alias} of {model} is version {version.number}")
    else:
        found = {key: value for key, value in versions.aliases(store, model).items() if alias in (None, key)}
        if as_json:
            print_json(found)
            return
        table("", ("alias", ">version"), found.items(), empty=f"{model} has no such alias")


@command.command()
@click.argument("number")
@click.argument("text")
@MODEL
@click.option("--whole", is_flag=True, help="The whole model is described; NUMBER can be any of its versions.")
def describe(number: str, text: str, model: str | None, whole: bool) -> None:
    """Say in words what a version is."""
    project, version = _version(number, model)
    notes.describe(project.store, version.name, None if whole else version.number, text)
    console.print("[green]✓[/] described")


@command.command()
@click.argument("number")
@click.argument("key")
@click.argument("value", required=False)
@MODEL
@click.option("--whole", is_flag=True, help="The whole model is tagged; NUMBER can be any of its versions.")
def tag(number: str, key: str, value: str | None, model: str | None, whole: bool) -> None:
    """Tag a version; without VALUE the tag is taken away."""
    project, version = _version(number, model)
    notes.tag(project.store, version.name, None if whole else version.number, key, value)
    console.print(f"[green]✓[/] {key} {'is taken away' if value is None else f'= {value}'}", markup=True)


@command.command()
@click.argument("number")
@MODEL
def sign(number: str, model: str | None) -> None:
    """Sign a version with the store's key: each of its files, its lineage, gates and approvals."""
    project, version = _version(number, model)
    made = signatures.sign(project.store, version)
    console.print(f"[green]✓[/] {made.subject} is signed with key {made.key_id[:12]}")


@command.command()
@click.argument("number")
@MODEL
@click.option("--envelope", is_flag=True, help="Print the newest signature itself, for another tool.")
@json_option
@click.pass_context
def verify(ctx: click.Context, number: str, model: str | None, envelope: bool, as_json: bool) -> None:
    """Check the signatures of a version: its key and every file; exit code 1 where the newest does not hold."""
    project, version = _version(number, model)
    checked = signatures.verify(project.store, version)
    if envelope:
        click.echo(signatures.of(project.store, version.name, version.number)[-1].envelope)
    elif as_json:
        print_json([{**plain(one), "holds": one.holds} for one in checked])
        ctx.exit(0 if checked[-1].holds else 1)
    elif not checked[-1].holds:
        raise Refused(
            f"the signature does not hold: {'; '.join(checked[-1].findings)}",
            versions.subject(version.name, version.number), "do not serve it; see: threefold audit list, threefold keys list",
        )  # fmt: skip
    else:
        newest = checked[-1]
        files = len(signatures.files_of(project.store, version))
        console.print(f"[green]✓[/] {files} files are as they were signed with key {newest.key} ({newest.key_id[:12]})")


@command.command()
@click.argument("number")
@REASON
@MODEL
def retire(number: str, reason: str, model: str | None) -> None:
    """Say that a version is no longer for use. One that answers cannot be retired."""
    project, version = _version(number, model)
    deletion.retire(project.store, version.name, version.number, reason)
    console.print(f"[green]✓[/] version {version.number} is retired; undo: threefold models reopen {version.number}")


@command.command()
@click.argument("number")
@REASON
@MODEL
def reopen(number: str, reason: str, model: str | None) -> None:
    """Look at a refused or retired version again: it becomes a candidate."""
    project, version = _version(number, model)
    versions.set_status(project.store, version.name, version.number, "candidate", reason)
    console.print(f"[green]✓[/] version {version.number} is a candidate again")


@command.command()
@click.argument("number")
@REASON
@MODEL
def delete(number: str, reason: str, model: str | None) -> None:
    """Take a version out of every list. It can be restored for as many days as the setting grace_days says."""
    project, version = _version(number, model)
    deletion.delete(project.store, version.name, version.number, reason)
    until = utc_now() + timedelta(days=int(value_of("grace_days", project.canvas)))
    console.print(
        f"[green]✓[/] version {version.number} is deleted; until {until.date()} undo with: "
        f"threefold models restore {version.number} --reason WHY"
    )


@command.command()
@click.argument("number", type=int)
@REASON
@MODEL
def restore(number: int, reason: str, model: str | None) -> None:
    """Undo a deletion. Aliases do not come back by themselves."""
    project = here()
    deletion.restore(project.store, model or project.canvas.project, number, reason)
    console.print(f"[green]✓[/] version {number} is back")


def _version(reference: str, model: str | None) -> tuple[Any, ModelVersion]:
    project = here()
    return project, names.find(project.store, model or project.canvas.project, reference)


def _marks(store: Any, models: set[str]) -> dict[tuple[str, int], str]:
    """The aliases of versions: (model, number) -> "champion, stable"."""
    marks: dict[tuple[str, int], str] = {}
    for model in models:
        for mark, number in versions.aliases(store, model).items():
            marks[model, number] = ", ".join(filter(None, (marks.get((model, number)), mark)))
    return marks


def _data_time(version: ModelVersion) -> str:
    """The moment the data were seen as of; empty for a version of a client, whose training data nobody here knows."""
    return version.lineage.as_of or ("all data" if version.lineage.training_set else "")


def _print_code(version: ModelVersion) -> None:
    code = version.lineage.code
    if not code:
        console.print("  code        not known: a client logged it")
        return
    commit = f", commit {code['commit'][:12]}" if code.get("commit") else ""
    console.print(f"  code        archive {code['archive'][:12]}{commit}")


def _print_history(moves: tuple[aliases.AliasMove, ...], as_json: bool) -> None:
    if as_json:
        print_json(moves)
        return
    rows = [
        (one.at.isoformat()[:19].replace("T", " "), one.alias, one.before, one.after, one.by, one.reason)
        for one in moves
    ]
    table("", ("at (UTC)", "alias", ">from", ">to", "who", "why"), rows, empty="no alias was ever moved")


def _pairs(tags: tuple[str, ...]) -> dict[str, str]:
    pairs = {}
    for one in tags:
        key, given, value = one.partition("=")
        if not given:
            raise click.BadParameter(f"{one!r} is no KEY=VALUE", param_hint="--tag")
        pairs[key] = value
    return pairs
