"""Why a step runs: which parts of its fingerprint moved since the last time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec

MOST = 4  # differences that are told one by one; of more, how many
SHORT = 40  # characters of a value that are shown

Environment = Callable[[str], Mapping[str, str]]  # digest of an environment document -> name -> version


def differences(
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    environment: Environment,
    words: Mapping[str, str] | None = None,
) -> str:
    """The parts that moved between two fingerprints of one step, as one sentence without a full stop.

    Args:
        words: parameter -> how people call it.
    """
    found = list(_differences(before, after, environment, words or {}))
    if not found:
        return "something it depends on changed"
    more = [f"and {len(found) - MOST} more"] if len(found) > MOST else []
    return "; ".join([*found[:MOST], *more])


def _differences(
    before: Mapping[str, Any], after: Mapping[str, Any], environment: Environment, words: Mapping[str, str]
) -> Iterator[str]:
    yield from _code(before["code"], after["code"])
    yield from _inputs(before["inputs"], after["inputs"])
    yield from _params(before["params"], after["params"], words)
    yield from _command(before.get("command"), after.get("command"))
    yield from _reads(before.get("reads", {}), after.get("reads", {}))
    if before.get("observed") != after.get("observed"):
        yield "what it reads from outside changed"
    if before["environment"] != after["environment"]:
        yield from _versions(environment(before["environment"]), environment(after["environment"]))
    if before.get("outputs") != after.get("outputs"):
        yield "its outputs have other names"
    if before["format"] != after["format"]:
        yield "a newer Threefold makes its keys in another way"


def _code(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[str]:
    for name in after:
        if name in before and before[name] != after[name]:
            yield f"{_named(name)} changed"
    for names, said in (
        (after.keys() - before.keys(), "uses {} now"),
        (before.keys() - after.keys(), "no longer uses {}"),
    ):
        for name in sorted(names):
            # Where a step starts is told with the code that starts it.
            start = name.removeprefix("start ")
            if start == name or not any(one.endswith(f" {start}") for one in names - {name}):
                yield f"it {said.format(_named(name))}"


def _named(name: str) -> str:
    """A piece of code for people: "function 'late_rate' in features.py"."""
    place, _, what = name.partition(": ")
    kind, _, title = what.partition(" ")
    if kind == "docstring":
        return f"what {title!r} in {place} says of itself"
    if kind in ("function", "class", "constant", "block", "import"):
        return f"{kind} {title!r} in {place}"
    if place.startswith("start "):
        return repr(place.removeprefix("start "))
    if place.startswith("file "):
        return f"file {place.removeprefix('file ')!r}"
    if what == "made code":
        return "a function that is made while the code runs"
    if place.startswith("object "):
        return f"what the {place.removeprefix('object ')} holds"
    return f"{what} in {place}" if what else place


def _inputs(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[str]:
    for name in sorted(before.keys() | after.keys()):
        if before.get(name) != after.get(name):
            said = "changed" if name in before and name in after else "is new" if name in after else "is gone"
            yield f"input {name!r} {said}"


def _params(before: Mapping[str, Any], after: Mapping[str, Any], words: Mapping[str, str]) -> Iterator[str]:
    for name in sorted(before.keys() | after.keys()):
        old, new = before.get(name), after.get(name)
        if old == new and (name in before) == (name in after):
            continue
        called = words.get(name, f"parameter {name!r}")
        if name in before and name in after and (name not in words or (old is not None and new is not None)):
            yield from _value(called, old, new)
        else:
            yield f"{called} is {'new' if old is None else 'gone'}"


def _value(name: str, before: Any, after: Any) -> Iterator[str]:
    """The innermost values that differ, so that a large record tells the one field that moved."""
    if isinstance(before, dict) and isinstance(after, dict) and before.keys() == after.keys() and len(before) > 1:
        for key in before:
            if before[key] != after[key]:
                yield from _value(f"{name}, {key}", before[key], after[key])
        return
    texts = [_text(value) for value in (before, after)]
    yield f"{name} changed" if None in texts else f"{name} {texts[0]} -> {texts[1]}"


def _text(value: Any) -> str | None:
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= SHORT and '"$' not in text else None


def _command(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> Iterator[str]:
    if before is None or after is None:
        if before is not after:
            yield "it is a command now" if after else "it is a function now"
        return
    if before["line"] != after["line"]:
        yield "its command line changed"
    if (before["outputs"], before["table"]) != (after["outputs"], after["table"]):
        yield "its outputs have other names"
    for name in sorted(before["files"].keys() | after["files"].keys()):
        if before["files"].get(name) != after["files"].get(name):
            yield f"file {name!r} changed"


def _reads(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[str]:
    for name in sorted(before.keys() & after.keys()):
        if before[name] != after[name]:
            yield f"file {name!r}, which it reads, changed"


def _versions(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[str]:
    for name in sorted(before.keys() | after.keys()):
        old, new = before.get(name), after.get(name)
        if old == new:
            continue
        if old and new and "source" in old and "source" in new:
            yield f"the source of {name} changed"
        else:
            yield f"{name} {old or 'absent'} -> {new or 'absent'}"
