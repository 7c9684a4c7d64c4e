"""The blocks of the canvas that say what is predicted from what, one function each, with every convention filled in."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, cast

import yaml

from threefold.design import settings as table
from threefold.design import values as v
from threefold.design.canvas import (
    CommandStep,
    Prediction,
    Source,
    Value,
)
from threefold.design.nodes import Block, is_empty, line_of, says
from threefold.design.units import Unfit
from threefold.design.words import advise, plain_key

RISKS = ("unknown", "minimal", "transparency", "high", "prohibited")
MISTAKES = ("false_positive", "false_negative")
KEYS = {
    "value": ("for", "need", "benefit", "mistakes", "risk"),
    "predict": ("table", "target", "problem", "positive", "at", "ahead", "split", "leave out", "id"),
    "train": ("baseline", "candidates", "budget", "metric", "folds", "seed", "window"),
    "serve": ("pattern", "rollout", "port", "min requests"),
    "watch": ("drift", "calibration", "persist", "min rows", "notify"),
    "retrain": ("on", "every", "cool down"),
}  # where a key belongs that stands at the top by mistake


def homes() -> Iterator[tuple[str, str]]:
    """Each key of a block with the name of the block."""
    return ((key, block) for block, keys in KEYS.items() for key in keys)


def project(top: Block) -> str:
    """The project's name, which is also that of its model and its endpoint."""
    return top.need("project", v.name, "", "project: flight-delays")


def value(block: Block) -> Value:
    """Why the project exists, and what a mistake costs."""
    mistakes, currency = _mistakes(block.block("mistakes"))
    result = Value(
        audience=block.read("for", v.text, ""),
        need=block.read("need", v.text, ""),
        benefit=block.read("benefit", v.text, ""),
        mistakes=mistakes,
        currency=currency,
        risk=cast(Any, block.read("risk", v.one_of(*RISKS), "unknown")),
    )
    block.close()
    return result


def _mistakes(block: Block) -> tuple[dict[str, float], str]:
    costs = {name: block.read(name, v.money, None) for name in MISTAKES}
    block.close()
    currencies = {cost[1] for cost in costs.values() if cost}
    if len(currencies) > 1:
        named = " and ".join(sorted(currency or "none" for currency in currencies))
        block.findings.add(
            block.line, f"the mistakes are in two currencies: {named}", "give both costs in one currency"
        )
    return {name: cost[0] for name, cost in costs.items() if cost}, next(iter(sorted(currencies)), "")


def data(top: Block) -> dict[str, Source]:
    """The tables of the project, in the order of the canvas."""
    block = top.block("data")
    sources = {}
    for name, node in block.rest():
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name):
            near = re.sub(r"\W+", "_", name).strip("_")
            block.wrong(name, f"'{name}' cannot name a table", f"write a name such as '{near or 'customers'}'")
        sources[name] = _source(block, name, node)
    stands = top.node("data")
    if stands is None or is_empty(stands) or (isinstance(stands, yaml.MappingNode) and not sources):
        example = "data: {customers: data/customers.csv}"
        top.findings.add(top.line_at("data"), "the canvas names no table", f"add a block such as `{example}`")
    return sources


def _source(parent: Block, name: str, node: yaml.Node) -> Source:
    if isinstance(node, yaml.ScalarNode):
        return Source(name, parent.read(name, v.text, ""))
    block = parent.block(name)
    result = Source(
        name=name,
        source=block.need("source", v.text, "", f"source: data/{name}.csv"),
        time=block.read("time", v.text, None),
        later=_later(block.block("later")),
        key=block.read("key", v.texts, ()),
        owner=block.read("owner", v.text, ""),
        nulls=block.read("nulls", v.raws, Source("", "").nulls),
    )
    block.close()
    return result


def _later(block: Block) -> dict[str, tuple[str, ...]]:
    """Time column -> columns that are known only from that time on."""
    return {name: block.read(name, v.texts, ()) for name, _ in block.rest()}


