"""List releases, approve a version, deploy one, stop an endpoint."""

from __future__ import annotations

import click

from threefold.cli.printing import console, here, json_option, print_json, table
from threefold.loop import lifecycle
from threefold.registry import approvals, releases, versions
from threefold.serving import routing
from threefold.serving.rollout import step_rollout


@click.group()
def command() -> None:
    """Releases: one version, its data, code, environment and evidence, bound together."""


@command.command("list")
@json_option
def list_(as_json: bool) -> None:
    """The releases of this project's endpoint."""
    project = here()
    found = releases.list_releases(project.store, project.endpoint)
    if as_json:
        print_json(found)
        return
    rows = [
        (one.id[:8], one.number, one.reason[:70], one.approved_by, len(one.evidence), one.created_at) for one in found
    ]
    columns = ("release", ">version", "reason", "approved by", ">evidence", "made")
    table("", columns, rows, empty="no releases yet; make one with: threefold run")


@command.command()
@click.argument("number", type=int)
@click.option("--by", required=True, help="Who approves.")
@click.option("--reason", required=True, help="Why.")
def approve(number: int, by: str, reason: str) -> None:
    """Let a version go to production that waits for a person."""
    project = here()
    version = versions.get(project.store, project.canvas.project, number)
    approvals.approve(project.store, version, by, reason)
    console.print(f"[green]✓[/] version {number} is approved by {by}; next: threefold release deploy {number}")


@command.command()
@click.argument("number", type=int)
@click.option("--reason", default="by hand", show_default=True, help="Why; kept with the release.")
def deploy(number: int, reason: str) -> None:
    """Release an approved version, with the rollout that the canvas asks for."""
    project = here()
    version = versions.get(project.store, project.canvas.project, number)
    lifecycle.release_version(project, version, reason)
    arms = routing.current(project.store, project.endpoint).arms
    console.print("[green]✓[/] serving " + ", ".join(f"version {arm.number} ({arm.share:.0%})" for arm in arms))


@command.command()
@json_option
def step(as_json: bool) -> None:
    """Look at the canary's numbers: advance it, wait, or abort."""
    project = here()
    decision = step_rollout(project.store, project.endpoint)
    if as_json:
        print_json(decision)
        return
    console.print(f"[bold]{decision.action}[/]: {decision.sentence}")


@command.command()
@click.option("--reason", required=True, help="Why; kept in the event log.")
def stop(reason: str) -> None:
    """The stop switch: the fallback answers instead of the model, at once."""
    project = here()
    routing.stop(project.store, project.endpoint, reason)
    console.print(f"[yellow]●[/] {project.endpoint} is stopped: the fallback answers. Undo: threefold release resume")


@command.command()
@click.option("--reason", default="by hand", show_default=True, help="Why; kept in the event log.")
def resume(reason: str) -> None:
    """Let the model answer again."""
    project = here()
    routing.resume(project.store, project.endpoint, reason)
    console.print(f"[green]✓[/] {project.endpoint} answers from its model again")
