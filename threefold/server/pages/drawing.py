"""Small drawings made on the server, as SVG with classes for their colours; no script is needed to see them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup, escape

from threefold.server.pages.words import number, seconds

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


LANE, TOP = 46, 4
TAIL = 0.12  # room after the last move, as a share of the time before it: what points somewhere now goes on


def timeline(moves: Sequence[Mapping[str, Any]]) -> Markup | None:
    """Where each alias pointed over time: one lane each, a bar for each stay. None where nothing ever moved."""
    known = [(at, move) for move in moves if move.get("alias") and (at := seconds(move["at"])) is not None]
    if not known:
        return None
    first, last = known[0][0], known[-1][0]
    end = max(last + TAIL * (last - first), first + 1.0)
    lanes = list(dict.fromkeys(move["alias"] for _, move in known))
    drawn = [
        _lane(place, alias, _stays([(at, m) for at, m in known if m["alias"] == alias], end), first, end)
        for place, alias in enumerate(lanes)
    ]
    height = TOP + LANE * len(lanes) + 18
    said = f"Where {', '.join(lanes)} pointed over time; the table below tells the same"
    ends = Markup(
        '<text x="0" y="{y}" class="tick">{a}</text><text x="100%" y="{y}" class="tick" text-anchor="end">{b} and on</text>'
    ).format(y=height - 4, a=known[0][1]["at"][:16].replace("T", " "), b=known[-1][1]["at"][:16].replace("T", " "))
    return Markup('<svg class="timeline" width="100%" height="{}" role="img" aria-label="{}">{}{}</svg>').format(
        height, said, Markup("").join(drawn), ends
    )


def _stays(moves: Sequence[tuple[float, Mapping[str, Any]]], end: float) -> list[tuple[int, float, float]]:
    """Number, from when, until when; a time in which the alias pointed nowhere is left out."""
    until = [at for at, _ in moves[1:]] + [end]
    return [(move["after"], at, to) for (at, move), to in zip(moves, until, strict=True) if move["after"] is not None]


def _lane(place: int, alias: str, stays: list[tuple[int, float, float]], first: float, end: float) -> Markup:
    y = TOP + place * LANE
    parts = [Markup('<text x="0" y="{}" class="lane">{}</text>').format(y + 12, alias)]
    for version, start, stop in stays:
        left, width = 100 * (start - first) / (end - first), max(0.3, 100 * (stop - start) / (end - first))
        parts.append(
            Markup(
                '<g><title>version {n}</title><rect class="v{c}" x="{x:.2f}%" y="{y}" width="{w:.2f}%" height="20" rx="4"/>{t}</g>'
            ).format(
                n=version, c=version % 10, x=left, y=y + 18, w=max(0.3, width - 0.25),
                t=Markup('<text x="{:.2f}%" y="{}" class="in" text-anchor="middle">{}</text>').format(
                    left + width / 2, y + 32, version) if width > 2.5 else "",
            )
        )  # fmt: skip
    return Markup("").join(parts)