def predict(top: Block, tables: Mapping[str, Source], made: Collection[str]) -> Prediction:
    """What is predicted. `made`: names of tables that steps of the project make."""
    block = top.block("predict")
    at = block.read("at", v.text, None)
    name = _table(block, [*tables, *sorted(made)])
    split_by, test_share = _split(block, at, tables.get(name))
    result = Prediction(
        table=name,
        target=block.need("target", v.text, "", "target: churned"),
        problem=cast(Any, block.read("problem", v.one_of("binary", "multiclass", "regression"), None)),
        positive=block.read("positive", v.text, None),
        at=at,
        ahead=block.read("ahead", v.duration, Prediction("", "").ahead),
        split_by=cast(Any, split_by),
        test_share=test_share,
        leave_out=block.read("leave out", v.raws, ()),
        id=block.read("id", v.text, None),
    )
    if result.ahead and at is None:
        block.wrong("ahead", "'predict.ahead' needs a moment to be ahead of", "add `at: <time column>` below predict")
    _check_target(block, result)
    block.close()
    return result


def _check_target(block: Block, prediction: Prediction) -> None:
    taken = {"at": (prediction.at,), "id": (prediction.id,), "leave out": prediction.leave_out}
    for key, names in taken.items():
        if prediction.target and prediction.target in names:
            do = "name another column" if key != "leave out" else "the target is never a feature; remove it here"
            block.wrong(key, f"'predict.{key}' names the target '{prediction.target}'", do)


def _table(block: Block, known: list[str]) -> str:
    name = block.read("table", v.text, known[0] if known else "")
    if known and name not in known:
        block.wrong(
            "table", f"'predict.table' is '{name}', and no table has that name", advise(name, known, "there is")
        )
    return name


def _split(parent: Block, at: str | None, source: Source | None) -> tuple[str, float]:
    node = parent.node("split")
    if isinstance(node, yaml.ScalarNode) and not is_empty(node):  # `split: time` is short for `split: {by: time}`
        block, key = parent, "split"
    else:
        block, key = parent.block("split"), "by"
    by = block.read(key, v.one_of("time", "random"), "time" if at else "random")
    if by == "time" and at is None:
        column = source.time if source and source.time else "<time column>"
        block.wrong(key, "a split by time needs the moment of each prediction", f"add `at: {column}` below predict")
    if block is parent:
        return by, Prediction("", "").test_share
    test = block.read("test", v.part, Prediction("", "").test_share)
    block.close()
    return by, test


def steps(block: Block) -> tuple[CommandStep, ...]:
    """The command lines of the project."""
    return tuple(_step(block.block(name), name) for name, _ in block.rest())


def _step(block: Block, name: str) -> CommandStep:
    result = CommandStep(
        name=name,
        run=block.need("run", v.text, "", "run: Rscript prepare.R {orders} {prepared}"),
        inputs=block.read("inputs", v.texts, ()),
        outputs=block.need("outputs", v.texts, (), "outputs: [prepared.csv]"),
        code=block.read("code", v.texts, ()),
        table=block.read("table", _made_table, None),
    )
    file = result.table.partition(":")[2].strip() if result.table else ""
    if file and result.outputs and file not in result.outputs:
        do = advise(file, result.outputs, "the outputs are")
        block.wrong("table", f"the table of step '{name}' is '{file}', which is no output of it", do)
    block.close()
    return result


def _made_table(node: yaml.Node) -> str:
    """`weather: weather.csv`, as a block of one key or as a text."""
    if isinstance(node, yaml.MappingNode) and len(node.value) == 1:
        key, value = node.value[0]
        return f"{v.text(key)}: {v.text(value)}"
    found = re.fullmatch(r"(\w+)\s*:\s*(\S.*)", v.text(node) if isinstance(node, yaml.ScalarNode) else "")
    if not found:
        raise Unfit("the table's name and its file, such as {weather: weather.csv}")
    return f"{found[1]}: {found[2]}"


def settings(block: Block) -> dict[str, str]:
    """Values of the settings table; checked against it."""
    known = [setting.name for setting in table.TABLE]
    found = {}
    for name, node in block.rest():
        same = next((one for one in known if plain_key(one) == plain_key(name)), None)
        if same is None:
            block.wrong(name, f"there is no setting '{name}'", advise(name, known, "the settings are"))
        elif is_empty(node) or not isinstance(node, yaml.ScalarNode):
            block.findings.add(line_of(node), f"'settings.{name}' is {says(node)}", "write a single value")
        else:
            found[same] = block.read(name, _fits(same), "")
    return found


def _fits(name: str) -> Callable[[yaml.Node], str]:
    def convert(node: yaml.Node) -> str:
        return table.fit(name, v.text(node))

    return convert
