"""Build a version again from its lineage, and compare."""

from __future__ import annotations

import click

from threefold.cli.printing import console, here, json_option, print_json, table, tick
from threefold.errors import Refused
from threefold.loop.reproduce import reproduce
from threefold.registry import versions


@click.command()
@click.argument("number", type=int)
@json_option
def command(number: int, as_json: bool) -> None:
    """Rebuild version NUMBER from its archived code and snapshots; exit code 1 if it comes out different."""
    project = here()
    version = versions.get(project.store, project.canvas.project, number)
    with console.status(f"building version {number} again"):
        again = reproduce(project, version)
    if as_json:
        print_json({**_facts(again), "equal": again.equal})
    else:
        rows = [(tick(one.equal), one.what, one.before[:12], one.after[:12]) for one in again.compared]
        table("", ("", "what", "then", "now"), rows, empty="nothing to compare")
        console.print(
            f"predictions of {again.rows} rows: largest difference {again.largest_difference:g}; took {again.took_s:.1f} s"
        )
    if not again.equal:
        raise Refused(
            f"version {number} does not come out the same", versions.subject(version.name, number),
            "compare the environment (threefold version) and the first line that differs",
        )  # fmt: skip


def _facts(again: object) -> dict[str, object]:
    from dataclasses import asdict

    return asdict(again)  # type: ignore[call-overload, no-any-return]  # a dataclass instance
