"""Step: one node of a graph, and the checks a graph passes before anything runs."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from threefold.design.canvas import CommandStep
from threefold.errors import NotFound, ThreefoldError


@dataclass(frozen=True, slots=True)
class Step:
    """One node of a graph: a plain function, or a command line with declared inputs and outputs.

    Whatever the step reads is named here, because the key under which its outputs are kept is made of it: the
    function's source and all project code it reaches, `params`, the content of `inputs`, what `observe` says, and
    the environment.

    >>> double = Step("double", lambda n: 2 * n, inputs={"n": "count"})
    >>> double.references()
    (('n', 'count', None),)
    """

    name: str
    run: Callable[..., Any] | CommandStep
    inputs: Mapping[str, str] = field(default_factory=dict)  # parameter -> "step" or "step.output"
    params: Mapping[str, Any] = field(default_factory=dict)  # parameter -> JSON value or record; part of the key
    given: Mapping[str, Any] = field(default_factory=dict)  # parameter -> object handed over; not part of the key
    code: tuple[Any, ...] = ()  # project functions, modules, paths the step reaches beyond its own source
    told: tuple[Any, ...] = ()  # functions whose docstring the result quotes, so that it counts as their code does
    words: Mapping[str, str] = field(default_factory=dict)  # parameter -> how people call it, for the reasons
    by_digest: tuple[str, ...] = ()  # parameters that get the digest of their input, not its value
    outputs: tuple[str, ...] = ()  # names, when the function returns a mapping of several outputs
    observe: Callable[[], Any] | None = None  # JSON state of the outside world; part of the key
    cache: bool = True  # False: run every time
    refers: Callable[[Any], Iterable[str]] | None = None  # digests of further objects that its only output points at
    stage: str = ""  # data, features, train, gates, release; for the display, and for running a part

    def references(self) -> tuple[tuple[str, str, str | None], ...]:
        """The inputs as (parameter, step, output); an output of None is the only one."""
        parts = ((parameter, *reference.partition(".")) for parameter, reference in self.inputs.items())
        return tuple((parameter, step, output if dot else None) for parameter, step, dot, output in parts)

    def needs(self) -> tuple[str, ...]:
        """The names of the steps that must come first."""
        return tuple(dict.fromkeys(step for _, step, _ in self.references()))


def order(steps: Sequence[Step], targets: Collection[str] | None = None) -> list[Step]:
    """The steps that the targets need, each after what it needs itself.

    Args:
        steps: the whole graph; names are unique.
        targets: names of steps or of stages; None is every step.
    Raises:
        NotFound: a target or an input names no step.
        ThreefoldError: a name stands twice, an output does not exist, or the steps need one another in a circle.
    """
    graph = _by_name(steps)
    for step in steps:
        _check_inputs(step, graph)
    wanted = list(graph) if targets is None else [name for target in targets for name in _chosen(target, graph)]
    placed: dict[str, Step] = {}
    for name in wanted:
        _place(name, graph, placed, ())
    return list(placed.values())


def _by_name(steps: Sequence[Step]) -> dict[str, Step]:
    graph: dict[str, Step] = {}
    for step in steps:
        if step.name in graph:
            raise ThreefoldError(f"two steps are named {step.name!r}", "the graph", "give each step its own name")
        if not step.name or "." in step.name:
            raise ThreefoldError(
                f"a step cannot be named {step.name!r}", "the graph", "use a name without a dot: the dot names outputs"
            )
        graph[step.name] = step
    return graph


def _check_inputs(step: Step, graph: Mapping[str, Step]) -> None:
    for parameter, source, output in step.references():
        place = f"input {parameter!r} of step {step.name!r}"
        if source not in graph:
            raise NotFound(f"there is no step {source!r}", place, nearest(source, graph))
        offered = output_names(graph[source])
        if output is None and offered:
            raise NotFound(f"step {source!r} has several outputs", place, f"name one of them: {', '.join(offered)}")
        if output is not None and output not in offered:
            raise NotFound(f"step {source!r} has no output {output!r}", place, nearest(output, offered))


def output_names(step: Step) -> tuple[str, ...]:
    """The names of a step's outputs; empty where it has one without a name."""
    if not isinstance(step.run, CommandStep):
        return step.outputs
    table = step.run.table
    names = (*step.run.outputs, *((table.partition(":")[0].strip(),) if table else ()))
    return tuple(dict.fromkeys(names))


def _chosen(target: str, graph: Mapping[str, Step]) -> Iterator[str]:
    if target in graph:
        yield target
        return
    members = [step.name for step in graph.values() if step.stage and step.stage == target]
    if not members:
        stages = {step.stage for step in graph.values() if step.stage}
        raise NotFound(f"there is no step or stage {target!r}", "the graph", nearest(target, [*stages, *graph]))
    yield from members


def _place(name: str, graph: Mapping[str, Step], placed: dict[str, Step], path: tuple[str, ...]) -> None:
    if name in placed:
        return
    if name in path:
        circle = " -> ".join((*path[path.index(name) :], name))
        raise ThreefoldError("steps need one another in a circle", circle, "take one of these inputs away")
    for needed in graph[name].needs():
        _place(needed, graph, placed, (*path, name))
    placed[name] = graph[name]


def nearest(word: str, known: Collection[str]) -> str:
    """The advice for a name that does not exist: the nearest one, or all of them."""
    close = difflib.get_close_matches(word, known, n=1)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"there are: {', '.join(known)}" if known else "there is none"
