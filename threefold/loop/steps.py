"""What each step of the standard lifecycle does: plain functions over records, wired in lifecycle.py.

A parameter names what the step needs: a table or record that an earlier step made, a part of the canvas, or the
store. A test can call each of them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from threefold.data import cleaning, contract, declared, knowledge, profile, seal, snapshots, sources, split
from threefold.data.culprits import place_of_value
from threefold.data.words import counted
from threefold.design.canvas import Prediction, Source, Training, Value
from threefold.errors import DataError, LeakError
from threefold.features import blind, building, leaks
from threefold.features.views import View
from threefold.monitoring.reference import build_reference
from threefold.packaging import bundles
from threefold.packaging.parity import Answering, parity
from threefold.packaging.scoring import Scorer
from threefold.pipeline import runs
from threefold.quality import acceptance
from threefold.quality.checks import run_checks
from threefold.records import (
    Bundle,
    CandidateReport,
    Contract,
    FeatureSpec,
    Gate,
    GateResult,
    Profile,
    Snapshot,
    TaskSpec,
    Violation,
)
from threefold.store import Store
from threefold.training import metrics
from threefold.training.baselines import Lookup, fit_baseline
from threefold.training.fitting import fit_candidate
from threefold.training.model import TrainedModel
from threefold.training.task import encode_target, infer_task
from threefold.training.threads import fixed_threads

LATENCY_ROWS = 200  # single-row predictions timed for the latency gate
TABLE = "table_"  # how the graph names the tables that it hands to a step as further arguments


def tables_of(arguments: Mapping[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    """The tables among a step's arguments, under their own names."""
    return {name.removeprefix(TABLE): frame for name, frame in arguments.items()}


# ------------------------------------------------------------------------------------------------------- data


def ingest(source: Source, store: Store, root: Path) -> dict[str, Any]:
    """Take a snapshot of one source. Outputs: the table, and the record of where it came from."""
    snapshot = snapshots.take(store, source, root)
    return {"table": snapshots.read_snapshot(store, snapshot), "snapshot": snapshot}


def look_at(source: Source, root: Path) -> Any:
    """The state of a source in the outside world: when it differs, the table is read again."""
    return sources.observe(source, root)


def recall_snapshot(snapshot: Snapshot, store: Store) -> dict[str, Any]:
    """An old snapshot in the place of its source, so that a model can be rebuilt from the very same bytes."""
    return {"table": snapshots.read_snapshot(store, snapshot), "snapshot": snapshot}


def clean(
    table: pl.DataFrame, source: Source, function: Callable[..., Any] | None, canvas: Path | None = None
) -> dict[str, Any]:
    """The project's own cleaning, then duplicates removed. Outputs: the table, and notes with counts."""
    frame, notes = cleaning.clean(source, table, function, canvas)
    return {"table": frame, "notes": list(notes)}


def know(table: pl.DataFrame, source: Source, as_of: str | None) -> pl.DataFrame:
    """The table as it was known at one moment of the data's clock."""
    return knowledge.known(table, source, moment(as_of))


def describe(table: pl.DataFrame, name: str) -> Profile:
    """The profile of one table."""
    return profile.profile(name, table)


def promise(profile: Profile, accepted: Contract | None) -> Contract:
    """The contract of one table: the one the champion was trained under, or one inferred from its profile."""
    return accepted or contract.infer(profile)


def check(table: pl.DataFrame, contract_: Contract, source: Source, root: Path) -> list[Violation]:
    """The promises that the table breaks. Those about its shape stop the run: clients send what was promised.

    Raises:
        DataError: a column is gone, or is of another kind than before.
    """
    violations = list(contract.check(table, contract_))
    broken = [found for found in violations if found.rule in ("missing", "type")]
    if broken:
        raise _other_shape(broken, table, contract_, source, root)
    return violations


def _other_shape(
    broken: list[Violation], table: pl.DataFrame, contract_: Contract, source: Source, root: Path
) -> DataError:
    first = broken[0]
    accept = f"if the table shall have this shape from now on: threefold run --accept {contract_.table}"
    more = f", and so is the shape of {counted(len(broken) - 1, 'other column')}" if broken[1:] else ""
    if first.rule == "missing":
        return DataError(first.sentence + more, f"table {contract_.table}", f"bring the column back; {accept}")
    kind = next(rule.kind for rule in contract_.rules if rule.name == first.column)
    bad = contract.misfit(table[first.column], kind)
    place = None if bad is None else place_of_value(source, root, first.column, bad)
    mend = "mend that value, list it under `nulls` of the table" if bad is not None else "mend the source"
    return DataError(
        first.sentence + more, place or f"table {contract_.table}, column {first.column}",
        f"{mend}, or convert the column in clean_{contract_.table} of data.py; {accept}",
    )  # fmt: skip


