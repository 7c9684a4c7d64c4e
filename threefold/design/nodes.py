"""YAML with places: every value knows its line, and every fault becomes a finding."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

import yaml

from threefold.design.units import Unfit
from threefold.design.words import advise, nearest, plain_key
from threefold.errors import Finding

T = TypeVar("T")
LIMIT_WITHOUT_QUOTES = re.compile(r":\s*>=?\s*[\d.]")


@dataclass(slots=True)
class Findings:
    """What is wrong in one file, in the order it was met."""

    file: str
    found: list[Finding] = field(default_factory=list)

    def add(self, line: int, what: str, do: str) -> None:
        """Note one fault."""
        self.found.append(Finding(what, f"{self.file}:{line}", do))

    def sorted(self) -> list[Finding]:
        """All of them, from the first line to the last."""
        return sorted(self.found, key=lambda finding: int(finding.where.rpartition(":")[2]))


def compose(text: str, findings: Findings) -> yaml.Node | None:
    """The tree of a YAML text. None where it is no YAML, or empty; the findings say why."""
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        lines = text.splitlines()
        near = lines[line - 1] if line <= len(lines) else ""
        findings.add(line, f"this is not YAML: {_reason(error)}", _remedy(error, near))
        return None
    except yaml.YAMLError as error:  # characters that no YAML file may hold
        line = text.count("\n", 0, getattr(error, "position", 0)) + 1
        findings.add(
            line, "this is not YAML: it holds a character that cannot stand in a text", "save the file as UTF-8 text"
        )
        return None
    except RecursionError:
        findings.add(1, "this is not a canvas: it is nested too deeply", "take `threefold init` as a pattern")
        return None
    if node is None:
        findings.add(1, "the canvas is empty", "begin it with `threefold: 1`, or let `threefold init` write one")
    return node


def _reason(error: yaml.MarkedYAMLError) -> str:
    return " ".join(part for part in (error.context, error.problem) if part)


def _remedy(error: yaml.MarkedYAMLError, line: str) -> str:
    if LIMIT_WITHOUT_QUOTES.search(line):
        return 'put the limit in quotes: ">= 0.7"'
    if "\\t" in (error.problem or "") or line.lstrip(" ").startswith("\t"):
        return "indent with spaces; a tab cannot begin a line"
    if "mapping values are not allowed" in (error.problem or ""):
        return "put a text that holds ': ' in quotes, or check the indentation"
    return "check the indentation, the quotes and the brackets of this line and the one before"


def line_of(node: yaml.Node) -> int:
    """The line a node begins on, counted from 1."""
    return int(node.start_mark.line) + 1


def is_empty(node: yaml.Node) -> bool:
    """Whether a key stands there without a value."""
    return isinstance(node, yaml.ScalarNode) and bool(node.tag == "tag:yaml.org,2002:null")


def says(node: yaml.Node) -> str:
    """What stands there, for a message."""
    if isinstance(node, yaml.ScalarNode):
        return f"'{node.value}'" if len(node.value) <= 60 else f"'{node.value[:57]}...'"
    return "a list" if isinstance(node, yaml.SequenceNode) else "a block of keys"


class Block:
    """One mapping of the canvas, read key by key; `close` reports every key that nobody asked for, or that is missing.

    Args:
        path: how messages call it: "predict", "data.flights"; "" is the whole file.
        node: what stands there; None or an empty value is a block without keys.
    """

    def __init__(self, path: str, node: yaml.Node | None, findings: Findings) -> None:
        self.path = path
        self.findings = findings
        self.line = line_of(node) if node is not None else 1
        self.entries: dict[str, tuple[yaml.ScalarNode, yaml.Node]] = {}
        self._asked: dict[str, str] = {}
        self._missing: dict[str, str] = {}  # key -> example
        if isinstance(node, yaml.MappingNode):
            self._take(node)
        elif node is not None and not is_empty(node):
            findings.add(line_of(node), f"{self._named()} is {says(node)}", "write keys with values below it")

    def _named(self, key: str = "") -> str:
        full = ".".join(part for part in (self.path, key) if part)
        return f"'{full}'" if full else "the canvas"

    def _take(self, node: yaml.MappingNode) -> None:
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self.findings.add(line_of(key), f"a key of {self._named()} is {says(key)}", "write a word as the key")
                continue
            earlier = self.entries.get(plain_key(key.value))
            if earlier:
                what = f"the key {self._named(key.value)} stands twice, first on line {line_of(earlier[0])}"
                self.findings.add(line_of(key), what, "keep one of the two")
                continue
            self.entries[plain_key(key.value)] = (key, value)

    def node(self, key: str) -> yaml.Node | None:
        """The value of a key, which from now on counts as known."""
        self._asked[plain_key(key)] = key
        entry = self.entries.get(plain_key(key))
        return entry[1] if entry else None

    def line_at(self, key: str) -> int:
        """The line of a key; that of the block where the key is missing."""
        entry = self.entries.get(plain_key(key))
        return line_of(entry[0]) if entry else self.line

    def names(self) -> list[str]:
        """The keys that stand there, as written."""
        return [key.value for key, _ in self.entries.values()]

    def read(self, key: str, convert: Callable[[yaml.Node], T], default: T) -> T:
        """The value of a key.

        Args:
            convert: makes the value from its node; raises Unfit, which becomes a finding.
            default: what a missing, or wrong, key stands for.
        """
        node = self.node(key)
        if node is None:
            return default
        if is_empty(node):
            self.findings.add(line_of(node), f"{self._named(key)} has no value", "give it one, or remove the key")
            return default
        try:
            return convert(node)
        except Unfit as wrong:
            self.findings.add(line_of(node), f"{self._named(key)} is {wrong.said or says(node)}", wrong.advice)
            return default

    def need(self, key: str, convert: Callable[[yaml.Node], T], default: T, example: str) -> T:
        """The value of a key that has to be there; `close` reports it where it is missing."""
        if plain_key(key) not in self.entries:
            self._missing[key] = example
        return self.read(key, convert, default)

    def block(self, key: str) -> Block:
        """The mapping below a key."""
        path = f"{self.path}.{key}" if self.path else key
        return Block(path, self.node(key), self.findings)

    def rest(self) -> Iterator[tuple[str, yaml.Node]]:
        """The keys nobody asked for yet, with their values; from now on they count as known."""
        for plain, (key, value) in self.entries.items():
            if plain not in self._asked:
                self._asked[plain] = key.value
                yield key.value, value

    def wrong(self, key: str, what: str, do: str) -> None:
        """Note a fault at a key."""
        self.findings.add(self.line_at(key), what, do)

    def close(self, elsewhere: Iterable[tuple[str, str]] = ()) -> None:
        """Report every key that is missing, and every key that nobody asked for.

        Args:
            elsewhere: (key, block) pairs: where keys of other blocks belong.
        """
        known = list(self._asked.values())
        strange = [key.value for plain, (key, _) in self.entries.items() if plain not in self._asked]
        for key_, example in self._missing.items():
            if not nearest(key_, strange):  # a misspelt key is one fault, not two
                self.findings.add(self.line, f"{self._named(key_)} is missing", f"add a line such as `{example}`")
        homes = {plain_key(key): home for key, home in elsewhere}
        for plain, (key, _) in self.entries.items():
            if plain in self._asked:
                continue
            home = homes.get(plain)
            do = f"it belongs below '{home}'" if home else advise(key.value, known, "the keys here are")
            self.findings.add(line_of(key), f"{self._named()} has no key '{key.value}'", do)
