"""What the steps do that pack and judge a version which a client logged; beside steps.py, which is for our own."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import polars as pl

from threefold.data import contract, profile, seal
from threefold.loop import steps as does
from threefold.monitoring.reference import build_reference
from threefold.packaging import bundles
from threefold.packaging.logged.columns import task_of
from threefold.packaging.logged.mlmodel import Logged
from threefold.packaging.logged.packing import open_logged, pack_logged
from threefold.records import Bundle, Contract, Gate, GateResult, TaskSpec, to_json
from threefold.store import Store
from threefold.training.baselines import Lookup
from threefold.training.threads import fixed_threads

SAMPLE = 256  # training rows on which the package must answer like the model


def package(
    task: TaskSpec, baseline: Lookup, training_set: pl.DataFrame, name: str, logged: Logged, trusted: bool, store: Store,
    **contracts: Contract,
) -> Bundle:  # fmt: skip
    """A logged model with the surroundings that our own get: contract of its inputs, fallback, reference for the monitors."""
    with fixed_threads():
        original = open_logged(store, logged, task_of(logged, task), trusted)
        inputs = training_set.select([column.name for column in logged.columns])
        tables = bundles.encode_contracts({key.removeprefix("contract_"): one for key, one in contracts.items()})
        example = json.dumps({"rows": [dict(logged.example)]}).encode() if logged.example else does.example(inputs)
        files = {
            "contract.json": to_json(contract.infer(profile.profile("request", inputs))),
            "fallback.json": to_json(baseline),
            "reference.json": build_reference(training_set, original.task, original.score(training_set), {}),
            "tables.json": tables,
            "example.json": example,
        }
        return pack_logged(store, name, logged, original, inputs.head(SAMPLE), files)


def accept(
    bundle: Bundle,
    task: TaskSpec,
    baseline: Lookup,
    training_set: pl.DataFrame,
    sealed: str,
    gates: tuple[Gate, ...],
    champion: str | None,
    checks: Mapping[str, Callable[..., Any]],
    logged: Logged,
    trusted: bool,
    store: Store,
) -> list[GateResult]:
    """The acceptance test of a logged model: open the sealed set, on the record, and let every gate speak."""
    with fixed_threads():
        original = open_logged(store, logged, task_of(logged, task), trusted)
        test = seal.open_sealed(store, sealed, "acceptance", f"bundle {bundle.digest}")
        return does.hear(bundle, original, test, baseline, training_set, gates, champion, checks, store)
