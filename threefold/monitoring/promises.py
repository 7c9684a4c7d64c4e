"""Promises: what each model version was trained on and what the acceptance test found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from threefold.errors import NotFound
from threefold.monitoring.reference import Reference, read_reference
from threefold.monitoring.windows import Judged, judged_version
from threefold.packaging.bundles import load_bundle
from threefold.records import TaskSpec, WindowReport
from threefold.registry import evidence, versions
from threefold.store import Store


class Promises:
    """The versions of one model, each read from the store once.

    Args:
        name: of the model.
    """

    def __init__(self, store: Store, name: str) -> None:
        self.store = store
        self.name = name
        self._known: dict[int, Judged] = {}

    def of(self, number: int) -> Judged:
        """A version with its reference and its acceptance values. Raises NotFound for a number that is no version."""
        if number not in self._known:
            self._known[number] = self._read(number)
        return self._known[number]

    def task(self, reports: Sequence[WindowReport]) -> TaskSpec:
        """The task of the version that answered last."""
        numbers = [number for number in map(judged_version, reversed(reports)) if number is not None]
        if numbers:
            return self.of(numbers[0]).task
        newest = versions.list_versions(self.store, self.name)
        return self.of(newest[-1].number).task if newest else TaskSpec("regression", "", ())

    def importances(self) -> dict[int, Mapping[str, float]]:
        """Version -> feature -> share of the score that hangs on it, of the versions that were asked for."""
        return {
            number: {column.name: column.importance for column in judged.reference.columns}
            for number, judged in self._known.items()
            if judged.reference is not None
        }

    def _read(self, number: int) -> Judged:
        version = versions.get(self.store, self.name, number)
        bundle = load_bundle(self.store, version.bundle)
        digest = bundle.files.get("reference.json")
        found = _parsed(self.store.objects.get(digest)) if digest else None
        values, errors = self._accepted(number)
        expected = {**(found.metrics if found else {}), **version.metrics, **values}
        return Judged(number, bundle.task, found, bundle.threshold, expected, errors)

    def _accepted(self, number: int) -> tuple[Mapping[str, float], Mapping[str, float]]:
        """Metrics of the acceptance test, and the standard error of each."""
        try:
            proof = evidence.of(self.store, versions.subject(self.name, number))
        except NotFound:
            return {}, {}
        told = [one.result.details for one in proof]
        return _last(told, "metrics"), _last(told, "errors")


def _last(details: Sequence[Mapping[str, Any]], key: str) -> dict[str, float]:
    """The numbers under a key in the newest result that has any."""
    found: Mapping[str, Any] = next((one[key] for one in reversed(details) if one.get(key)), {})
    return {name: float(value) for name, value in found.items() if value is not None}


@lru_cache(maxsize=16)  # a reference never changes, and a look may come every day of a replay
def _parsed(data: bytes) -> Reference | None:
    return read_reference(data)
