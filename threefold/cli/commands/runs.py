"""List runs and look at one."""

from __future__ import annotations

import click

from threefold.cli.printing import console, json_option, memory, print_json, seconds, table
from threefold.pipeline import runs


@click.group()
def command() -> None:
    """Every run, of the whole graph or of one candidate, with parameters, metrics and duration."""


@command.command("list")
@click.option("--kind", help="pipeline, candidate, replay or reproduce.")
@click.option("--last", type=click.IntRange(min=1), default=20, show_default=True, help="How many of the newest.")
@json_option
def list_(kind: str | None, last: int, as_json: bool) -> None:
    """The newest runs."""
    found = runs.list_runs(memory(), kind=kind, limit=last)
    if as_json:
        print_json(found)
        return
    rows = [
        (
            run.id[:8],
            run.kind,
            run.name,
            run.status,
            run.started_at[:19].replace("T", " "),
            seconds(run.started_at, run.ended_at),
        )
        for run in found
    ]
    columns = ("run", "kind", "name", "status", "started (UTC)", ">seconds")
    none = "no runs yet; start with: threefold run"
    if kind is not None:
        none = f"no run is of the kind '{kind}'; see all: threefold runs list"
    table("", columns, rows, empty=none)


@command.command()
@click.argument("run_id")
@json_option
def show(run_id: str, as_json: bool) -> None:
    """One run: parameters, metrics, steps. The first letters of its id are enough."""
    store = memory()
    run = runs.get(store, run_id)
    metrics, steps = runs.metrics_of(store, run.id), runs.executions_of(store, run.id)
    if as_json:
        print_json({"run": run, "metrics": metrics, "curves": runs.curves_of(store, run.id), "steps": steps})
        return
    console.print(f"[bold]{run.id}[/]  {run.kind} {run.name}  {run.status}")
    if run.error:
        console.print(f"  [red]{run.error['what']}[/] ({run.error['where']})")
    table("parameters", ("name", "value"), run.params.items(), empty="no parameters")
    table("metrics", ("name", ">value"), metrics.items(), empty="no metrics")
    rows = [(step.step, step.status, seconds(step.started_at, step.ended_at), step.reason) for step in steps]
    table("steps", ("step", "status", ">seconds", "because"), rows, empty="no steps")
