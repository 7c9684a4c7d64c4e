"""What a value of the canvas may be: each function turns one YAML node into a value, or raises Unfit."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

import yaml

from threefold.design import units
from threefold.design.units import Unfit
from threefold.design.words import nearest, plain_key

T = TypeVar("T")


def text(node: yaml.Node) -> str:
    """A single text, as it is written: `yes`, `1` and `2013-01-01` too."""
    if not isinstance(node, yaml.ScalarNode):
        raise Unfit("a single text")
    if not node.value.strip():
        raise Unfit("a text that is not empty")
    return _kept(node)


def raw(node: yaml.Node) -> str:
    """A single text, which may be empty."""
    if not isinstance(node, yaml.ScalarNode):
        raise Unfit("a single text")
    return _kept(node)


def _kept(node: yaml.ScalarNode) -> str:
    """In quotes every space counts: a column may be named " age"."""
    value = str(node.value)
    return value if node.style in ("'", '"') else value.strip()


def texts(node: yaml.Node) -> tuple[str, ...]:
    """A list of texts; a single one counts as a list of one."""
    if isinstance(node, yaml.ScalarNode):
        return (text(node),)
    if not isinstance(node, yaml.SequenceNode) or not all(isinstance(one, yaml.ScalarNode) for one in node.value):
        raise Unfit("a list such as [one, two]")
    return tuple(text(one) for one in node.value)


def raws(node: yaml.Node) -> tuple[str, ...]:
    """A list of texts, each of which may be empty; a single one counts as a list of one."""
    if isinstance(node, yaml.ScalarNode):
        return (raw(node),)
    if not isinstance(node, yaml.SequenceNode) or not all(isinstance(one, yaml.ScalarNode) for one in node.value):
        raise Unfit('a list of texts such as ["", NA]')
    return tuple(raw(one) for one in node.value)


def number(low: float, high: float, example: str) -> Callable[[yaml.Node], float]:
    """A number within limits, both allowed."""
    expected = f"a number from {low:g} to {high:g}, such as {example}"

    def convert(node: yaml.Node) -> float:
        parts = units.quantity(text(node))
        if parts is None or parts[1] not in ("", "%"):
            raise Unfit(expected)
        value = parts[0] / 100 if parts[1] else parts[0]
        if not low <= value <= high:
            raise Unfit(expected)
        return value

    return convert


def whole(low: int, high: int) -> Callable[[yaml.Node], int]:
    """A whole number within limits, both allowed."""

    def convert(node: yaml.Node) -> int:
        value = text(node).replace("_", "")
        if not re.fullmatch(r"[+-]?\d{1,18}", value) or not low <= int(value) <= high:
            raise Unfit(f"a whole number from {low} to {high}")
        return int(value)

    return convert


def one_of(*words: str) -> Callable[[yaml.Node], str]:
    """One of a few words; capitals, underscores and hyphens do not matter."""

    def convert(node: yaml.Node) -> str:
        return choose(text(node), words)

    return convert


def some_of(*words: str) -> Callable[[yaml.Node], tuple[str, ...]]:
    """A list out of a few words, each at most once."""

    def convert(node: yaml.Node) -> tuple[str, ...]:
        return tuple(dict.fromkeys(choose(word, words) for word in texts(node)))

    return convert


def choose(word: str, words: tuple[str, ...]) -> str:
    """The word that was meant. Raises Unfit with the nearest one."""
    for one in words:
        if plain_key(one) == plain_key(word):
            return one
    raise Unfit(("one of: " if len(words) > 1 else "") + ", ".join(words), nearest(word, words), said=f"'{word}'")


def of_text(parse: Callable[[str], T]) -> Callable[[yaml.Node], T]:
    """A value that stands in a single text, such as a duration."""

    def convert(node: yaml.Node) -> T:
        return parse(text(node))

    return convert


duration = of_text(units.duration)
money = of_text(units.money)


def positive_duration(node: yaml.Node) -> timedelta:
    """A length of time above zero."""
    length = duration(node)
    if not length:
        raise Unfit(units.DURATION)
    return length


def part(node: yaml.Node) -> float:
    """A share that leaves something on both sides: above 0 and below 1."""
    value = units.share(text(node))
    if not 0 < value < 1:
        raise Unfit("a share between 0% and 100%, such as 20%")
    return value


def rollout(node: yaml.Node) -> tuple[float, ...]:
    """The shares of a release on its way: "at once", or "canary 5% 25% 100%", each larger than the one before."""
    words = text(node).replace(",", " ").split()
    if [word.lower() for word in words] == ["at", "once"]:
        return (1.0,)
    if len(words) < 2 or words[0].lower() != "canary":
        near = nearest(words[0], ("canary",)) or nearest(" ".join(words), ("at once",))
        raise Unfit("'at once' or 'canary 5% 25% 100%'", " ".join((near, *words[1:])) if near == "canary" else near)
    steps = tuple(units.share(word) for word in words[1:])
    if steps[-1] != 1.0 or list(steps) != sorted(set(steps)) or steps[0] <= 0:
        raise Unfit("growing shares that end with 100%, such as canary 5% 25% 100%")
    return steps


def persist(node: yaml.Node) -> tuple[int, int]:
    """How many windows out of how many must agree: "2 of 3"."""
    found = re.fullmatch(r"(\d{1,4})\s+of\s+(\d{1,4})", text(node))
    if not found or not 1 <= int(found[1]) <= int(found[2]):
        raise Unfit("how many windows of how many, such as 2 of 3")
    return int(found[1]), int(found[2])


def calibration(node: yaml.Node) -> float | None:
    """A limit from 0 to 1, or "off"."""
    if text(node).lower() in ("off", "none", "no"):
        return None
    return number(0, 1, "0.1, or off")(node)


def name(node: yaml.Node) -> str:
    """A name that can stand in a path and a URL: letters, digits, '-', '_' and '.'."""
    value = text(node)
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", value):
        clean = re.sub(r"[^A-Za-z0-9._-]+", "-", value).strip("-._")[:100]
        raise Unfit("a name of letters, digits, '-', '_' and '.'", clean or None)
    return value