def hold_out(rows: pl.DataFrame, prediction: Prediction, training: Training, canvas: Path) -> dict[str, pl.DataFrame]:
    """Split off the sealed test rows before anything else looks at them. Outputs: train and test rows."""
    declared.check_prediction(rows, prediction, canvas)
    labelled = rows.filter(pl.col(prediction.target).is_not_null())
    if training.window and prediction.at:
        moment = pl.col(prediction.at)
        labelled = labelled.filter(moment > moment.max() - training.window)
    train, test = split.split(labelled, prediction, training.seed)
    return {"train": train, "test": test}


# ---------------------------------------------------------------------------------------------------- features


def make_features(
    rows: pl.DataFrame, views: tuple[View, ...], prediction: Prediction, sources: Mapping[str, Source], **tables: Any
) -> pl.DataFrame:
    """Features and target of some rows, each value as it was known when its prediction would have been made."""
    return building.training_frame(views, tables_of(tables), rows, prediction, sources)


def guard_features(
    training: pl.DataFrame,
    rows: pl.DataFrame,
    views: tuple[View, ...],
    prediction: Prediction,
    sources: Mapping[str, Source],
    **tables: Any,
) -> str:
    """Refuse features that know the future: one that knows the target too well, or that later rows would change.

    Raises:
        LeakError: the first such feature, with its number or its two values.
    """
    leaks.check(training, prediction)
    found = blind.check_future_blind(views, tables_of(tables), rows, prediction, sources)
    if found:
        raise LeakError(found[0].what, found[0].where, found[0].do)
    return "no feature knows the future"


def pose_task(
    training: pl.DataFrame,
    views: tuple[View, ...],
    prediction: Prediction,
    value: Value,
    gates: tuple[Gate, ...],
    checks: Mapping[str, Callable[..., Any]],
) -> TaskSpec:
    """What is predicted from what; a gate that does not fit it is refused now, before anything is trained."""
    task = infer_task(training, prediction, building.specs(training, views), value)
    acceptance.validate(gates, task, checks)
    return task


# ---------------------------------------------------------------------------------------------------- training


def fit_heuristic(
    training_set: pl.DataFrame, task: TaskSpec, baseline: str, project: Mapping[str, Callable[..., Any]]
) -> Lookup:
    """The heuristic to beat; in serving it is the fallback."""
    return fit_baseline(baseline, training_set, task, project)


def fit(
    candidate: str,
    training_set: pl.DataFrame,
    task: TaskSpec,
    training: Training,
    project: Mapping[str, Callable[..., Any]],
    store: Store,
    project_name: str,
    code: Mapping[str, Any],
    on_progress: Callable[[str], None] | None,
) -> dict[str, Any]:
    """Search, cross-validate and fit one candidate, as a run of its own. Outputs: model and report."""
    with runs.recorded(store, project=project_name, kind="candidate", name=candidate, code=code) as run:
        model, report = fit_candidate(
            candidate, training_set, task, training, training.budget_s, project, on_progress, run_id=run.id
        )
        run.params(report.params)
        run.metrics(report.metrics)
        run.curves(report.curves)
    return {"model": model, "report": report}


def choose(training: Training, task: TaskSpec, **candidates: Any) -> dict[str, Any]:
    """The candidate with the best cross-validated metric. Outputs: model and report."""
    reports = {name.removeprefix("report_"): one for name, one in candidates.items() if name.startswith("report_")}
    metric = training.metric or metrics.primary(task.problem)
    sign = 1.0 if metrics.greater_is_better(metric) else -1.0
    best = max(reports, key=lambda name: sign * reports[name].metrics.get(metric, -sign * np.inf))
    return {"model": candidates[f"model_{best}"], "report": reports[best]}


# ------------------------------------------------------------------------------------------- packaging and gates


