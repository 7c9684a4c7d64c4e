"""Show where the project stands: what is served, open alerts, last runs."""

from __future__ import annotations

import click

from threefold.cli.printing import console, here, json_option, print_json
from threefold.errors import NotFound
from threefold.loop.project import Project
from threefold.monitoring.watch import open_alerts
from threefold.pipeline import runs
from threefold.records import ModelVersion, Routing
from threefold.registry import evidence, versions
from threefold.serving import routing


@click.command()
@json_option
def command(as_json: bool) -> None:
    """Show where the project stands."""
    project = here()
    served = _served(project)
    alerts = open_alerts(project.store, project.endpoint)
    known = versions.list_versions(project.store, project.canvas.project)
    refused = _refused(project, served, known)
    last = runs.list_runs(project.store, kind="pipeline", limit=1)
    if as_json:
        print_json(
            {
                "project": project.canvas.project,
                "serving": served,
                "alerts": alerts,
                "versions": known,
                "last_run": last,
                "refused_in_production": refused,
            }
        )
        return
    console.print(f"[bold]{project.canvas.project}[/]  {project.canvas.value.need}")
    console.print(f"  canvas    {project.canvas.file}")
    console.print(f"  last run  {_last(last)}")
    console.print(f"  versions  {_versions(known)}")
    console.print(f"  serving   {_serving(served)}")
    for number, reasons in refused.items():
        console.print(
            f"            [red]● version {number} answers in production, but the newest acceptance test refused it:[/] "
            f"{'; '.join(reasons)}\n            go back: threefold rollback; or let it stay on purpose: "
            f"threefold release approve {number} --by NAME --reason WHY"
        )
    console.print(f"  alerts    {len(alerts)} open" if alerts else "  alerts    none open")
    for alert in alerts:
        console.print(f"            [yellow]●[/] {alert.sentence}")


def _refused(project: Project, served: Routing | None, known: tuple[ModelVersion, ...]) -> dict[int, list[str]]:
    """The versions that answer although a later acceptance test said no, with its sentences."""
    answering = {arm.number for arm in served.arms} if served else set()
    return {
        one.number: [
            proof.result.sentence
            for proof in evidence.newest(project.store, versions.subject(one.name, one.number))
            if not proof.result.passed
        ]
        for one in known
        if one.number in answering and one.status == "refused"
    }


def _served(project: Project) -> Routing | None:
    try:
        return routing.current(project.store, project.endpoint)
    except NotFound:
        return None


def _serving(served: Routing | None) -> str:
    if served is None:
        return "nothing yet; release a model: threefold run"
    if served.stopped:
        return "stopped: the fallback answers"
    arms = ", ".join(f"version {arm.number} ({arm.share:.0%})" for arm in served.arms)
    back = f"; version {served.previous.number} is one `threefold rollback` away" if served.previous else ""
    return arms + back


def _versions(known: tuple[ModelVersion, ...]) -> str:
    if not known:
        return "none yet"
    newest = known[-1]
    return f"{len(known)}; newest is {newest.number} ({newest.status})"


def _last(found: list[runs.Run]) -> str:
    if not found:
        return "none yet; start with: threefold run"
    run = found[0]
    return f"{run.id[:8]} {run.kind} {run.status}, started {run.started_at[:19].replace('T', ' ')}"
