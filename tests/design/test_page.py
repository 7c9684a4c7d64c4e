"""The page of the canvas says what the canvas says, and needs nothing else."""

import re
from pathlib import Path

import pytest

from threefold.design.page import RISKS, TEMPLATES, render, style, without_password
from threefold.design.reading import parse

CANVAS = """\
threefold: 1
project: late-flights
value:
  for: airport <operations>
  mistakes: {false_positive: 40 USD, false_negative: 250 USD}
  risk: high
data:
  flights: {source: f.csv, time: departs_at, later: {arrived_at: arr_delay}}
  weather: postgresql://anna:secret@host/weather
predict: {target: late, at: departs_at, ahead: 2 h, split: {test: 10%}, leave out: tailnum}
train: {baseline: carrier_late_rate, candidates: [linear, forest]}
accept: {roc_auc over baseline: ">= 0.03", recall gap across carrier: "<= 0.2", size: "<= 5 MB", latency p99: "<= 20 ms"}
serve: {rollout: canary 5% 25% 100%}
watch: {roc_auc drop: 0.07}
retrain: {on: [decay], every: 30 days}
"""
SMALL = "threefold: 1\nproject: p\ndata: {t: t.csv}\npredict: {target: y}\n"


def page(text: str, root: Path = Path("/nowhere")) -> str:
    return render(parse(text, root / "threefold.yaml"))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with the functions that the canvas names."""
    (tmp_path / "model.py").write_text("def carrier_late_rate(training): ...\ndef forest(task): ...\n")
    return tmp_path


@pytest.mark.parametrize("text", [CANVAS, SMALL])
def test_a_page_asks_for_nothing_from_outside(text: str, project: Path):
    html = page(text, project)
    assert not re.search(r"""(?:src|href)\s*=\s*["'](?!data:)|url\(|@import|<script""", html)
    assert "default-src 'none'" in html


@pytest.mark.parametrize(
    "said",
    [
        "late-flights", "40 USD", "250 USD", "14%", "2 h before", "forest", "carrier late rate", "≥ 0.03",
        "gain over the baseline", "largest difference across carrier", "≤ 5 MB", "≤ 20 ms", "25%", "30 days",
        "&gt; 0.07", "known only at arrived_<wbr>at", "10% of the rows, the newest,", "human oversight",
    ],
)  # fmt: skip
def test_a_page_says_what_the_canvas_says(said: str, project: Path):
    assert said in page(CANVAS, project)


def test_what_a_person_wrote_is_text_and_never_markup(project: Path):
    assert "Airport &lt;operations&gt;" in page(CANVAS, project)


def test_a_password_in_a_source_is_not_shown(project: Path):
    assert "secret" not in page(CANVAS, project)
    assert without_password("data/a@b:c.csv") == "data/a@b:c.csv"


def test_a_page_says_what_is_missing():
    assert "say it with <code>value.need</code>" in page(SMALL)
    assert "Nobody has judged it yet" in page(SMALL)


def test_the_feature_views_of_the_project_are_named_without_running_them(project: Path):
    (project / "features.py").write_text("raise SystemExit\ndef carrier_lately(flights): pass\ndef _own(): pass\n")
    html = page(CANVAS, project)
    assert "carrier lately" in html
    assert "_own" not in html


def test_every_risk_tier_has_its_sentence():
    for tier in RISKS:
        assert RISKS[tier].sentence.rstrip(".") in page(SMALL + f"value: {{risk: {tier}}}\n")


def test_the_shared_style_knows_light_dark_and_paper():
    for rule in ("prefers-color-scheme: dark", "@media print", "--ink"):
        assert rule in style()


def test_the_layout_of_the_canvas_uses_only_colours_of_the_shared_style():
    used = set(re.findall(r"var\((--[\w-]+)", (TEMPLATES / "canvas.css").read_text()))
    assert used - {"--tone", "--share"} <= set(re.findall(r"(--[\w-]+):", style()))