def package(
    model: TrainedModel, report: CandidateReport, baseline: Lookup, training_set: pl.DataFrame, name: str, store: Store,
    **contracts: Contract,
) -> Bundle:  # fmt: skip
    """The model with all its surroundings: contract of its inputs, fallback, reference for the monitors."""
    with fixed_threads():  # a project's model predicts, and would take all threads there are
        inputs = training_set.select([spec.name for spec in model.task.features])
        promised = contract.infer(profile.profile("request", inputs))
        reference = build_reference(training_set, model.task, model.score(training_set), report.metrics)
        tables = bundles.encode_contracts({key.removeprefix("contract_"): one for key, one in contracts.items()})
        return bundles.pack(
            store,
            name,
            model,
            contract=promised,
            fallback=baseline,
            reference=reference,
            extra={"tables.json": tables, "example.json": example(inputs)},
        )


def example(inputs: pl.DataFrame) -> bytes:
    """A request that the model answers: the training row with the fewest missing values."""
    gaps = inputs.select(pl.sum_horizontal(pl.all().is_null())).to_series()
    row = inputs.row(int(gaps.arg_min() or 0), named=True)
    rounded = {name: float(f"{value:.6g}") if isinstance(value, float) else value for name, value in row.items()}
    return json.dumps({"rows": [rounded]}, ensure_ascii=False).encode()


def accept(
    bundle: Bundle,
    model: TrainedModel,
    baseline: Lookup,
    training_set: pl.DataFrame,
    sealed: str,
    gates: tuple[Gate, ...],
    champion: str | None,
    checks: Mapping[str, Callable[..., Any]],
    store: Store,
) -> list[GateResult]:
    """The acceptance test: open the sealed set, once for this bundle, and let every gate speak."""
    with fixed_threads():
        test = seal.open_sealed(store, sealed, "acceptance", f"bundle {bundle.digest}")
        return hear(bundle, model, test, baseline, training_set, gates, champion, checks, store)


def hear(
    bundle: Bundle,
    model: Answering,
    test: pl.DataFrame,
    baseline: Lookup,
    training_set: pl.DataFrame,
    gates: tuple[Gate, ...],
    champion: str | None,
    checks: Mapping[str, Callable[..., Any]],
    store: Store,
) -> list[GateResult]:
    """Let every gate speak about a bundle, on the rows of the opened test set."""
    scorer, task = Scorer.open(store.objects.get, bundle, key=store.key()), model.task
    y = encode_target(test, task)
    scores = scorer.score(bundles.columns_of(test, task))
    rival = None if champion is None else _rival(store, champion, test)
    own = run_checks(
        checks, {"training": training_set, "test": test, "scores": scores, "y": y, "task": task, "model": model}
    )
    return list(
        acceptance.judge(
            gates,
            y=y,
            scores=scores,
            task=task,
            threshold=bundle.threshold,
            frame=test,
            baseline_scores=baseline.score(test),
            champion_scores=None if rival is None else rival[0],
            champion_threshold=None if rival is None else rival[1],
            measures={"parity": parity(model, scorer, test), **_measure(scorer, bundle, test, store)},
            checks=own,
        )
    )


def _rival(store: Store, digest: str, test: pl.DataFrame) -> tuple[np.ndarray, float | None] | None:
    """What the model in production says of the same rows, and its threshold; None where its inputs are others."""
    bundle = bundles.load_bundle(store, digest)
    if not all(_is_there(spec, test) for spec in bundle.task.features):
        return None
    scorer = Scorer.open(store.objects.get, bundle, key=store.key())
    return scorer.score(bundles.columns_of(test, bundle.task)), bundle.threshold


def _is_there(spec: FeatureSpec, test: pl.DataFrame) -> bool:
    """Whether a feature is in the table, and of the same kind."""
    return spec.name in test.columns and (spec.kind == "number") == (test[spec.name].dtype != pl.String)


def _measure(scorer: Scorer, bundle: Bundle, test: pl.DataFrame, store: Store) -> dict[str, float]:
    """Latency of single rows in milliseconds, and the size of the bundle in bytes."""
    times = scorer.time_rows(bundles.columns_of(test.head(LATENCY_ROWS), bundle.task))
    size = sum(store.objects.size_bytes(digest) for digest in bundle.files.values())
    return {
        "latency p50": float(np.quantile(times, 0.5)),
        "latency p99": float(np.quantile(times, 0.99)),
        "size": float(size),
    }


def moment(text: str | None) -> datetime | None:
    """A moment of the data's clock, from ISO text."""
    return None if text is None else datetime.fromisoformat(text)
