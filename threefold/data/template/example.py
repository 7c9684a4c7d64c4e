"""The files of the template, and its made-up table: parcels, of which some arrive late."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

FOLDER = Path(__file__).parent
FILES = ("threefold.yaml", "features.py", "model.py")
PARCELS = 3_000
FIRST = datetime(2024, 1, 1, 6)
DAYS = 120
CARRIERS = {"swift": -0.9, "ground": 0.0, "saver": 0.6}  # how much each adds to the log-odds of being late
HEADER = "parcel,ordered_at,carrier,distance_km,weight_kg,remark,delivered_at,late"


def files(project: str) -> dict[str, bytes]:
    """Every file of the project, by its path. The same name gives the same bytes."""
    texts = {name: (FOLDER / f"{name}.txt").read_text(encoding="utf-8") for name in FILES}
    found = {name: text.replace("{{project}}", project).encode() for name, text in texts.items()}
    return {**found, "data/parcels.csv": "\n".join([HEADER, *parcels(), ""]).encode()}


def parcels() -> Iterator[str]:
    """The lines of the table, oldest order first.

    Late is likelier by a slow carrier, over a long way, for orders of the evening; and while a carrier has a bad week.
    """
    draw = random.Random(7).random
    moments = sorted(int(draw() * DAYS * 1440) for _ in range(PARCELS))
    for number, minutes in enumerate(moments, start=1):
        ordered = FIRST + timedelta(minutes=minutes)
        carrier = list(CARRIERS)[int(draw() * 3)]
        distance, weight = round(20 + 880 * draw() ** 2), round(0.2 + 24 * draw() ** 3, 1)
        odds = CARRIERS[carrier] + distance / 300 + 0.05 * weight + (0.9 if ordered.hour >= 17 else 0) - 2.9
        odds += 2.0 if _bad_week(carrier, ordered) else 0.0
        late = draw() < 1 / (1 + math.exp(-odds))
        hours = 20 + distance / 20 + 6 * draw() + (26 * draw() + 14 if late else 0)
        delivered = ordered + timedelta(minutes=round(60 * hours))
        remark = "" if draw() < 0.8 else ("fragile" if draw() < 0.5 else "leave with a neighbour")
        yield f"P{number:05d},{ordered:%Y-%m-%d %H:%M},{carrier},{distance},{weight},{remark},{delivered:%Y-%m-%d %H:%M},{late:d}"


def _bad_week(carrier: str, moment: datetime) -> bool:
    return (moment - FIRST).days // 7 % 5 == list(CARRIERS).index(carrier)
