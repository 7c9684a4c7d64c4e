"""The months in the terminal: the same numbers as the report, in 80 columns."""

from __future__ import annotations

from rich.console import Group
from rich.table import Table
from rich.text import Text

from threefold.governance.comparison import (
    Cell,
    MonthLine,
    compare,
    first_version,
    measures_of,
    total,
    verdict_in_words,
)
from threefold.governance.figures import decimal, share
from threefold.governance.story import Story

STYLES = {"better": "green", "worse": "red", "equal": "", "unknown": "dim"}
MARKS = {"better": " ▴", "worse": " ▾", "equal": "  ", "unknown": "  "}
VERDICTS = {"gain": "green", "mixed": "yellow", "no gain": "red", "same model": "dim", "not comparable": "dim"}
SHORT = {
    "Calibration gap": "Calibr.\ngap",
    "Cost per prediction": "Cost\neach",
    "Mean absolute error": "MAE",
    "Log loss": "Log\nloss",
}
SAID = {"same model": "same"}  # ten letters would not fit


def render_text(story: Story) -> Group | Text:
    """The table of the months and what it says, for a rich console; one sentence where there is no month yet."""
    if not story.months:
        return Text("No live month yet: nothing has been served long enough for labels to arrive.", style="dim")
    return Group(*months_table(story).renderables, Text(), *(Text(sentence) for sentence in verdict_in_words(story)))


def months_table(story: Story) -> Group:
    """Each month in two lines: what the frozen model would have answered, and below what Threefold did."""
    return Group(
        Text(f"{story.project}: the frozen model against Threefold, month by month", style="bold"), _table(story)
    )


def _table(story: Story) -> Table:
    lines = compare(story.months, first_version(story))
    totals = total(lines)
    costs = totals is not None and totals.saved is not None
    rates = any(month.positive_rate is not None for month in story.months)
    table = _columns(story, costs, rates)
    for line in lines:
        _add_month(table, line, costs, rates)
    if totals is not None:
        table.add_section()
        alerts = str(sum(month.alerts for month in story.months))
        cost = (_money(totals.frozen_cost), _money(totals.live_cost)) if costs else None
        _add_pair(
            table, (f"All {totals.months}", f"{totals.rows:,}"), ("", "") if rates else None, totals.cells, cost,
            (alerts, ""), Text(),
        )  # fmt: skip
    return table


def _columns(story: Story, costs: bool, rates: bool) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="dim")
    table.add_column("Month\nrows", no_wrap=True)
    if rates:
        table.add_column((story.target or "positive")[:8], justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for measure in measures_of(story.months):
        table.add_column(SHORT.get(measure.title, measure.title), justify="right", no_wrap=True)
    if costs:
        table.add_column(f"Total\n{story.currency}".strip(), justify="right", no_wrap=True)
    table.add_column("Alerts\nserved", justify="right", no_wrap=True)
    table.add_column("Verdict", no_wrap=True)
    return table


def _add_month(table: Table, line: MonthLine, costs: bool, rates: bool) -> None:
    month = line.month
    rate = "" if month.positive_rate is None else share(month.positive_rate)
    cost = (_money(line.frozen_cost), _money(line.live_cost)) if costs else None
    names = (f"{line.title[:3]} {month.start[:4]}", f"{month.rows:,}")
    served = " ".join(f"v{number}" for number in month.versions)
    verdict = Text(f"\n{SAID.get(line.verdict, line.verdict)}", style=VERDICTS[line.verdict])
    _add_pair(table, names, (rate, "") if rates else None, line.cells, cost, (str(month.alerts or ""), served), verdict)


def _add_pair(
    table: Table,
    names: tuple[str, str],
    rate: tuple[str, str] | None,
    cells: tuple[Cell, ...],
    cost: tuple[str, str] | None,
    told: tuple[str, str],
    verdict: Text,
) -> None:
    models = _pair("frozen", "ours", "")
    values = [_cell(cell) for cell in cells]
    totals = [_pair(*cost, "")] if cost else []
    table.add_row(
        Text.assemble(names[0], (f"\n{names[1]}", "dim")),
        *(["\n".join(rate)] if rate else []),
        models,
        *values,
        *totals,
        "\n".join(told),
        verdict,
    )


def _cell(cell: Cell) -> Text:
    digits = cell.measure.digits
    live = decimal(cell.live, digits) + MARKS[cell.sign]
    return _pair(decimal(cell.frozen, digits) + "  ", live, STYLES[cell.sign])


def _pair(above: str, below: str, style: str) -> Text:
    return Text.assemble((above, "dim"), "\n", (below, style))


def _money(value: float | None) -> str:
    return decimal(value, 0) if value is None or abs(value) < 1e5 else f"{value / 1000:,.0f} k"
