"""List runs and look at one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import click
from rich.markup import escape

from threefold.cli.printing import console, json_option, memory, print_json, seconds, size, table
from threefold.pipeline import runs
from threefold.store import Store
from threefold.store.recorder.console import NAME
from threefold.store.recorder.surroundings import DIFF
from threefold.store.recorder.system import SYSTEM, Spent, spent


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
@click.option("--console", "printed", is_flag=True, help="Print what the run printed, and nothing else.")
@json_option
def show(run_id: str, printed: bool, as_json: bool) -> None:
    """One run: parameters, metrics, files, steps. The first letters of its id are enough."""
    store = memory()
    run = runs.get(store, run_id)
    files = runs.files_of(store, run.id)
    said = _text(store, files, NAME)
    if printed and not as_json:
        click.echo(said, nl=not said.endswith("\n"))
        return
    metrics, steps = runs.metrics_of(store, run.id), runs.executions_of(store, run.id)
    took = spent(metrics, run.tags)
    if as_json:
        print_json(
            {
                "run": run, "metrics": metrics, "curves": runs.curves_of(store, run.id), "steps": steps, "spent": took,
                "files": [{"path": path, "digest": one[0], "size": one[1]} for path, one in files.items()],
                "console": said, "diff": _text(store, files, DIFF),
            }
        )  # fmt: skip
        return
    console.print(f"[bold]{run.id}[/]  {run.kind} {run.name}  {run.status}")
    if run.error:
        console.print(f"  [red]{run.error['what']}[/] ({run.error['where']})")
    for name, value in _facts(run, took):
        console.print(f"  [dim]{name:8}[/] {escape(value)}", soft_wrap=True)
    machine = {name: value for name, value in metrics.items() if name.startswith(SYSTEM)}
    table("parameters", ("name", "value"), run.params.items(), empty="no parameters")
    table("metrics", ("name", ">value"), [one for one in metrics.items() if one[0] not in machine], empty="no metrics")
    if machine:
        rows = [(name.removeprefix(SYSTEM), value) for name, value in machine.items()]
        table("machine, at last", ("name", ">value"), rows, empty="")
    table("files", ("path", ">size"), [(path, size(one[1])) for path, one in files.items()], empty="no files")
    decided = [(step.step, step.status, seconds(step.started_at, step.ended_at), step.reason) for step in steps]
    table("steps", ("step", "status", ">seconds", "because"), decided, empty="no steps")
    if said:
        console.print(f"what it printed: threefold runs show {run.id[:8]} --console")


def _facts(run: runs.Run, took: Spent | None) -> Iterator[tuple[str, str]]:
    if took is not None:
        yield "took", str(took)
    machine = [run.host, *(str(run.tags.get(f"machine.{name}") or "") for name in ("system", "python"))]
    yield "on", ", ".join(one for one in machine if one)
    if run.code.get("commit"):
        changed = ", with changes that are not committed" if run.code.get("dirty") else ""
        yield "commit", f"{run.code['commit']}{changed}"


def _text(store: Store, files: Mapping[str, tuple[str, int]], path: str) -> str:
    return store.objects.get(files[path][0]).decode("utf-8", "replace") if path in files else ""
