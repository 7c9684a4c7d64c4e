"""Writes docs/reference.md from the code: `make docs`, or `python docs/make_reference.py`.

Nothing on that page is written by hand. A test compares it with what this file makes, so a new command, setting,
plug-in or error shows up there, or the test fails.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import click

import threefold
from threefold import errors
from threefold.cli.main import SECTIONS, Commands, group
from threefold.data.formats import registry
from threefold.data.sources import PACKAGE
from threefold.design.gates import MEASURES
from threefold.design.settings import TABLE
from threefold.errors import ThreefoldError
from threefold.monitoring import channels, detectors
from threefold.training import candidates, metrics
from threefold.training.family import Family

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "reference.md"
WIDTH = 120


def render() -> str:
    """The whole page."""
    parts = (head, commands, settings, sources, all_metrics, gates, all_candidates, watchers, all_errors, api, rooms)
    return "\n\n".join("\n".join(part()) for part in parts) + "\n"


def head() -> Iterator[str]:
    """What the page is, and what stands on it."""
    yield "# Reference\n\nMade from the code by `make docs`; do not edit it by hand.\n"
    yield "[Commands](#commands) · [Settings](#settings) · [Source formats](#source-formats) · [Metrics](#metrics) ·"
    yield "[Gates](#gates) · [Candidates](#candidates) · [Detectors](#detectors) · [Channels](#channels) ·"
    yield "[Errors](#errors) · [Python](#python) · [Rooms](#rooms)\n"
    yield "The keys of `threefold.yaml` have [a page of their own](canvas.md)."


# ---------------------------------------------------------------------------------------------------- command line


def commands() -> Iterator[str]:
    """Every command in the order of the help page, with arguments and options."""
    yield "## Commands\n\nBefore the command: `-C DIR` for a project that is not here; `--version`; `-h` or `--help`,"
    yield 'which also stand behind each command. Exit code 0 is done, 1 is "the answer is no", 2 is a wrong call.\n'
    assert isinstance(group, Commands)
    context = click.Context(group, info_name="threefold")
    placed = [name for names in SECTIONS.values() for name in names]
    every = group.list_commands(context)
    for name in [*placed, *(name for name in every if name not in placed)]:
        command = group.get_command(context, name)
        assert command is not None
        yield from described(command, name, context)


def described(command: click.Command, name: str, parent: click.Context) -> Iterator[str]:
    """One command, and those below it."""
    context = click.Context(command, info_name=name, parent=parent)
    level = "###" if parent.parent is None else "####"
    pieces = [piece for piece in command.collect_usage_pieces(context) if piece != "[OPTIONS]"]
    yield f"{level} `{' '.join([context.command_path, *pieces])}`\n"
    yield paragraphs(command.help) + "\n"
    options = [one for one in command.params if isinstance(one, click.Option)]
    if options:
        yield from table(("option", "meaning", "default"), (option_row(one, context) for one in options))
        yield ""
    if isinstance(command, click.Group):
        for below in command.list_commands(context):
            child = command.get_command(context, below)
            assert child is not None
            yield from described(child, below, context)


def option_row(option: click.Option, context: click.Context) -> tuple[str, str, str]:
    """An option as a row: how it is written, what it means, its default."""
    names = " / ".join([*option.opts, *option.secondary_opts])
    value = "" if option.is_flag else f" {value_name(option, context)}"
    meaning = (option.help or "") + (" Must be given." if option.required else "")
    return f"`{names}{value}`", meaning, default_of(option)


def default_of(option: click.Option) -> str:
    """What holds where an option is not given; empty where that is nothing."""
    default = option.to_info_dict()["default"]
    if option.secondary_opts:
        return f"`{option.opts[0] if default else option.secondary_opts[0]}`"
    return "" if option.is_flag or default in (None, (), []) else f"`{default}`"


def value_name(option: click.Option, context: click.Context) -> str:
    """The word for an option's value."""
    if isinstance(option.type, click.DateTime):
        return "MOMENT"
    return option.make_metavar(context)


# -------------------------------------------------------------------------------------------------------- tables


def settings() -> Iterator[str]:
    """The settings table."""
    yield "## Settings\n\nA setting stands under `settings` in the canvas, in the environment, or in an option; the later"
    yield "goes before the earlier. `threefold settings` shows what holds.\n"
    rows = (
        (f"`{one.name}`", f"`{one.variable}`", f"`{one.default}`" if one.default else "", one.sentence) for one in TABLE
    )
    yield from table(("setting", "environment", "default", "what it is"), rows)


def sources() -> Iterator[str]:
    """What a `source` of the canvas may be."""
    yield "## Source formats\n\nA file is read by the ending of its name, also in `.gz`, or in a `.zip` that holds one table."
    yield f"A file of an installed package is `{PACKAGE}<distribution>/<file>`; it is found without importing the package."
    yield "A database is a URL of SQLAlchemy, with the table behind `#`: `sqlite:///shop.db#orders`,"
    yield "`postgresql+psycopg://host/shop#orders` (the extra `postgres` brings the driver).\n"
    readers: dict[Any, list[str]] = {}
    for ending in registry.endings():
        readers.setdefault(registry.find(f"x{ending}"), []).append(ending)
    rows = ((", ".join(f"`{one}`" for one in endings), first(reader)) for reader, endings in readers.items())
    yield from table(("ending", "what is read"), rows)


