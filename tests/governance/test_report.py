"""The report stands alone, tells everything, and says what is missing."""

import json
import math
import re
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest

from threefold.errors import Finding
from threefold.governance.report import render
from threefold.governance.story import Comparison, Month, Reproduction, Stage, Story
from threefold.records import from_json, to_json

EMPTY = Story("nothing yet", datetime(2026, 1, 1, tzinfo=UTC))
VOID = {"meta", "link", "br", "img", "hr", "input"}


class Page(HTMLParser):
    """A page as its elements, attributes and visible words."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes another element"

    def handle_data(self, data: str) -> None:
        if not {"script", "style"} & set(self.open):
            self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))


@pytest.fixture
def page(story: Story) -> Page:
    return Page(render(story))


@pytest.mark.parametrize("full", [True, False], ids=["full", "empty"])
def test_every_element_is_closed(story: Story, full: bool) -> None:
    assert Page(render(story if full else EMPTY)).open == []


def test_the_page_asks_nothing_of_the_network(page: Page) -> None:
    loaded = [
        attrs[name] for tag, attrs in page.elements for name in ("src", "href", "action", "data") if attrs.get(name)
    ]
    assert all(address and address.startswith("#") for address in loaded)
    assert not {"link", "iframe", "img", "object", "embed"} & {tag for tag, _ in page.elements}


def test_the_policy_of_the_page_forbids_every_request(page: Page) -> None:
    policies = [
        attrs["content"] for tag, attrs in page.elements if attrs.get("http-equiv") == "Content-Security-Policy"
    ]
    assert len(policies) == 1
    assert str(policies[0]).startswith("default-src 'none'")


def test_styles_load_no_address(story: Story) -> None:
    assert re.findall(r"@import|url\(", render(story)) == []


def test_every_chart_on_the_page_has_its_data_and_its_words(story: Story, page: Page) -> None:
    island = re.search(r'<script type="application/json" id="charts">(.*?)</script>', render(story), re.S)
    assert island is not None
    places = [attrs for _, attrs in page.elements if "data-chart" in attrs]
    assert {attrs["data-chart"] for attrs in places} == set(json.loads(island[1]))
    assert len(places) == 7
    assert all(attrs["role"] == "img" and attrs["aria-label"] for attrs in places)


def test_the_months_show_the_numbers_as_they_are_and_where_there_is_no_gain(page: Page) -> None:
    assert "0.671" in page.text
    assert page.text.count("no gain") >= 2
    assert "63,505 USD" in page.text


def test_a_refused_version_shows_the_sentence_that_stopped_it(page: Page) -> None:
    assert "refused" in page.text
    assert "Log loss 0.694; always answering 22.7 % has 0.531." in page.text


def test_a_project_that_cost_more_is_told_so(story: Story) -> None:
    months = tuple(replace(m, live=m.frozen, frozen=m.live) for m in story.months)
    assert "dearer than the frozen model" in Page(render(replace(story, months=months))).text


def test_what_is_missing_is_said_in_words() -> None:
    text = Page(render(EMPTY)).text
    sentences = (
        "No live month yet",
        "No snapshot has been taken.",
        "No candidate has been trained.",
        "Nothing has been released.",
    )
    assert [sentence for sentence in sentences if sentence not in text] == []
    assert "keep the promises" not in text


@pytest.mark.parametrize("field", [name for name in Story.__dataclass_fields__ if name not in ("project", "made_at")])
def test_any_part_may_be_missing(story: Story, field: str) -> None:
    assert "<!doctype html>" in render(replace(story, **{field: getattr(EMPTY, field)}))


def test_words_from_outside_cannot_become_markup(story: Story) -> None:
    nasty = "</script><script>alert(1)</script>"
    views = tuple(
        replace(window, drift=tuple(replace(d, column=nasty) for d in window.drift)) for window in story.windows
    )
    html = render(replace(story, project=nasty, findings=(Finding(nasty, nasty, nasty),), windows=views))
    assert nasty not in html
    assert html.count("<script") == 3


def test_a_month_with_one_class_has_a_dash_for_its_auc(story: Story) -> None:
    odd = Month(
        "2013-04-01", 3, 0.0, {"roc_auc": math.nan, "log_loss": 0.2}, {"roc_auc": math.nan, "log_loss": 0.1}, (2,)
    )
    html = render(replace(story, months=(odd,)))
    assert "NaN" not in re.sub(r"<script>.*?</script>", "", html, flags=re.S)
    assert "–" in Page(html).text


def test_a_regression_is_compared_in_its_own_measures(story: Story) -> None:
    months = (Month("2013-04-01", 500, None, {"rmse": 41.0, "mae": 30.0}, {"rmse": 38.5, "mae": 30.0}, (2,)),)
    text = Page(render(replace(story, months=months))).text
    assert "RMSE" in text
    assert "saved against" not in text


def test_a_model_that_came_out_different_is_called_different(story: Story) -> None:
    twice = Reproduction(4, (Comparison("model.onnx", "a" * 64, "b" * 64, False),), 3.1e-5, 12.0)
    text = Page(render(replace(story, reproduction=twice))).text
    assert "1 thing of 1 came out different" in text
    assert "3.1e-05" in text


def test_stages_that_took_no_time_do_not_break_the_bars(story: Story) -> None:
    assert "In all" in Page(render(replace(story, stages=(Stage("design", 0.0),)))).text


def test_the_licence_of_the_charts_is_named(page: Page) -> None:
    assert "uPlot 1.6.32, MIT licence" in page.text


def test_a_story_is_json_and_comes_back_as_it_was(story: Story) -> None:
    assert from_json(to_json(story), Story) == story
