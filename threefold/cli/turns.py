"""How a turn of the loop is printed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from threefold.cli.printing import console, table, tick
from threefold.loop.lifecycle import Turn
from threefold.loop.project import Project
from threefold.pipeline.engine import Decision
from threefold.records import GateResult, plain
from threefold.serving import routing


def print_plan(decisions: Sequence[Decision]) -> None:
    """Every step with what would happen to it, and why."""
    rows = [(one.step, one.action, one.reason) for one in decisions]
    table("", ("step", "would", "because"), rows, empty="there are no steps")


def print_turn(project: Project, turn: Turn) -> None:
    """What ran, what the gates said, what is served now."""
    counts = Counter(one.status for one in turn.outcome.executions)
    took = sum(one.duration_s or 0 for one in turn.outcome.executions)
    console.print(f"{counts['ran']} steps ran, {counts['reused']} reused, {took:.1f} s  [dim]run {turn.run_id[:8]}[/]")
    if turn.results:
        print_gates(turn.results)
    if turn.version is None:
        return
    console.print(f"version [bold]{turn.version.number}[/] of {turn.version.name}: {turn.version.status}")
    if turn.release is not None:
        arms = ", ".join(
            f"version {arm.number} ({arm.share:.0%})" for arm in routing.current(project.store, project.endpoint).arms
        )
        console.print(f"released: {arms}; serve it with: threefold serve")
    elif turn.held:
        console.print(f"[yellow]●[/] {turn.held}")
    elif turn.version.status == "candidate":
        console.print(f"it waits for a person: threefold release approve {turn.version.number} --by NAME --reason WHY")


def print_gates(results: Sequence[GateResult]) -> None:
    """Each gate with its verdict and its sentence."""
    rows = [(tick(one.passed), one.gate, one.sentence) for one in results]
    table("", ("", "gate", ""), rows, empty="no gates")


def turn_as_json(turn: Turn) -> dict[str, Any]:
    """The same for a script."""
    return {
        "run": turn.run_id,
        "steps": [plain(one) for one in turn.outcome.executions],
        "version": plain(turn.version),
        "gates": plain(turn.results),
        "release": plain(turn.release),
        "held": turn.held,
    }
