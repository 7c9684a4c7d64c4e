"""List releases, approve a version, deploy one, stop an endpoint, look back."""

from __future__ import annotations

from datetime import datetime

import click

from threefold.cli.printing import Moment, console, here, json_option, memory, print_json, table
from threefold.loop import releasing
from threefold.loop.operating import duties_are_separate
from threefold.registry import approvals, names, releases
from threefold.serving import history, routing
from threefold.serving.rollout import step_rollout

MODEL = click.option("--model", help="Of this model, whose endpoint has its name; default: the project's.")


@click.group()
def command() -> None:
    """Releases: one version, its data, code, environment and evidence, bound together."""


@command.command("list")
@MODEL
@json_option
def list_(model: str | None, as_json: bool) -> None:
    """The releases of an endpoint."""
    project = here()
    found = releases.list_releases(project.store, model or project.endpoint)
    if as_json:
        print_json(found)
        return
    rows = [
        (one.id[:8], one.number, one.reason[:70], one.approved_by, len(one.evidence), one.created_at) for one in found
    ]
    columns = ("release", ">version", "reason", "approved by", ">evidence", "made")
    table("", columns, rows, empty="no releases yet; make one with: threefold run")


@command.command()
@click.argument("number")
@click.option("--by", required=True, help="Who approves.")
@click.option("--reason", required=True, help="Why.")
@MODEL
def approve(number: str, by: str, reason: str, model: str | None) -> None:
    """Let a version go to production that waits for a person.

    Where the canvas says risk: high, or the setting separate_approvals is 1, who trained or registered it may not.
    """
    project = here()
    version = names.find(project.store, model or project.endpoint, number)
    separate = duties_are_separate(project.canvas, project.canvas.project)
    approvals.approve(project.store, version, by, reason, separate=separate)
    done = f"version {version.number} is approved by {by}"
    console.print(f"[green]✓[/] {done}; next: threefold release deploy {version.number}")


@command.command()
@click.argument("number")
@click.option("--reason", required=True, help="Why; kept in the event log.")
@MODEL
def refuse(number: str, reason: str, model: str | None) -> None:
    """Say no to a version: it is not released. One that answers goes on answering until another is released."""
    project = here()
    version = names.find(project.store, model or project.endpoint, number)
    approvals.refuse(project.store, version, reason)
    console.print(f"[green]✓[/] version {version.number} is refused; undo: threefold models reopen {version.number}")


@command.command()
@click.argument("number")
@click.option("--reason", default="by hand", show_default=True, help="Why; kept with the release.")
@MODEL
def deploy(number: str, reason: str, model: str | None) -> None:
    """Release an approved version, with the rollout that the canvas asks for."""
    project = here()
    version = names.find(project.store, model or project.endpoint, number)
    releasing.release_version(project, version, reason)
    arms = routing.current(project.store, version.name).arms
    console.print("[green]✓[/] serving " + ", ".join(f"version {arm.number} ({arm.share:.0%})" for arm in arms))


@command.command()
@MODEL
@json_option
def step(model: str | None, as_json: bool) -> None:
    """Look at the canary's numbers: advance it, wait, or abort."""
    project = here()
    decision = step_rollout(project.store, model or project.endpoint)
    if as_json:
        print_json(decision)
        return
    console.print(f"[bold]{decision.action}[/]: {decision.sentence}")


@command.command()
@click.option("--reason", required=True, help="Why; kept in the event log.")
@MODEL
def stop(reason: str, model: str | None) -> None:
    """The stop switch: the fallback answers instead of the model, at once."""
    project = here()
    routing.stop(project.store, model or project.endpoint, reason)
    console.print(
        f"[yellow]●[/] {model or project.endpoint} is stopped: the fallback answers. Undo: threefold release resume"
    )


@command.command()
@click.option("--reason", default="by hand", show_default=True, help="Why; kept in the event log.")
@MODEL
def resume(reason: str, model: str | None) -> None:
    """Let the model answer again."""
    project = here()
    routing.resume(project.store, model or project.endpoint, reason)
    console.print(f"[green]✓[/] {model or project.endpoint} answers from its model again")


@command.command()
@click.argument("moment", type=Moment())
@click.option("--endpoint", help="Only this one; default: all.")
@json_option
def at(moment: datetime, endpoint: str | None, as_json: bool) -> None:
    """What was in production at MOMENT, as in 2026-11-01T12:00 (UTC unless it says otherwise)."""
    found = history.at(memory(), moment, endpoint)
    if as_json:
        print_json(found)
        return
    rows = [
        (one.endpoint, "the fallback: it was stopped" if one.stopped else _arms(one), one.because, one.actor,
         one.since.isoformat()[:19].replace("T", " "), one.event)
        for one in found
    ]  # fmt: skip
    columns = ("endpoint", "answered", "because", "who", "since (UTC)", ">event")
    table("", columns, rows, empty="nothing was in production then")


def _arms(found: history.InProduction) -> str:
    return ", ".join(f"{found.model} {arm.version} ({arm.share:.0%})" for arm in found.answering)
