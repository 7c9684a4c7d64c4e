"""How values are written on the pages, the same on every one of them."""

from __future__ import annotations

import json
import math
import re
from datetime import UTC, datetime
from typing import Any

from jinja2 import Undefined
from markupsafe import Markup, escape

from threefold.governance.figures import duration

NOTHING = "–"
LONGEST = 300  # letters of one value in a table; the whole of it is a click away
STATUS = {
    "running": ("live", "◐"), "scheduled": ("quiet", "○"), "done": ("good", "✓"), "failed": ("bad", "✕"),
    "refused": ("warn", "⊘"), "interrupted": ("warn", "◌"), "candidate": ("warn", "○"), "approved": ("good", "✓"),
    "released": ("good", "●"), "retired": ("quiet", "–"), "open": ("bad", "●"), "acknowledged": ("warn", "●"), "closed": ("quiet", "✓"),
    "ran": ("live", "✓"), "reused": ("quiet", "↺"),
}  # fmt: skip


def number(value: Any) -> str:
    """A number in at most five digits that matter, with thousands apart.

    >>> number(0.762952), number(336776), number(1e-7), number(float("nan")), number(None)
    ('0.76295', '336,776', '1e-07', 'NaN', '–')
    """
    if value is None or isinstance(value, Undefined):
        return NOTHING
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "∞" if value > 0 else "−∞"
    comma = "," if abs(value) >= 10_000 else ""  # 2013 may be a year
    if isinstance(value, int) or (value == int(value) and abs(value) < 1e15):
        return f"{int(value):{comma}}".replace("-", "−")
    text = f"{value:{comma}.5g}" if 1e-4 <= abs(value) < 1e6 else f"{value:.5g}"
    return text.replace("-", "−", 1) if value < 0 else text


def moment(at: Any) -> Markup:
    """A moment in UTC, to the second; the page's script adds how long ago it was."""
    found = _moment(at)
    if found is None:
        return Markup(NOTHING)
    return Markup('<time datetime="{}">{}</time>').format(
        found.isoformat(timespec="seconds"), f"{found:%Y-%m-%d %H:%M:%S}"
    )


def ago(at: Any) -> Markup:
    """A moment of which mostly matters how long ago it was."""
    found = _moment(at)
    if found is None:
        return Markup(NOTHING)
    said = f"{found:%Y-%m-%d %H:%M}"
    return Markup('<time class="ago" datetime="{}" title="{} UTC">{}</time>').format(
        found.isoformat(timespec="seconds"), f"{found:%Y-%m-%d %H:%M:%S}", said
    )


def span(seconds: float | None) -> str:
    """A span of time in the unit a person would use.

    >>> span(0.85), span(7_260), span(200_000)
    ('850 ms', '2 h 1 min', '2 d 7 h')
    """
    if seconds is None or not math.isfinite(seconds) or seconds < 0:
        return NOTHING
    if seconds < 3_600:
        return duration(seconds)
    hours, rest = divmod(round(seconds), 3_600)
    if hours < 48:
        return f"{hours} h {rest // 60} min" if rest >= 60 else f"{hours} h"
    return f"{hours // 24} d {hours % 24} h" if hours % 24 else f"{hours // 24} d"


def status(name: Any) -> Markup:
    """A state as a mark with its word: never told by colour alone."""
    tone, sign = STATUS.get(str(name), ("quiet", "·"))
    return Markup('<span class="state {}"><i aria-hidden="true">{}</i>{}</span>').format(tone, sign, name)


def short(text: Any, letters: int = LONGEST) -> str:
    """The beginning of a text, with … where it goes on."""
    if text is None or isinstance(text, Undefined):
        return NOTHING
    said = text if isinstance(text, str) else json.dumps(text, default=str, ensure_ascii=False)
    return said if len(said) <= letters else said[: letters - 1] + "…"


def soft(name: Any) -> Markup:
    """A name that may be broken after its underscores, dots and slashes."""
    return Markup(re.sub(r"([_/.:-])(?=\w)", r"\1<wbr>", str(escape(name))))


def share(value: Any) -> str:
    """A share of one in percent, without digits that say nothing.

    >>> share(0.25), share(1), share(0.055)
    ('25 %', '100 %', '5.5 %')
    """
    return f"{100 * value:.3g} %" if isinstance(value, int | float) else NOTHING


def pretty(value: Any) -> str:
    """JSON for the eye."""
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)


def seconds_between(start: Any, end: Any) -> float | None:
    """How long something took; None where one of its moments is not known."""
    first, last = _moment(start), _moment(end)
    return None if first is None or last is None else (last - first).total_seconds()


def seconds(at: Any) -> float | None:
    """A moment in seconds since 1970; None where it is not known."""
    found = _moment(at)
    return None if found is None else found.timestamp()


def _moment(at: Any) -> datetime | None:
    if isinstance(at, int | float) and not isinstance(at, bool):
        try:
            return datetime.fromtimestamp(at / 1000, UTC)
        except (OverflowError, OSError, ValueError):
            return None  # a clock that jumped beyond every calendar
    try:
        found = datetime.fromisoformat(str(at))
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


FILTERS = {
    "number": number, "moment": moment, "ago": ago, "span": span, "status": status, "short": short, "soft": soft,
    "share": share, "pretty": pretty,
}  # fmt: skip
