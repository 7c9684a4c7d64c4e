"""Run the lifecycle: data, features, training, gates, release; unchanged steps are reused."""

from __future__ import annotations

from datetime import datetime

import click

from threefold.cli.printing import console, here, json_option, print_json
from threefold.cli.progress import StepProgress
from threefold.cli.turns import print_gates, print_plan, print_turn, turn_as_json
from threefold.errors import GateFailed
from threefold.loop import lifecycle


@click.command()
@click.argument("stage", required=False, type=click.Choice(lifecycle.STAGES))
@click.option("--explain", is_flag=True, help="Say for each step why it would run or be reused; run nothing.")
@click.option("--force", multiple=True, metavar="STEP", help="Run this step even if nothing changed; repeatable.")
@click.option("--accept", multiple=True, metavar="TABLE", help="Take this table's new shape on purpose; repeatable.")
@click.option("--as-of", type=click.DateTime(), help="Train on what was known at this moment of the data.")
@click.option("--reason", default="by hand", show_default=True, help="Why the loop turns; kept with the release.")
@json_option
def command(
    stage: str | None,
    explain: bool,
    force: tuple[str, ...],
    accept: tuple[str, ...],
    as_of: datetime | None,
    reason: str,
    as_json: bool,
) -> None:
    """Run the lifecycle up to STAGE, or all of it.

    The stages are data, features, train, gates and release. A step runs only if something it depends on changed.
    """
    project = here(runs=True)
    if explain:
        decisions = lifecycle.plan(project, stage=stage, as_of=as_of, force=force, accept=accept)
        print_json(decisions) if as_json else print_plan(decisions)
        return
    if as_json:
        print_json(
            turn_as_json(lifecycle.turn(project, stage=stage, as_of=as_of, force=force, accept=accept, reason=reason))
        )
        return
    try:
        with StepProgress(console) as progress:
            turn = lifecycle.turn(
                project, stage=stage, as_of=as_of, force=force, accept=accept, reason=reason,
                on_step=progress.step, on_progress=progress.detail,
            )  # fmt: skip
    except GateFailed as error:
        print_gates(error.results)
        raise
    print_turn(project, turn)
