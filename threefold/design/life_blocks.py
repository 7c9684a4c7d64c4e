"""The blocks of the canvas that say how models are built, judged, served and watched, one function each."""

from __future__ import annotations

import re
from typing import Any, cast

import yaml

from threefold.design import values as v
from threefold.design.canvas import Retraining, Serving, Training, Watching
from threefold.design.gates import COST, make_gate, parse_limit, parse_subject
from threefold.design.nodes import Block
from threefold.design.offered import CANDIDATES, METRICS, metric_named, plugged_in
from threefold.design.units import Unfit
from threefold.design.words import advise, nearest, plain_key
from threefold.records import Gate

REASONS = ("drift", "decay", "calibration", "new data")


def train(block: Block, own: tuple[str, ...] | None) -> Training:
    """How models are built. `own`: the functions and classes of model.py; None where it cannot be read."""
    default = Training()
    budget = block.read("budget", v.positive_duration, None)
    result = Training(
        baseline=block.read("baseline", _baseline, default.baseline),
        candidates=block.read("candidates", v.texts, default.candidates),
        budget_s=budget.total_seconds() if budget else default.budget_s,
        metric=block.read("metric", _metric, None),
        folds=block.read("folds", v.whole(2, 100), default.folds),
        seed=block.read("seed", v.whole(0, 2**31 - 1), default.seed),
        window=block.read("window", v.positive_duration, None),
    )
    if not result.candidates:
        block.wrong("candidates", "'train.candidates' is empty", "name at least one, such as [linear, boosting]")
    if own is not None:
        _check_names(block, result, own)
    block.close()
    return result


def _check_names(block: Block, training: Training, own: tuple[str, ...]) -> None:
    """Names that neither we, nor a plug-in, nor the project's model.py brings."""
    if training.baseline != "prior" and not training.baseline.startswith("rate by ") and training.baseline not in own:
        what = f"no function of model.py is named '{training.baseline}', the baseline"
        block.wrong("baseline", what, advise(training.baseline, ("prior", "rate by <column>", *own), "there is"))
    for name in training.candidates:
        known = (*CANDIDATES, *own)
        if name not in known and name not in (plugged := plugged_in("candidate")):
            block.wrong("candidates", f"no candidate is named '{name}'", advise(name, (*known, *plugged), "there are"))


def _metric(node: yaml.Node) -> str:
    word = v.text(node)
    found = metric_named(word)
    if found is None:
        raise Unfit(f"one of: {', '.join(METRICS)}", nearest(word, METRICS))
    return found


def _baseline(node: yaml.Node) -> str:
    text = " ".join(v.text(node).split())
    if text == "prior" or re.fullmatch(r"rate by \S.*", text) or text.isidentifier():
        return text
    raise Unfit("'prior', 'rate by <column>', or the name of a function in model.py")


def accept(block: Block, checks: tuple[str, ...], currency: str) -> tuple[Gate, ...]:
    """The release gates, in the order of the canvas."""
    gates = (_gate(block, name, node, checks, currency) for name, node in block.rest())
    return tuple(gate for gate in gates if gate)


def _gate(block: Block, name: str, node: yaml.Node, checks: tuple[str, ...], currency: str) -> Gate | None:
    try:
        subject = parse_subject(name, checks)
    except Unfit as wrong:
        block.wrong(name, f"'accept' has no gate '{name}'", wrong.advice)
        return None
    limit = block.read(name, lambda node: parse_limit(v.text(node), subject.metric), None)
    if limit is None:
        return None
    if subject.metric == COST and limit[2] and currency and limit[2] != currency:
        what = f"'accept.{name}' is in {limit[2]}, and the mistakes are in {currency}"
        block.wrong(name, what, f"give the limit in {currency}")
    if subject.metric == COST and not currency and limit[2]:
        do = "add value.mistakes, such as {false_positive: 40 USD, false_negative: 250 USD}"
        block.wrong(name, f"'accept.{name}' needs to know what a mistake costs", do)
    return make_gate(name, subject, limit)


def serve(block: Block) -> Serving:
    """How releases reach their users."""
    default = Serving()
    result = Serving(
        pattern=cast(Any, block.read("pattern", v.one_of("service"), "service")),
        rollout=block.read("rollout", v.rollout, default.rollout),
        port=block.read("port", v.whole(0, 65_535), default.port),
        min_requests=block.read("min requests", v.whole(1, 10**9), default.min_requests),
    )
    block.close()
    return result


def watch(block: Block) -> Watching:
    """What is compared in each window, and when somebody is told."""
    default = Watching()
    result = Watching(
        window=block.read("window", v.positive_duration, default.window),
        drift=block.read("drift", v.number(0, 1, "0.2"), default.drift),
        calibration=block.read("calibration", v.calibration, default.calibration),
        persist=block.read("persist", v.persist, default.persist),
        min_rows=block.read("min rows", v.whole(1, 10**9), default.min_rows),
        notify=block.read("notify", v.texts, default.notify),
        drops=_drops(block),
    )
    block.close()
    return result


def _drops(block: Block) -> dict[str, float]:
    """The keys that end in "drop": metric -> loss against acceptance that counts as decay."""
    drops = {}
    for name in [name for name in block.names() if plain_key(name).endswith(" drop")]:
        word = plain_key(name).removesuffix(" drop")
        metric = metric_named(word)
        limit = block.read(name, v.number(0, 1e12, "0.05"), 0.0)
        if metric is None:
            near = nearest(word, METRICS)
            do = f"did you mean '{near} drop'?" if near else f"the metrics are: {', '.join(METRICS)}"
            block.wrong(name, f"'watch.{name}' names no metric", do)
        else:
            drops[metric] = limit
    return drops


def retrain(block: Block) -> Retraining:
    """What starts a new training."""
    result = Retraining(
        on=block.read("on", v.some_of(*REASONS), ()),
        every=block.read("every", v.positive_duration, None),
        cool_down=block.read("cool down", v.duration, Retraining().cool_down),
    )
    block.close()
    return result
