"""The report of a project's life: one HTML file with its charts, which asks nothing of the network."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from threefold.governance import figures
from threefold.governance.charts import Chart, curve_charts, drift_chart, month_charts
from threefold.governance.comparison import MEASURES, compare, first_version, measures_of, total, verdict_in_words
from threefold.governance.story import Story

HERE = Path(__file__).parent
METRICS_SHOWN = 7  # in the table of candidates; all of them stand with the run


def render(story: Story) -> str:
    """The report as one self-contained HTML page.

    Styles, scripts and data stand inside the page, and its content policy forbids every request, so it can be mailed,
    archived and opened from disk years later. A part of the story that is empty is said to be so in words.
    """
    return _environment().get_template("report.html.j2").render(_context(story))


def _context(story: Story) -> Mapping[str, Any]:
    lines = compare(story.months, first_version(story))
    monthly, curves, drift = month_charts(story), curve_charts(story.candidates), drift_chart(story)
    charts = [chart for chart in (*monthly, *curves, drift) if chart is not None]
    return {
        "story": story,
        "lines": lines,
        "measures": measures_of(story.months),
        "totals": total(lines),
        "verdict": verdict_in_words(story),
        "monthly": monthly,
        "curves": curves,
        "drift": drift,
        "candidate_metrics": _metric_names(story),
        "served": sum(month.rows for month in story.months),
        "pages": [alert for alert in story.alerts if alert.severity == "page"],
        "digests": [alert for alert in story.alerts if alert.severity == "digest"],
        "refused": [version for version in story.versions if version.status == "refused"],
        "longest": max((stage.seconds for stage in story.stages), default=0.0),
        "spent": sum(stage.seconds for stage in story.stages),
        "vendor_css": _asset("vendor/uPlot.min.css"),
        "vendor_js": _asset("vendor/uPlot.iife.min.js"),
        "css": _asset("templates/report.css"),
        "js": _asset("templates/report.js"),
        "data": _island(charts),
    }


def _metric_names(story: Story) -> list[str]:
    """The cross-validated metrics that candidates have: those that the months are compared by, then a few others."""
    names = dict.fromkeys(name for candidate in story.candidates for name in candidate.metrics)
    first = [measure.name for measure in MEASURES if measure.name in names]
    rest = [name for name in names if name not in first and not name.endswith("_std")]
    return [*first, *rest][:METRICS_SHOWN]


def _island(charts: list[Chart]) -> Markup:
    """The charts as JSON that cannot end the script element it stands in."""
    text = json.dumps({chart.id: asdict(chart) for chart in charts}, separators=(",", ":"), allow_nan=False)
    return Markup(text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e"))


def _asset(path: str) -> Markup:
    return Markup((HERE / path).read_text(encoding="utf-8"))


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for name in ("count", "share", "decimal", "signed", "money", "duration", "size", "plural"):
        environment.filters[name] = getattr(figures, name)
    return environment
