"""The months in the terminal."""

from dataclasses import replace
from datetime import UTC, datetime
from io import StringIO

import pytest
from rich.console import Console

from threefold.governance.story import Month, Story
from threefold.governance.summary import months_table, render_text


def printed(what: object, width: int = 80) -> str:
    console = Console(file=StringIO(), width=width)
    console.print(what)
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def test_the_table_fits_in_eighty_columns(story: Story) -> None:
    text = printed(months_table(story))
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= 80


def test_each_month_shows_the_frozen_model_above_ours(story: Story) -> None:
    lines = printed(months_table(story)).splitlines()
    july = next(number for number, line in enumerate(lines) if "Jul 2013" in line)
    assert "0.751" in lines[july]
    assert "0.783 ▴" in lines[july + 1]
    assert "gain" in lines[july + 1]


def test_a_month_without_gain_says_so(story: Story) -> None:
    lines = printed(months_table(story)).splitlines()
    november = next(number for number, line in enumerate(lines) if "Nov 2013" in line)
    assert "no gain" in lines[november + 1]
    assert "0.671 ▾" in lines[november + 1]


def test_the_words_below_the_table_name_the_months(story: Story) -> None:
    assert "no gain in October and November" in printed(render_text(story), width=400)


def test_a_story_without_months_says_so_in_one_sentence() -> None:
    assert printed(render_text(Story("x", datetime(2026, 1, 1, tzinfo=UTC)))).startswith("No live month yet")


def test_without_costs_there_is_no_column_of_totals(story: Story) -> None:
    month = Month("2013-04-01", 500, None, {"rmse": 41.0}, {"rmse": 38.5}, (2,))
    text = printed(months_table(replace(story, months=(month,))))
    assert "Total" not in text
    assert "RMSE" in text
    assert text.splitlines()[0] == f"{story.project}: the frozen model against Threefold, month by month"
    assert (story.target or "positive")[:8] not in text.splitlines()[2]  # a rate of "yes" exists for two classes only


@pytest.mark.parametrize("width", [40, 60, 120])
def test_any_width_can_be_printed(story: Story, width: int) -> None:
    assert printed(months_table(story), width)
