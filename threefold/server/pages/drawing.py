"""Small drawings made on the server, as SVG with classes for their colours; no script is needed to see them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from markupsafe import Markup, escape

from threefold.server.pages.words import number

WIDTH, HEIGHT, AIR = 160, 36, 3


def spark(name: str, values: Sequence[Any]) -> dict[str, Any]:
    """A line in the size of a word: its name, its last value, its drawing, and what it shows in words."""
    known = [(place, float(v)) for place, v in enumerate(values) if isinstance(v, int | float) and math.isfinite(v)]
    low, high = min(v for _, v in known), max(v for _, v in known)
    across, up = (WIDTH - 2 * AIR) / max(1, len(values) - 1), (HEIGHT - 2 * AIR) / ((high - low) or 1.0)
    spots = [(AIR + place * across, HEIGHT - AIR - (value - low) * up) for place, value in known]
    path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in spots)
    said = f"{name}: {number(known[-1][1])} now, between {number(low)} and {number(high)} over {len(known)} windows"
    drawn = Markup(
        '<svg class="spark" viewBox="0 0 {} {}" width="{}" height="{}" role="img" aria-label="{}"><path d="{}"/>'
        '<circle cx="{:.1f}" cy="{:.1f}" r="2.5"/></svg>'
    ).format(WIDTH, HEIGHT, WIDTH, HEIGHT, escape(said), path, *spots[-1])
    return {"name": name, "last": known[-1][1], "drawn": drawn}
