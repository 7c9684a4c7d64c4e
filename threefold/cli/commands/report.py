"""Write the report of the project: one self-contained HTML file with charts."""

from __future__ import annotations

from pathlib import Path

import click

from threefold.cli.printing import console, here, json_option, print_json
from threefold.governance.report import render
from threefold.governance.summary import months_table
from threefold.governance.telling import tell


@click.command()
@click.option("--html", type=click.Path(path_type=Path), help="Write it here; default: <project>/report.html.")
@json_option
def command(html: Path | None, as_json: bool) -> None:
    """Tell the life of the project so far: data, candidates, gates, releases, months, alerts, lineage."""
    project = here()
    story = tell(project)
    if as_json:
        print_json(story)
        return
    target = html or project.root / "report.html"
    target.write_text(render(story), encoding="utf-8")
    if story.months:
        console.print(months_table(story))
    console.print(f"[green]✓[/] report  {target}")
