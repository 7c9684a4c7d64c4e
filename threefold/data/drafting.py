"""Writing a canvas for a table that somebody brings."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence

from threefold.data.inspection import Inspection
from threefold.data.moments import Reading
from threefold.data.uninformative import LeftOut
from threefold.records import Problem

PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*( [A-Za-z0-9_./-]+)*")
WORDS = ("yes", "no", "true", "false", "on", "off", "null", "y", "n")  # YAML readers take these for something else
GATES: dict[Problem, tuple[str, str]] = {
    "binary": ("roc_auc over baseline", ">= 0.02"),
    "multiclass": ("log_loss over baseline", ">= 0.05"),
    "regression": ("r2 over baseline", ">= 0.05"),
}
FLOORS: dict[Problem, tuple[str, str]] = {
    "binary": ("roc_auc", ">= 0.6"),
    "multiclass": ("accuracy", ">= 0.5"),
    "regression": ("r2", ">= 0.1"),
}
DECAY: dict[Problem, str] = {
    "binary": "roc_auc drop: 0.05",
    "multiclass": "accuracy drop: 0.05",
    "regression": "r2 drop: 0.1",
}

WINDOWS = (("1 day", 1), ("7 days", 7), ("30 days", 30), ("90 days", 90))
TELLING = 200  # rows of a window that let its numbers mean something


def draft(project: str, table: str, source: str, nulls: tuple[str, ...], found: Inspection) -> str:
    """The text of a canvas that runs as it is, with the reasons as comments.

    Args:
        project: its name.
        table: the table's name.
        source: as the canvas shall have it.
        nulls: texts that mean "no value", where they are others than the usual ones.
        found: what the inspection of the table said.
    """
    lines = ["threefold: 1", f"project: {word(project)}", ""]
    lines += _value(found.problem)
    lines += ["", "data:", f"  {table}: {_source(source, nulls, found.at)}"]
    lines += ["", "predict:", *_predict(found)]
    lines += ["", "train:", *_train(found), "", "accept:", *_gates(found.problem)]
    lines += ["", f"watch: {{{_window(found)}, {DECAY[found.problem]}}}", "retrain: {on: [drift, decay]}"]
    return "\n".join(lines) + "\n"


def draft_cleaning(table: str, readings: Sequence[Reading]) -> str:
    """The text of a data.py that makes times of dates in other spellings."""
    lines = [f"        {one.code()},  # as in {one.example}" for one in readings]
    return "\n".join([
        '"""Cleaning: one function per table, found by its name."""', "", "import polars as pl", "", "",
        f"def clean_{table}({table}: pl.DataFrame) -> pl.DataFrame:",
        '    """Dates as dates: this is how they are written in the table."""',
        f"    return {table}.with_columns(", *lines, "    )", "",
    ])  # fmt: skip


def word(text: str) -> str:
    """A text as YAML: plain where that is safe, otherwise in quotes.

    >>> word("age group"), word("yes"), word("a: b")
    ('age group', '"yes"', '"a: b"')
    """
    if PLAIN.fullmatch(text) and text.lower() not in WORDS:
        return text
    return json.dumps(text, ensure_ascii=False)


def _value(problem: Problem) -> list[str]:
    lines = [
        "# value:                   # say why this exists; whoever reads the canvas will ask",
        "#   for: who uses the predictions",
    ]
    lines += ["#   need: what they have to decide", "#   benefit: what they gain"]
    if problem == "binary":
        lines += [
            "#   mistakes: {false_positive: 1 EUR, false_negative: 5 EUR}   # decides from which probability on it says yes"
        ]
    return [*lines, "#   risk: minimal           # tier of the EU AI Act"]


def _source(source: str, nulls: tuple[str, ...], at: str | None) -> str:
    parts = [f"source: {word(source)}"]
    if at:
        parts.append(f"time: {word(at)}")
    if nulls:
        parts.append(f"nulls: [{', '.join(json.dumps(one, ensure_ascii=False) for one in nulls)}]")
    return "{" + ", ".join(parts) + "}"


def _predict(found: Inspection) -> Iterator[str]:
    yield f"  target: {word(found.target)}"
    yield f"  problem: {found.problem}"
    if found.positive is not None:
        yield f"  positive: {word(found.positive)}"
    if found.id is not None:
        yield f"  id: {word(found.id)}"
    if found.at is not None:
        yield f"  at: {word(found.at)}"
    by = "time" if found.at else "random"
    yield f"  split: {{by: {by}, test: 20%}}".ljust(38) + "# locked away until the acceptance test"
    if found.left_out:
        yield "  leave out:"
        yield from (_left_out(one) for one in found.left_out)


def _window(found: Inspection) -> str:
    """The shortest window with rows enough to say something, as far as the table tells how many come in a day."""
    daily = found.rows / max(found.days, 1.0) if found.days is not None else 0.0
    window, days = next(((name, days) for name, days in WINDOWS if daily * days >= TELLING), WINDOWS[-1])
    if not daily:
        window, days = WINDOWS[1]
    least = min(500, max(20, round(daily * days / 2, -1))) if daily else 100
    return f"window: {window}, min rows: {least:.0f}"


def _left_out(one: LeftOut) -> str:
    reason = " ".join(one.reason.split())
    return f"    - {word(one.column)}".ljust(37) + f" # {reason}"


def _train(found: Inspection) -> Iterator[str]:
    yield f"  baseline: {word(found.baseline)}".ljust(38) + "# the heuristic to beat; in serving it is the fallback"
    yield "  candidates: [linear, boosting]"
    yield "  budget: 30 s"


def _gates(problem: Problem) -> Iterator[str]:
    (floor, least), (gain, more) = FLOORS[problem], GATES[problem]
    yield f'  {floor}: "{least}"'.ljust(38) + "# a first guess: raise it to what is worth releasing"
    yield f'  {gain}: "{more}"'
