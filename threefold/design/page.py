"""The canvas as one page: everything that the project file says, in the layout of a machine-learning canvas."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from threefold.design.canvas import Canvas, Value, Watching
from threefold.design.outline import public_names
from threefold.design.units import say_duration
from threefold.records import Gate, Problem

TEMPLATES = Path(__file__).parent / "templates"
PROBLEMS = {"binary": "yes or no", "multiclass": "one of several classes", "regression": "a number"}
OPERATORS = {">=": "≥", "<=": "≤", ">": ">", "<": "<"}
MISTAKES = {"false_positive": "false alarm", "false_negative": "missed case"}
MONITORED = {"roc_auc": "ROC AUC", "r2": "R²", "rmse": "RMSE", "mae": "MAE", "f1": "F1", "macro_f1": "macro F1"}


@dataclass(frozen=True, slots=True)
class Tier:
    """A risk tier in plain words; `tone` is a class of the style."""

    sentence: str
    tone: str


RISKS = {
    "unknown": Tier("Nobody has judged it yet", "warn"),
    "minimal": Tier("No duties beyond good practice.", "good"),
    "transparency": Tier("People have to be told that a machine answers.", "warn"),
    "high": Tier("Needs risk management, technical documentation, logs and human oversight before it is used.", "bad"),
    "prohibited": Tier("Must not be put to use.", "bad"),
}


def render(canvas: Canvas) -> str:
    """One HTML page that needs nothing else: no script, no font, no request. Light and dark, and fit for paper.

    Features are listed by the names of the functions in the project's features.py, which is read but not run.
    """
    return _environment().get_template("canvas.html.j2").render(
        canvas=canvas,
        predict=canvas.predict,
        style=Markup(style() + (TEMPLATES / "canvas.css").read_text(encoding="utf-8")),
        problem=PROBLEMS.get(canvas.predict.problem or "", "found from the target"),
        costs=_costs(canvas.value),
        breakeven=_breakeven(canvas.value),
        views=[name.replace("_", " ") for name in public_names(canvas.root / "features.py")],
        later=[(when, columns) for table in canvas.data.values() for when, columns in table.later.items()],
        gates=[_gate(gate) for gate in canvas.accept],
        monitors=_monitors(canvas.watch, canvas.predict.problem),
        baseline=_baseline(canvas.train.baseline),
        budget=timedelta(seconds=canvas.train.budget_s),
        risk=RISKS[canvas.value.risk],
    )  # fmt: skip


def style() -> str:
    """The style sheet that all pages share: colours in light and dark as variables, and type."""
    return (TEMPLATES / "base.css").read_text(encoding="utf-8")


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("threefold.design"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters |= {
        "duration": say_duration,
        "percent": _percent,
        "safe_source": without_password,
        "soft": _soft,
        "sentence": lambda text: text[:1].upper() + text[1:],
    }
    return environment


def without_password(source: str) -> str:
    """A source without the password that a database URL may hold.

    >>> without_password("postgresql://anna:secret@host/db")
    'postgresql://anna:…@host/db'
    """
    return re.sub(r"(://[^:/@]*):[^/]*@", r"\1:…@", source)


def _soft(name: str) -> Markup:
    """A name that may be broken after its underscores and slashes."""
    return Markup(re.sub(r"([_/.])(?=\w)", r"\1<wbr>", str(escape(name))))


def _percent(share: float) -> str:
    return f"{share * 100:.3g}%"


def _costs(value: Value) -> list[dict[str, str | float]]:
    largest = max(value.mistakes.values(), default=0.0) or 1.0
    return [
        {
            "name": MISTAKES.get(name, name),
            "amount": f"{cost:,g} {value.currency}".strip(),
            "width": round(cost / largest * 100, 1),
        }
        for name, cost in value.mistakes.items()
    ]


def _breakeven(value: Value) -> str | None:
    """The probability from which a false alarm is the cheaper mistake: cost of one over the sum of both."""
    if set(value.mistakes) != set(MISTAKES) or not sum(value.mistakes.values()):
        return None
    return f"{value.mistakes['false_positive'] / sum(value.mistakes.values()):.0%}"


def _gate(gate: Gate) -> dict[str, str]:
    how = {
        "gap": f"largest difference across {gate.across}",
        "worst": f"in the worst group of {gate.across}",
        None: f"gain over the {gate.over}" if gate.over else "",
    }[gate.reduce]
    return {"what": _say_metric(gate.metric), "how": how, "limit": f"{OPERATORS[gate.operator]} {_limit(gate)}"}


def _limit(gate: Gate) -> str:
    if gate.unit == "bytes":
        return f"{gate.limit / 1e6:,.3g} MB" if gate.limit >= 1e6 else f"{gate.limit / 1e3:,.3g} kB"
    return f"{gate.limit:,g} {gate.unit}".strip()


def _say_metric(metric: str) -> str:
    return MONITORED.get(metric, metric.replace("_", " "))


def _monitors(watch: Watching, problem: Problem | None) -> list[dict[str, str]]:
    found = [{"limit": f"> {watch.drift:g}", "what": "drift of inputs and predictions (Jensen-Shannon distance)"}]
    found += [
        {"limit": f"> {limit:g}", "what": f"loss of {_say_metric(metric)} since acceptance"}
        for metric, limit in watch.drops.items()
    ]
    if watch.calibration is not None and problem in (None, "binary"):
        what = "gap between promised and observed share"
        found.append({"limit": f"> {watch.calibration:g}", "what": what})
    return found


def _baseline(baseline: str) -> str:
    return {"prior": "the overall average"}.get(baseline, baseline.replace("_", " "))
