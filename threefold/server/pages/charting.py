"""Drawings of several runs: parallel coordinates and a scatter, as SVG made on the server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from threefold.server.pages.words import number, short

COLOURS = 10
WORDS = 7  # written along one axis
GAP, TOP, TALL = 150, 40, 230  # between two axes; above and along one


def parallel(labels: Sequence[str], axes: Sequence[Mapping[str, Any]]) -> Markup:
    """One axis for each column, one line for each run; a run without a value there leaves a gap."""
    width, height = GAP * (len(axes) - 1) + 150, TOP + TALL + 26
    scales = [_Scale(axis["values"]) for axis in axes]
    drawn = [_axis(70 + GAP * place, axis, scale) for place, (axis, scale) in enumerate(zip(axes, scales, strict=True))]
    lines = [
        _polyline(place, label, [(70 + GAP * at, scale.y(axis["values"][place])) for at, (axis, scale) in
                                 enumerate(zip(axes, scales, strict=True))])
        for place, label in enumerate(labels)
    ]  # fmt: skip
    said = f"{len(labels)} runs over {', '.join(axis['name'] for axis in axes)}; the tables hold the numbers"
    return Markup('<svg class="drawn parallel" viewBox="0 0 {w} {h}" width="{w}" height="{h}" role="img" aria-label="{s}">{a}{l}{b}</svg>').format(
        w=width, h=height, s=said, a=Markup("").join(drawn), l=Markup("").join(lines),
        b=Markup("").join(_between(70 + GAP * place, scale) for place, scale in enumerate(scales)),
    )  # fmt: skip


def scatter(labels: Sequence[str], across: Mapping[str, Any], up: Mapping[str, Any]) -> Markup:
    """One point for each run that has both values."""
    width, height, left, low = 470, 320, 78, 270
    x, y = _Scale(across["values"], left + 10, width - 20), _Scale(up["values"], low, 20)
    points = [
        Markup('<g class="k{}"><title>{}: {} {}, {} {}</title><circle cx="{:.1f}" cy="{:.1f}" r="6"/></g>').format(
            place % COLOURS, label, across["name"], number(a), up["name"], number(b), x.y(a), y.y(b)
        )
        for place, (label, a, b) in enumerate(zip(labels, across["values"], up["values"], strict=True))
        if a is not None and b is not None
    ]
    frame = Markup(
        '<path class="axis" d="M{l} 12V{b}H{w}"/><text class="name" x="{l}" y="{n}">{x}</text>'
        '<text class="name" text-anchor="middle" transform="translate(16 {m}) rotate(-90)">{y}</text>'
        '<text x="{x0}" y="{t}">{xa}</text><text x="{x1}" y="{t}" text-anchor="end">{xb}</text>'
        '<text x="{r}" y="{b}" text-anchor="end">{ya}</text><text x="{r}" y="24" text-anchor="end">{yb}</text>'
    ).format(
        l=left, b=low + 8, m=low / 2, w=width - 8, n=height - 6, x=short(across["name"], 50), y=short(up["name"], 40), t=low + 24,
        x0=left, x1=width - 8, xa=x.ends[0], xb=x.ends[1], r=left - 6, ya=y.ends[0], yb=y.ends[1],
    )  # fmt: skip
    said = f"{up['name']} against {across['name']} for {len(points)} runs"
    return Markup('<svg class="drawn scatter" viewBox="0 0 {w} {h}" width="{w}" height="{h}" role="img" aria-label="{s}">{f}{p}</svg>').format(
        w=width, h=height, s=said, f=frame, p=Markup("").join(points)
    )  # fmt: skip


class _Scale:
    """Where a value stands along an axis: by its size where all are numbers, else each text at its own place."""

    def __init__(self, values: Sequence[Any], low: float = TOP + TALL, high: float = TOP) -> None:
        known = [value for value in values if value is not None]
        self.first: float
        self.last: float
        self.words = list(dict.fromkeys(str(v) for v in known)) if any(isinstance(v, str) for v in known) else None
        self.low, self.high = low, high
        if self.words is None:
            self.first, self.last = (min(known), max(known)) if known else (0.0, 1.0)
            self.ends = (number(self.first), number(self.last))
        else:
            self.first, self.last = 0.0, float(max(1, len(self.words) - 1))
            self.ends = (short(self.words[0], 18), short(self.words[-1], 18))

    def y(self, value: Any) -> float | None:
        """The place of a value; None where there is none."""
        if value is None:
            return None
        place = float(self.words.index(str(value)) if self.words is not None else value)
        span = self.last - self.first
        return self.low - (self.low - self.high) * ((place - self.first) / span if span else 0.5)


def _axis(x: float, axis: Mapping[str, Any], scale: _Scale) -> Markup:
    return Markup(
        '<g class="axis-of {k}"><title>{full}</title><path class="axis" d="M{x} {t}V{b}"/>'
        '<text class="name" x="{x}" y="{n}" text-anchor="middle">{name}</text>'
        '<text x="{x}" y="{h}" text-anchor="middle">{last}</text><text x="{x}" y="{f}" text-anchor="middle">{first}</text></g>'
    ).format(
        k=axis["kind"], full=axis["name"], x=x, t=TOP, b=TOP + TALL, n=14, name=short(axis["name"], 20), h=TOP - 8,
        f=TOP + TALL + 18, last=scale.ends[1], first=scale.ends[0],
    )  # fmt: skip


def _between(x: float, scale: _Scale) -> Markup:
    """The words between the ends of an axis, where they are few enough to be read."""
    words = scale.words[1:-1] if scale.words is not None and len(scale.words) <= WORDS else []
    return Markup("").join(
        Markup('<text class="word" x="{}" y="{:.1f}">{}</text>').format(
            x + 8, (scale.y(word) or 0) - 6, short(word, 14)
        )
        for word in words
    )


def _polyline(place: int, label: str, spots: Sequence[tuple[float, float | None]]) -> Markup:
    path, pen = [], "M"
    for x, y in spots:
        if y is None:
            pen = "M"
            continue
        path.append(f"{pen}{x:.0f} {y:.1f}")
        pen = "L"
    dots = Markup("").join(
        Markup('<circle cx="{:.0f}" cy="{:.1f}" r="3"/>').format(x, y) for x, y in spots if y is not None
    )
    return Markup('<g class="line k{}{}"><title>{}</title><path d="{}"/>{}</g>').format(
        place % COLOURS, " again" if place >= COLOURS else "", label, "".join(path), dots
    )
