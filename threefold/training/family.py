"""A family of plug-ins: one file each, found by looking into the family's folder."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from importlib.metadata import entry_points
from typing import Any, Generic, TypeVar

from threefold.errors import NotFound

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Member(Generic[T]):
    """One plug-in and the facts it was added with."""

    name: str
    thing: T
    facts: dict[str, Any]


class Family(Generic[T]):
    """Plug-ins of one kind by name. Ours lie in the family's folder; others come through `threefold.plugins`.

    Args:
        kind: the word for one member, used in errors.
        package: the folder whose files add themselves when they are imported, as a dotted name.

    >>> metrics = Family("metric", "threefold.training.metrics")
    >>> @metrics.add("zero")
    ... def zero(y, scores):
    ...     return 0.0
    >>> metrics.get("zero").name
    'zero'
    """

    def __init__(self, kind: str, package: str) -> None:
        self.kind = kind
        self.package = package
        self._members: dict[str, Member[T]] = {}
        self._loaded = False

    def add(self, name: str, **facts: Any) -> Callable[[T], T]:
        """Decorator that puts one plug-in into the family; a later one of the same name replaces the earlier."""

        def keep(thing: T) -> T:
            self._members[name] = Member(name, thing, facts)
            return thing

        return keep

    def names(self) -> tuple[str, ...]:
        """Every name, sorted."""
        self._load()
        return tuple(sorted(self._members))

    def get(self, name: str) -> Member[T]:
        """One member. Raises NotFound with the nearest names."""
        self._load()
        if name not in self._members:
            near = get_close_matches(name, self._members, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(self.names())}"
            raise NotFound(f"no {self.kind} is named {name!r}", self.package, hint)
        return self._members[name]

    def __contains__(self, name: str) -> bool:
        self._load()
        return name in self._members

    def _load(self) -> None:
        if self._loaded:
            return
        self._loaded = True
        folder = importlib.import_module(self.package)
        for found in sorted(pkgutil.iter_modules(folder.__path__), key=lambda module: module.name):
            importlib.import_module(f"{self.package}.{found.name}")
        for point in entry_points(group="threefold.plugins"):
            if point.name.split(".")[0] == self.kind:  # "metric.my_metric" adds itself when it is loaded
                point.load()
