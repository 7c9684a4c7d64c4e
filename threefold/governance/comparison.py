"""The frozen model against Threefold, month by month, without varnish."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from threefold.governance.figures import count, listing, money, plural, signed
from threefold.governance.story import Month, Story

Sign = Literal["better", "worse", "equal", "unknown"]
COST = "cost per prediction"


@dataclass(frozen=True, slots=True)
class Measure:
    """A metric as reports compare it."""

    name: str  # as in the registry of metrics
    title: str
    higher_is_better: bool
    noise: float  # a smaller difference between two models is called equal; for costs a share of the amount
    digits: int = 3

    @property
    def spoken(self) -> str:
        """The title inside a sentence: AUC stays, Log loss becomes log loss."""
        return self.title if self.title[1:2].isupper() or len(self.title) < 3 else self.title.lower()


MEASURES = (
    Measure("roc_auc", "AUC", True, 0.002),
    Measure("log_loss", "Log loss", False, 0.002),
    Measure("calibration_gap", "Calibration gap", False, 0.005),
    Measure(COST, "Cost per prediction", False, 0.005, 2),
    Measure("accuracy", "Accuracy", True, 0.002),
    Measure("macro_f1", "Macro F1", True, 0.002),
    Measure("rmse", "RMSE", False, 0.002),
    Measure("mae", "Mean absolute error", False, 0.002),
    Measure("r2", "R²", True, 0.002),
)


@dataclass(frozen=True, slots=True)
class Cell:
    """One measure in one month."""

    measure: Measure
    frozen: float | None
    live: float | None
    sign: Sign  # how Threefold did against the frozen model

    @property
    def difference(self) -> float | None:
        """Threefold minus the frozen model."""
        return None if self.frozen is None or self.live is None else self.live - self.frozen


@dataclass(frozen=True, slots=True)
class MonthLine:
    """One month, compared."""

    month: Month
    title: str  # "April 2013"
    cells: tuple[Cell, ...]
    frozen_cost: float | None  # in total
    live_cost: float | None
    verdict: Literal["gain", "no gain", "mixed", "same model", "not comparable"]
    sentence: str


def measures_of(months: Sequence[Month]) -> tuple[Measure, ...]:
    """The measures that both models have, in the order of the table.

    Where mistakes have a price, accuracy is left out: the threshold then follows the price, and counting a missed case
    like a false alarm would blame it for that.
    """
    shared = {name for month in months for name in month.frozen if name in month.live}
    if COST in shared:
        shared.discard("accuracy")
    return tuple(measure for measure in MEASURES if measure.name in shared)


def compare(months: Sequence[Month], first_version: int | None = None) -> tuple[MonthLine, ...]:
    """Every month with its verdict.

    Args:
        months: in order of time.
        first_version: the version that the frozen model is; months in which it alone answered are "same model".
    """
    measures = measures_of(months)
    return tuple(_line(month, measures, first_version) for month in months)


def _line(month: Month, measures: Sequence[Measure], first_version: int | None) -> MonthLine:
    cells = tuple(_cell(month, measure) for measure in measures)
    same = first_version is not None and set(month.versions) == {first_version}
    verdict = "same model" if same else _verdict(cells)
    return MonthLine(
        month,
        month_title(month.start),
        cells,
        _total(month.frozen, month.rows),
        _total(month.live, month.rows),
        verdict,
        _sentence(verdict, cells),
    )


def _cell(month: Month, measure: Measure) -> Cell:
    frozen, live = _finite(month.frozen.get(measure.name)), _finite(month.live.get(measure.name))
    return Cell(measure, frozen, live, _sign(measure, frozen, live))


def _sign(measure: Measure, frozen: float | None, live: float | None) -> Sign:
    if frozen is None or live is None:
        return "unknown"
    noise = measure.noise * abs(frozen) if measure.name in (COST, "rmse", "mae") else measure.noise
    gain = (live - frozen) if measure.higher_is_better else (frozen - live)
    if abs(gain) < noise or gain == 0:
        return "equal"
    return "better" if gain > 0 else "worse"


def _verdict(cells: Sequence[Cell]) -> Literal["gain", "no gain", "mixed", "not comparable"]:
    signs = {cell.sign for cell in cells} - {"unknown"}
    if not signs:
        return "not comparable"
    if "better" not in signs:
        return "no gain"
    return "mixed" if "worse" in signs else "gain"


def _sentence(verdict: str, cells: Sequence[Cell]) -> str:
    better = [cell.measure.spoken for cell in cells if cell.sign == "better"]
    worse = [cell.measure.spoken for cell in cells if cell.sign == "worse"]
    said = {
        "same model": "The first model was still the one that answered.",
        "not comparable": "No measure exists for both models.",
        "gain": f"Better in {listing(better)}; worse in none.",
        "mixed": f"Better in {listing(better)}; worse in {listing(worse)}.",
        "no gain": f"Worse in {listing(worse)}; better in none." if worse else "No measure differs by more than noise.",
    }
    return said[verdict]


@dataclass(frozen=True, slots=True)
class Totals:
    """All months together."""

    months: int
    rows: int
    cells: tuple[Cell, ...]  # means over the months, weighted by their rows
    frozen_cost: float | None
    live_cost: float | None
    verdicts: Mapping[str, int]

    @property
    def saved(self) -> float | None:
        """What the frozen model would have cost more; negative when Threefold cost more."""
        return None if self.frozen_cost is None or self.live_cost is None else self.frozen_cost - self.live_cost


def total(lines: Sequence[MonthLine]) -> Totals | None:
    """The months taken together; None when there is no month."""
    if not lines:
        return None
    verdicts: dict[str, int] = {}
    for line in lines:
        verdicts[line.verdict] = verdicts.get(line.verdict, 0) + 1
    cells = tuple(_mean(lines, position) for position in range(len(lines[0].cells)))
    rows = sum(line.month.rows for line in lines)
    return Totals(
        len(lines), rows, cells, _sum([line.frozen_cost for line in lines]), _sum([line.live_cost for line in lines]),
        verdicts,
    )  # fmt: skip


def _mean(lines: Sequence[MonthLine], position: int) -> Cell:
    # A month in which one of the two is not defined would compare different months with each other: it is left out.
    known = [(line.cells[position], line.month.rows) for line in lines if line.cells[position].sign != "unknown"]
    measure, rows = lines[0].cells[position].measure, sum(weight for _, weight in known)
    if not rows:
        return Cell(measure, None, None, "unknown")
    frozen = sum((cell.frozen or 0.0) * weight for cell, weight in known) / rows
    live = sum((cell.live or 0.0) * weight for cell, weight in known) / rows
    return Cell(measure, frozen, live, _sign(measure, frozen, live))


def verdict_in_words(story: Story) -> tuple[str, ...]:
    """What the months say, in a few sentences, good or bad."""
    lines = compare(story.months, first_version(story))
    totals = total(lines)
    if totals is None:
        return ()
    said = [f"{plural(totals.months, 'month')} of live traffic, {count(totals.rows)} predictions with their labels."]
    parts = [_difference(cell, story.currency) for cell in totals.cells if cell.sign != "unknown"]
    if parts:
        said.append(f"Against the model that was never trained again, on average: {listing(parts)}.")
    if totals.saved is not None:
        word = "less" if totals.saved >= 0 else "more"
        said.append(f"In total it cost {money(abs(totals.saved), story.currency)} {word} than the frozen model.")
    said.append(_gains_in_words(lines))
    return tuple(said)


def _difference(cell: Cell, currency: str) -> str:
    unit = f" {currency}" if currency and cell.measure.name == COST else ""
    return f"{cell.measure.spoken} {signed(cell.difference or 0.0, cell.measure.digits)}{unit}"


def _gains_in_words(lines: Sequence[MonthLine]) -> str:
    titles: dict[str, list[str]] = {}
    for line in lines:
        titles.setdefault(line.verdict, []).append(line.title.split()[0])
    words = {
        "gain": "a gain in {}",
        "mixed": "better in one measure but worse in another in {}",
        "no gain": "no gain in {}",
        "same model": "the first model still alone in {}",
        "not comparable": "nothing to compare in {}",
    }
    parts = [text.format(listing(titles[name])) for name, text in words.items() if name in titles]
    return f"Retraining, month by month: {'; '.join(parts)}."


def first_version(story: Story) -> int | None:
    """The version that the frozen model is: the first that was released."""
    return story.releases[0].number if story.releases else None


def month_title(start: str) -> str:
    """'2013-04-01' as 'April 2013'."""
    return f"{date.fromisoformat(start[:10]):%B %Y}"


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _total(metrics: Mapping[str, float], rows: int) -> float | None:
    each = _finite(metrics.get(COST))
    return None if each is None else each * rows


def _sum(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None