def all_metrics() -> Iterator[str]:
    """Every metric."""
    yield "## Metrics\n\nFor `train: metric`, for gates and for `watch: <metric> drop`.\n"
    yield from table(("metric", "better", "problems", "what it is"), map(metric_row, ours(metrics.family)))


def metric_row(name: str) -> tuple[str, str, str, str]:
    """A metric as a row."""
    member = metrics.family.get(name)
    better = "more" if metrics.greater_is_better(name) else "less"
    return f"`{name}`", better, ", ".join(member.facts["problems"]), first(member.thing)


def gates() -> Iterator[str]:
    """What a gate may look at beside the metrics."""
    yield "## Gates\n\nA gate of the canvas looks at a metric, at a check of the project, or at one of these measures of the"
    yield "packaged model. [The canvas](canvas.md#accept) has the forms.\n"
    yield from table(("measure", "unit"), ((f"`{name}`", unit) for name, unit in MEASURES.items()))


def all_candidates() -> Iterator[str]:
    """Every built-in candidate."""
    yield "## Candidates\n\nFor `train: candidates`; functions and classes of `model.py` stand beside them.\n"
    rows = ((f"`{name}`", of_file(candidates.family.get(name).thing)) for name in ours(candidates.family))
    yield from table(("candidate", "what it is"), rows)


def watchers() -> Iterator[str]:
    """Detectors and channels."""
    yield "## Detectors\n\nHow far a window lies from training.\n"
    yield from table(("detector", "what it is"), members(detectors.family))
    yield "\n## Channels\n\nFor `watch: notify`, each with its target behind it, as in `file alerts.jsonl`.\n"
    yield "An alert that a channel did not take waits, and is tried again at every `threefold watch`.\n"
    yield from table(("channel", "what it does"), members(channels.family))


def all_errors() -> Iterator[str]:
    """Every kind of refusal."""
    yield "## Errors\n\nEvery refusal says what is wrong, where, and what to do; with `--json` as"
    yield '`{"error": {"what": …, "where": …, "do": …}}`.\n'
    kinds = [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, ThreefoldError)]
    yield from table(
        ("error", "exit code", "when"), ((f"`{one.__name__}`", str(one.exit_code), first(one)) for one in kinds)
    )


# ----------------------------------------------------------------------------------------------- Python and rooms


def api() -> Iterator[str]:
    """What `import threefold` offers."""
    yield "## Python\n\nWhat `threefold` exports is the public API; what lies in the rooms may still change."
    for name in threefold.__all__:
        thing = getattr(threefold, name)
        signature = str(inspect.signature(thing)).replace("'", "")
        yield f"\n### `threefold.{name}`\n\n```text\n{name}{signature}\n\n{inspect.getdoc(thing)}\n```"


def rooms() -> Iterator[str]:
    """The rooms in their order, each with its docstring."""
    yield "## Rooms\n\nThe folders of `threefold/`, in the order of a model's life. A room imports only rooms above it."
    for room in room_names():
        module = importlib.import_module(f"threefold.{room}")
        yield f"\n### {room}\n\n```text\n{inspect.getdoc(module)}\n```"


def room_names() -> list[str]:
    """The rooms that are built, in the order that tests/test_layers.py holds."""
    tree = ast.parse((ROOT / "tests" / "test_layers.py").read_text(encoding="utf-8"))
    named = next(
        node.value for node in tree.body if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "ROOMS"
    )
    package = ROOT / "threefold"
    return [
        one
        for one in ast.literal_eval(named)
        if (package / one / "__init__.py").is_file() or (package / f"{one}.py").is_file()
    ]


# ---------------------------------------------------------------------------------------------------------- text


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """A table in Markdown."""
    yield "| " + " | ".join(head) + " |"
    yield "|" + "---|" * len(head)
    for row in rows:
        yield "| " + " | ".join(escaped(cell) for cell in row) + " |"


def escaped(cell: str) -> str:
    """A cell whose text cannot end the cell, nor be taken for HTML."""
    outside = re.split(r"(`[^`]*`)", cell.replace("|", r"\|"))
    return "".join(part if part.startswith("`") else part.replace("<", "&lt;") for part in outside)


def members(family: Family[Any]) -> Iterator[tuple[str, str]]:
    """The plug-ins of a family with the first sentence of each."""
    return ((f"`{name}`", first(family.get(name).thing)) for name in ours(family))


def ours(family: Family[Any]) -> list[str]:
    """The plug-ins that Threefold itself brings; the page must not depend on what else is installed."""
    return [name for name in family.names() if family.get(name).thing.__module__.startswith("threefold.")]


def first(thing: Any) -> str:
    """The first paragraph of a docstring, on one line."""
    return " ".join((inspect.getdoc(thing) or "").split("\n\n", 1)[0].split())


def of_file(thing: Any) -> str:
    """The first sentence of the file that a plug-in stands in."""
    return first(importlib.import_module(thing.__module__))


def paragraphs(text: str | None) -> str:
    """A help text with each paragraph on one line."""
    return "\n\n".join(" ".join(part.split()) for part in inspect.cleandoc(text or "").split("\n\n"))


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
    print(f"wrote {PAGE.relative_to(ROOT)}")
