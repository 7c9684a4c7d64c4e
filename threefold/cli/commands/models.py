"""List model versions and look at one."""

from __future__ import annotations

import click

from threefold.cli.printing import console, here, json_option, print_json, table
from threefold.cli.turns import print_gates
from threefold.registry import approvals, evidence, versions


@click.group()
def command() -> None:
    """Every registered version with its status, evidence and lineage."""


@command.command("list")
@json_option
def list_(as_json: bool) -> None:
    """The versions of this project's model."""
    project = here()
    found = versions.list_versions(project.store, project.canvas.project)
    if as_json:
        print_json(found)
        return
    marks = {number: alias for alias, number in versions.aliases(project.store, project.canvas.project).items()}
    rows = [
        (one.number, one.status, marks.get(one.number, ""), one.lineage.candidate, one.lineage.as_of or "all data",
         one.created_at, one.bundle[:12])
        for one in found
    ]  # fmt: skip
    columns = (">version", "status", "alias", "candidate", "data as of", "made", "bundle")
    table("", columns, rows, empty="no versions yet; make one with: threefold run")


@command.command()
@click.argument("number", type=int)
@json_option
def show(number: int, as_json: bool) -> None:
    """One version: what it rests on, what the gates said, who approved it."""
    project = here()
    version = versions.get(project.store, project.canvas.project, number)
    proof = evidence.of(project.store, versions.subject(version.name, number))
    given = approvals.of(project.store, version.name, number)
    if as_json:
        print_json({"version": version, "evidence": proof, "approvals": given})
        return
    lineage = version.lineage
    console.print(
        f"[bold]{version.name} {number}[/]  {version.status}  {lineage.candidate}  bundle {version.bundle[:12]}"
    )
    console.print(f"  data as of  {lineage.as_of or 'all that the sources held'}")
    for name, digest in lineage.snapshots.items():
        console.print(f"  snapshot    {name} {digest[:12]}")
    commit = lineage.code.get("commit")
    console.print(
        f"  code        archive {lineage.code['archive'][:12]}" + (f", commit {commit[:12]}" if commit else "")
    )
    console.print(f"  run         {version.run_id[:8]}")
    table("metrics", ("name", ">value"), version.metrics.items(), empty="no metrics")
    newest = evidence.newest(project.store, versions.subject(version.name, number))
    print_gates([one.result for one in newest])
    if len(newest) < len(proof):
        console.print(f"the newest of its acceptance tests; {len(proof) - len(newest)} earlier results: --json")
    for approval in given:
        console.print(f"approved by {approval.by}: {approval.reason}")
